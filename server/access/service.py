"""Who is it, by what a request shows: the owner token, an agent's password, or a session's cookie."""

import hmac

from starlette.requests import HTTPConnection

from server.access import cookies
from server.access.limits import Pace
from server.access.principal import Principal
from server.access.sessions import Sessions, form_token
from server.access.staff import StaffService
from server.errors import Unauthenticated
from server.identities import Identities
from server.secrets import Secrets


class Access:
    """Sign-in and what comes of it.  Built once, in `ServerState.access`."""

    def __init__(
        self, secrets: Secrets, identities: Identities, sessions: Sessions, staff: StaffService, pace: Pace
    ) -> None:
        self.sessions, self.staff, self.pace = sessions, staff, pace
        self.first_link: str | None = None
        self._secrets, self._identities = secrets, identities

    async def identify(self, connection: HTTPConnection, *, strictly: bool) -> Principal | None:
        """Who asks; None for a stranger.

        Args:
            strictly: a wrong credential is an error; else, where anybody may ask, it is nothing.
        Raises:
            Unauthenticated: a credential that is none.
        """
        header = connection.headers.get("authorization")
        if header is None:
            secret = cookies.read(connection)
            return None if secret is None else await self._by_cookie(secret)
        try:
            return self._by_header(header)
        except Unauthenticated:
            if strictly:
                raise
            return None

    def _by_header(self, header: str) -> Principal:
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "basic":
            return Principal("agent", self._identities.agent_of(header), "agent")
        if scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), self._secrets.owner_token.encode()):
            return Principal("token", "owner", "owner")
        raise Unauthenticated("show the owner token: Authorization: Bearer …")

    async def _by_cookie(self, secret: str) -> Principal | None:
        session = await self.sessions.find(secret)
        if session is None:
            return None
        if session.kind == "member":
            return Principal("member", session.principal, "member", session, form_token(secret))
        role = await self.staff.role_of(session.principal)
        return None if role is None else Principal("staff", session.principal, role, session, form_token(secret))
