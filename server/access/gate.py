"""The gate: each request is matched to its rule, its sender identified, and both held together before any route sees it."""

from collections.abc import Sequence

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from server.access.principal import Principal, check_role, note_principal
from server.access.service import Access
from server.access.table import ROUTES, Rule, names_of
from server.errors import ServerError, Unauthenticated


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
            who = await self._admit(connection, access, rule)
        except ServerError as error:
            await refuse(rule, error)(scope, receive, send)
            return
        note_principal(connection, who)
        await self._app(scope, receive, send)

    def _rule_of(self, scope: Scope) -> Rule | None:
        if scope["type"] not in ("http", "websocket"):
            return None
        for route, rules in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return rules.get(scope.get("method", "WEBSOCKET"))
        return None

    async def _admit(self, connection: HTTPConnection, access: Access, rule: Rule) -> Principal | None:
        who = await access.identify(connection, strictly=rule.roles is not None)
        if rule.roles is not None:
            if who is None:
                raise Unauthenticated("sign in, or show a credential: Authorization: Bearer …")
            check_role(who, rule.roles)
        return who


def refuse(rule: Rule, error: ServerError) -> Response:
    """The answer to whom the gate does not let in."""
    headers = {"WWW-Authenticate": "Bearer, Basic"} if error.status_code == 401 and not rule.page else None
    return JSONResponse({"error": str(error)}, error.status_code, headers)
