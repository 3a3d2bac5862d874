"""Every route and whom it is for: the one place.  The gate enforces it, tests go through it row by row.

A partner (a brand that sells here) sees figures of groups and nothing of visits or members.  A member sees what is the member's
own.  An agent calls with its broker password (HTTP Basic), and only for what carries its own name.  Displays are known by a
cookie of their own, which their routes look at themselves: the table calls them open.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import BaseRoute

from broker_config.errors import ConfigError
from server.access.principal import Role

KIB = 1024
BODY_BYTES = 64 * KIB
WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for a route.

    Args:
        roles: whom it is for; None: anybody, signed in or not.
        body_bytes: the largest body it takes.
        within_s: the longest it may take to answer; None for what streams.
        page: for people: a stranger is led to the sign-in page.
        form: its body is a form of ours, which a session's token has to come with.
    """

    roles: frozenset[Role] | None
    body_bytes: int = BODY_BYTES
    within_s: float | None = WITHIN_S
    page: bool = False
    form: bool = False


def _rule(
    *roles: Role,
    body_bytes: int = BODY_BYTES,
    within_s: float | None = WITHIN_S,
    page: bool = False,
    form: bool = False,
) -> Rule:
    return Rule(frozenset(roles), body_bytes, within_s, page, form)


OPEN = Rule(None)
OPEN_PAGE = Rule(None, page=True)
OPEN_FORM = Rule(None, page=True, form=True)
OWNER = _rule("owner")
STORE = _rule("owner", "staff")
ACCOUNT_PAGE = _rule("owner", "staff", "partner", page=True)
ACCOUNT_FORM = _rule("owner", "staff", "partner", page=True, form=True)
MEMBER_FORM = _rule("member", page=True, form=True)
OWNER_FORM = _rule("owner", page=True, form=True)
IMPORT = _rule("owner", body_bytes=4 * KIB * KIB, within_s=300.0)
ERASE = _rule("owner", within_s=300.0)  # the whole database may be read and written anew
STORE_PAGE = _rule("owner", "staff", page=True)
AGENT = _rule("agent", within_s=300.0)
EVENTS = _rule("agent", body_bytes=KIB * KIB)

ROUTES: dict[str, Rule] = {
    # Anybody
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /time": OPEN,
    "GET /display/{display_id}": OPEN_PAGE,
    "POST /api/displays/{display}/pairing": OPEN,
    "GET /api/displays/{display}/pairing": OPEN,
    "GET /api/displays/{display}/key": OPEN,
    "WEBSOCKET /mqtt": OPEN,
    # Signing in and out
    "GET /sign-in": OPEN_PAGE,
    "POST /sign-in": OPEN_FORM,
    "GET /enter/{secret}": OPEN_PAGE,
    "POST /enter/{secret}": OPEN_FORM,
    "POST /sign-out": _rule("owner", "staff", "partner", "member", page=True, form=True),
    "GET /account": ACCOUNT_PAGE,
    "POST /account/password": ACCOUNT_FORM,
    "POST /account/others": ACCOUNT_FORM,
    # Staff accounts
    "GET /staff": _rule("owner", page=True),
    "POST /staff": OWNER_FORM,
    "POST /staff/{name}/link": OWNER_FORM,
    "POST /staff/{name}/remove": OWNER_FORM,
    "GET /api/staff": OWNER,
    "POST /api/staff": OWNER,
    "DELETE /api/staff/{name}": OWNER,
    "POST /api/staff/{name}/link": OWNER,
    # The store's people
    "GET /": STORE_PAGE,
    "GET /decisions/{decision}": STORE_PAGE,
    "GET /api/happenings": _rule("owner", "staff", within_s=None),
    "GET /api/status": _rule("owner", "staff", "agent"),
    "GET /api/summary": STORE,
    "GET /api/decisions": STORE,
    "GET /api/decisions/{decision}": STORE,
    "GET /metrics": STORE,
    "GET /api/pairings": OWNER,
    "POST /api/pairings/{code}/approve": OWNER,
    "POST /api/rules/reload": OWNER,
    "POST /api/transactions/settled": OWNER,
    "GET /api/members": OWNER,
    "POST /api/members/import": IMPORT,
    "POST /api/members/{member}/consent": OWNER,
    "POST /api/members/{member}/erase": ERASE,
    "GET /api/privacy": OWNER,
    "GET /api/bad": OWNER,
    "POST /api/bad/replay": OWNER,
    "GET /api/clones": OWNER,
    "POST /api/clones/{agent}/release": OWNER,
    # Whoever was erased cannot sign in any more: the random number of the request is the key to it.
    "GET /api/privacy/{request}": OPEN,
    "POST /api/members/{member}/code": STORE,
    # Members, with their own session
    "GET /me": OPEN_PAGE,
    "POST /me/code": OPEN_FORM,
    "POST /me/consent": MEMBER_FORM,
    "POST /me/wishes": MEMBER_FORM,
    "POST /me/interests": MEMBER_FORM,
    "GET /me/export": _rule("member", page=True),
    "GET /me/erase": _rule("member", page=True),
    "POST /me/erase": _rule("member", within_s=300.0, page=True, form=True),
    "GET /privacy/{number}": OPEN_PAGE,
    # Agents
    "GET /api/edge/{agent}/members": AGENT,
    "POST /api/edge/{agent}/events": EVENTS,
}


def names_of(route: BaseRoute) -> list[str]:
    """What a route is called in the table: one name for each method.

    Raises:
        ConfigError: a kind of route that the gate could not tell from others.
    """
    if isinstance(route, APIRoute):
        return [f"{method} {route.path}" for method in sorted(route.methods or ())]
    if isinstance(route, APIWebSocketRoute):
        return [f"WEBSOCKET {route.path}"]
    raise ConfigError(
        f"the route {route!r} is none that server/access/table.py can name; add it to a router of its own"
    )


def check_table(routes: Iterable[BaseRoute]) -> None:
    """Hold the table to the routes there are.

    Raises:
        ConfigError: a route that nobody decided on, or a line without a route.
    """
    names = {name for route in routes for name in names_of(route)}
    if undecided := sorted(names - ROUTES.keys()):
        raise ConfigError(f"server/access/table.py does not say whom these are for: {', '.join(undecided)}")
    if left_over := sorted(ROUTES.keys() - names):
        raise ConfigError(f"server/access/table.py has lines without a route: {', '.join(left_over)}")
