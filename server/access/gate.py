"""The gate: each request is matched to its rule, its sender identified, and both held together before any route sees it."""

import asyncio
import logging
from collections.abc import Sequence
from math import ceil
from urllib.parse import quote

from sqlalchemy.exc import OperationalError
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.access.body import parse_form, read_body, replaying
from server.access.limits import address_key
from server.access.origin import check_form_token, check_source
from server.access.principal import Principal, Role, check_role, note_principal
from server.access.service import Access
from server.access.table import ROUTES, Rule, names_of
from server.errors import ServerError, TooMany, Unauthenticated, Unavailable

log = logging.getLogger(__name__)
FORM_KEY = "tacet.form"
MEMBERS: frozenset[Role] = frozenset({"member"})


class Gate:
    """ASGI middleware.

    Args:
        routes: all routes, in the order in which the application tries them.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = [(route, {name.partition(" ")[0]: ROUTES[name] for name in names_of(route)}) for route in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        rule = self._rule_of(scope)
        if rule is None:  # nothing answers there but 404, 405 or a static file
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        access: Access = scope["app"].state.tacet.access
        try:
            who = await _admit(connection, access, rule)
            note_principal(connection, who)
            if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
                body = await read_body(connection, receive, rule.body_bytes)
                if rule.form:
                    fields = parse_form(connection, body)
                    if rule.roles is not None:  # whoever signs in anew is not asked for the session before
                        check_form_token(who, fields)
                    scope[FORM_KEY] = fields
                receive = replaying(body, receive)
        except ServerError as error:
            await _refuse(connection, rule, error, receive, send)
            return
        except OperationalError as error:
            await _refuse(connection, rule, unwritable(error), receive, send)
            return
        await self._run(connection, rule, receive, send)

    def _rule_of(self, scope: Scope) -> Rule | None:
        if scope["type"] not in ("http", "websocket"):
            return None
        for route, rules in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return rules[scope.get("method", "WEBSOCKET")]
        return None

    async def _run(self, connection: HTTPConnection, rule: Rule, receive: Receive, send: Send) -> None:
        """The route, for as long as its rule allows."""
        if rule.within_s is None or connection.scope["type"] == "websocket":
            await self._app(connection.scope, receive, send)
            return
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            async with asyncio.timeout(rule.within_s) as timer:
                await self._app(connection.scope, receive, noting)
        except TimeoutError:
            if not timer.expired() or has_begun:
                raise
            log.warning("a call took longer than %.0f s and was given up", rule.within_s)
            await _refuse(connection, rule, Unavailable("this took too long; try again later"), receive, send)


async def _admit(connection: HTTPConnection, access: Access, rule: Rule) -> Principal | None:
    """Who asks, if that may be asked."""
    address = address_key(connection.client.host if connection.client else "")
    try:
        who = await access.identify(connection, strictly=rule.roles is not None)
    except Unauthenticated:
        access.pace.spend(address)  # who guesses is a stranger like any other
        raise
    access.pace.spend(address if who is None else who.key)
    check_source(connection, who, form=rule.form)
    if rule.roles is not None:
        if who is None:
            raise Unauthenticated("sign in, or show a credential: Authorization: Bearer …")
        check_role(who, rule.roles)
    return who


async def _refuse(connection: HTTPConnection, rule: Rule, error: ServerError, receive: Receive, send: Send) -> None:
    """Answer whom the gate does not let in."""
    if connection.scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": str(error)})
        return
    await answer_refusal(Request(connection.scope), rule, error)(connection.scope, receive, send)


def answer_refusal(request: Request, rule: Rule, error: ServerError) -> Response:
    """A page to a person, JSON to a program."""
    if not rule.page:
        return JSONResponse({"error": str(error)}, error.status_code, headers_of(error))
    if isinstance(error, Unauthenticated):
        return RedirectResponse(_door_of(request, rule), 303)
    pages = request.app.state.tacet.pages
    catalogue = pages.language_of(request)
    line = catalogue.text_or(f"refused.{error.status_code}", str(error))
    page: Response = pages.render("refused.html", catalogue, error.status_code, line=line)
    page.headers.update(headers_of(error))
    return page


def _door_of(request: Request, rule: Rule) -> str:
    """Where a stranger signs in: members on their own page, the store's people on theirs, who then go on to what they wanted.

    Whoever sent a form after the session's end is told that it was not taken.
    """
    language = request.query_params.get("lang", "")
    also = f"&lang={quote(language)}" if language else ""
    path = request.url.path
    is_lost = request.method != "GET" and path != "/sign-out"  # a form that was filled in, and is not taken
    if rule.roles == MEMBERS:
        return f"/me?ended=1{also}" if is_lost else "/me"
    if is_lost:
        return f"/sign-in?ended=1&next=/{path.split('/')[1]}{also}"  # its page: a form's own address cannot be opened
    if request.method != "GET":
        return f"/sign-in?next={also}"
    target = path + (f"?{request.url.query}" if request.url.query else "")
    return f"/sign-in?next={quote(target)}{also}"


def headers_of(error: ServerError) -> dict[str, str]:
    """What goes with an error's answer."""
    if isinstance(error, TooMany):
        return {"Retry-After": str(ceil(error.retry_after_s))}
    if isinstance(error, Unavailable):
        return {"Retry-After": "5"}
    return {"WWW-Authenticate": "Bearer, Basic"} if error.status_code == 401 else {}


def unwritable(error: OperationalError) -> Unavailable:
    """The database is full, read-only or busy."""
    return Unavailable(f"the database cannot be used ({error.orig}); free some space on its disk")
