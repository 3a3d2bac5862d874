"""Is it our own page that asks?  Browsers say truthfully where a request comes from; a foreign page cannot hide it."""

import hmac

from starlette.requests import HTTPConnection

from server.access.principal import Principal
from server.errors import Refused

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SCHEMES = {"ws": "http", "wss": "https"}


def own_origin(connection: HTTPConnection) -> str:
    """This server's origin, under the name that the browser asked for; the guard has looked at the name."""
    scheme = connection.url.scheme
    return f"{_SCHEMES.get(scheme, scheme)}://{connection.headers.get('host', '')}"


def check_source(connection: HTTPConnection, who: Principal | None, *, form: bool) -> None:
    """Let through what changes nothing, programs, and our own pages.

    A session or a form means a browser, and a browser says where the request comes from: then silence is refused too.

    Raises:
        Refused: a foreign page asks, or a browser hides where it comes from.
    """
    if connection.scope["type"] != "http" or connection.scope["method"] in SAFE_METHODS:
        return
    origin, site = connection.headers.get("origin"), connection.headers.get("sec-fetch-site")
    is_foreign = origin not in (None, own_origin(connection)) or site not in (None, "same-origin")
    is_silent = origin is None and site is None
    if is_foreign or (is_silent and (form or (who is not None and who.session is not None))):
        raise Refused("only this server's own pages may ask this")


def check_form_token(who: Principal | None, fields: dict[str, str]) -> None:
    """Let a signed-in browser's form through that carries its session's token.

    Raises:
        Refused: none, or another's.
    """
    if who is None or who.session is None:
        return
    if not hmac.compare_digest(fields.get("token", "").encode(), who.form_token.encode()):
        raise Refused("this form is out of date; open its page again")
