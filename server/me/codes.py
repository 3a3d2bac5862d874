"""One-time codes by which a member signs in: told at the desk, good for a quarter of an hour, once.

Kept as a keyed hash: eight characters are too few for a plain one.
"""

import asyncio
import hmac
import secrets

from sqlalchemy import delete, select

from server.access.limits import Patience
from server.access.sessions import Sessions
from server.audit.service import NOBODY, Actor, Audit, Thing
from server.clock import NS_PER_S, ClockNs
from server.displays.pairing import CODE_ALPHABET, MINUTE_NS, RateLimit
from server.errors import NotFound, Unauthenticated
from server.tables import MemberCodeRow, MemberRow
from server.work import Ledger

CODE_LENGTH = 8
CODE_LIFE_NS = 15 * 60 * NS_PER_S
SESSION_LIFE_S, SESSION_IDLE_S = 3600.0, 900.0
LONGEST_WAIT_S = 900.0
WRONG_CODES_PER_MINUTE = 20
"""Of all senders together, then nobody's code is looked at: at this pace one of a thousand is guessed once in eighty years."""


class MemberCodes:
    """Makes codes, and opens sessions for them.

    Args:
        key: of the hashes; from the server's own secrets.
    """

    def __init__(self, ledger: Ledger, sessions: Sessions, audit: Audit, key: bytes, clock_ns: ClockNs) -> None:
        self._ledger, self._sessions, self._audit, self._key, self._clock_ns = ledger, sessions, audit, key, clock_ns
        self._patience = Patience(LONGEST_WAIT_S, clock_ns)
        self._wrong = RateLimit(WRONG_CODES_PER_MINUTE, MINUTE_NS, clock_ns)
        self._turn = asyncio.Lock()

    async def issue(self, member: str, actor: Actor) -> str:
        """A fresh code for a member; an older one is void.  It is told this once.

        Raises:
            NotFound: no such member.
        """
        code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
        async with self._ledger.transaction() as work:
            if await work.session.get(MemberRow, member) is None:
                raise NotFound(f"there is no member {member[:40]!r}")
            row = MemberCodeRow(member=member, hash=self._hash(code), expires_ns=self._clock_ns() + CODE_LIFE_NS)
            await work.session.merge(row)
            await self._audit.record(work, actor, "issue", Thing("member", member), detail="code")
        return code

    async def use(self, typed: str, address: str) -> str:
        """The secret of a new session for whoever has the code; the code is used up.

        Args:
            address: where the guess comes from: it waits longer after each wrong one.
        Raises:
            Unauthenticated: no such code, or no longer.
            TooMany: too many wrong ones.
        """
        self._patience.check(address)
        self._patience.count(address)
        async with self._turn:  # so that many at once are many
            self._wrong.check("wrong codes")
            member = await self._redeem(typed)
            if member is None:
                self._wrong.count("wrong codes")
        if member is None:
            raise Unauthenticated("this code is not good, or no longer; ask for another at the desk", code="code")
        self._patience.forgive(address)
        return await self._sessions.open("member", member, life_s=SESSION_LIFE_S, idle_s=SESSION_IDLE_S)

    async def _redeem(self, typed: str) -> str | None:
        wanted, now_ns = self._hash("".join(typed.split()).replace("-", "").upper()), self._clock_ns()
        async with self._ledger.transaction() as work:
            await work.session.execute(delete(MemberCodeRow).where(MemberCodeRow.expires_ns <= now_ns))
            member = await work.session.scalar(select(MemberCodeRow.member).where(MemberCodeRow.hash == wanted))
            if member is None:
                await self._audit.record(work, NOBODY, "sign-in", Thing("member"), "refused")
                return None
            await work.session.execute(delete(MemberCodeRow).where(MemberCodeRow.member == member))
            await self._audit.record(work, Actor("member", member), "sign-in", Thing("member", member))
            return member

    def _hash(self, code: str) -> bytes:
        return hmac.digest(self._key, code.encode("utf-8", "replace"), "sha256")
