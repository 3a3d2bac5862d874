"""Who asks."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, params
from starlette.requests import HTTPConnection

from server.errors import Refused, Unauthenticated

SessionKind = Literal["staff", "member"]
Kind = Literal["staff", "member", "token", "agent"]
StaffRole = Literal["owner", "staff", "partner"]
Role = Literal["owner", "staff", "partner", "member", "agent"]
KEY = "tacet.who"


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser.

    Args:
        id: the SHA-256 of the cookie's value; the value itself is kept nowhere.
        principal: whose it is: a staff account's name, or a member's id.
        idle_ns: unused for so long, it is over.
    """

    id: bytes
    kind: SessionKind
    principal: str
    created_ns: int
    seen_ns: int
    expires_ns: int
    idle_ns: int

    def __repr__(self) -> str:
        return f"Session({self.kind})"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody the server knows.

    Args:
        kind: how it is known: by a session (`staff`, `member`), by the owner token, or as an agent by its password.
        id: account name, member id or agent id; `owner` for the token.
        session: None for tokens and agents.
        form_token: what forms of this session must carry; empty without a session.
    """

    kind: Kind
    id: str
    role: Role
    session: Session | None = None
    form_token: str = ""

    @property
    def key(self) -> str:
        """Names it in tables that are held in memory."""
        return f"{self.kind}:{self.id}"


def note_principal(connection: HTTPConnection, who: Principal | None) -> None:
    """Keep with the request who asks; done once, by the gate."""
    connection.scope[KEY] = who


async def find_principal(connection: HTTPConnection) -> Principal | None:
    """Who asks; None for a stranger."""
    who: Principal | None = connection.scope.get(KEY)
    return who


async def current_principal(connection: HTTPConnection) -> Principal:
    """Who asks.

    Raises:
        Unauthenticated: a stranger.
    """
    if (who := await find_principal(connection)) is None:
        raise Unauthenticated("sign in, or show a credential: Authorization: Bearer …")
    return who


async def current_session(connection: HTTPConnection) -> Session:
    """The browser's session.

    Raises:
        Unauthenticated: a stranger, or a program with a token.
    """
    who = await current_principal(connection)
    if who.session is None:
        raise Unauthenticated("this is for signed-in browsers")
    return who.session


Who = Annotated[Principal, Depends(current_principal)]
MaybeWho = Annotated[Principal | None, Depends(find_principal)]
CurrentSession = Annotated[Session, Depends(current_session)]


def require(*roles: Role) -> params.Depends:
    """For `dependencies=[require("owner")]` on a route or router.

    Raises:
        Unauthenticated: a stranger.
        Refused: another role.
    """

    async def check(who: Who) -> None:
        check_role(who, roles)

    checked: params.Depends = Depends(check)
    return checked


def check_role(who: Principal, roles: tuple[Role, ...] | frozenset[Role]) -> None:
    """Let the roles through.

    Raises:
        Refused: another role.
    """
    if who.role not in roles:
        raise Refused(f"this is not for the role {who.role}")
