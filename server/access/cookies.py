"""The session's cookie: out of reach of scripts, sent to this server's own pages only.

Over TLS its name begins with `__Host-`, which browsers take only from this very host, over TLS, for all its paths.  Without
TLS (this machine only) the port is in its name: browsers keep cookies per host, and two servers would share one.
"""

from starlette.requests import HTTPConnection
from starlette.responses import Response

SECURE_NAME = "__Host-tacet"


def cookie_name(connection: HTTPConnection) -> str:
    """The name under which this connection's browser keeps its session."""
    return SECURE_NAME if connection.url.scheme in ("https", "wss") else f"tacet-{connection.url.port or 80}"


def read(connection: HTTPConnection) -> str | None:
    """The session secret that the browser shows."""
    return connection.cookies.get(cookie_name(connection))


def give(response: Response, connection: HTTPConnection, secret: str) -> None:
    """Sign the browser in; it forgets by itself when it is closed, and the session ends by time."""
    name = cookie_name(connection)
    response.set_cookie(name, secret, httponly=True, samesite="strict", path="/", secure=name == SECURE_NAME)


def take(response: Response, connection: HTTPConnection) -> None:
    """Sign the browser out."""
    name = cookie_name(connection)
    response.delete_cookie(name, httponly=True, samesite="strict", path="/", secure=name == SECURE_NAME)
