"""Writing the log: in the transaction of what it tells of, so that neither is there without the other."""

import hmac
import logging
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.audit.chain import EMPTY, Anchor, hash_of
from server.clock import NS_PER_S, ClockNs
from server.db import Database
from server.tables import AuditRow
from server.work import Work

log = logging.getLogger(__name__)

ANCHOR_EVERY_NS = 24 * 3600 * NS_PER_S
ID_DIGITS = 16
HIDDEN_KINDS = ("member",)
"""Their ids are written as a keyed hash: the log outlives the member, and must not name one who was erased."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it.

    Args:
        kind: `owner`, `staff`, `partner`, `member`, `agent`, `display`, `server` or `nobody`.
        id: an opaque id; never a name, an address or an alias.
    """

    kind: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Thing:
    """What it was done to: `member` and its id, `members` for all of them, `session`, `display`, `credential` …"""

    kind: str
    id: str = ""


OWNER = Actor("owner")
SERVER = Actor("server")
NOBODY = Actor("nobody")
EVERYBODY = Thing("members")


class Audit:
    """The access log.

    Args:
        key: hides the ids of members; from the server's own secrets, so that a copy of the database alone tells nothing.
    """

    def __init__(self, key: bytes, db: Database, clock_ns: ClockNs) -> None:
        self._key, self._db, self._clock_ns = key, db, clock_ns
        self._anchored_ns = clock_ns() - ANCHOR_EVERY_NS

    async def record(
        self, work: Work, actor: Actor, action: str, thing: Thing, outcome: str = "done", detail: str = ""
    ) -> None:
        """Add a row in this transaction.  A read is recorded before its data are handed out.

        Args:
            action: `read`, `export`, `erase`, `import`, `consent`, `sign-in`, `sign-out`, `pair`, `issue`, `revoke` …
            outcome: `done` or `refused`.
            detail: a word more, such as the purpose; nothing personal.
        """
        number, previous = await _head(work.session)
        texts = (actor.kind, self.opaque(actor), action, thing.kind, self.opaque(thing), outcome, detail)
        at_ns = self._clock_ns()
        row = AuditRow(
            number=number + 1,
            at_ns=at_ns,
            actor_kind=texts[0],
            actor_id=texts[1],
            action=action,
            object_kind=texts[3],
            object_id=texts[4],
            outcome=outcome,
            detail=detail,
            previous=previous,
            hash=hash_of(number + 1, at_ns, texts, previous),
        )
        work.session.add(row)
        await work.session.flush()

    def opaque(self, whom: Actor | Thing) -> str:
        """The id as it is written."""
        if whom.kind not in HIDDEN_KINDS or not whom.id:
            return whom.id
        return hmac.digest(self._key, f"{whom.kind}:{whom.id}".encode(), "sha256").hex()[:ID_DIGITS]

    async def head(self) -> Anchor:
        """Number and hash of the newest row."""
        async with self._db.session() as session:
            return Anchor(*await _head(session))

    async def anchor_daily(self) -> None:
        """Once a day, and soon after each start, write the head to the program's log: what cuts the end off must cut there, too."""
        now_ns = self._clock_ns()
        if now_ns - self._anchored_ns >= ANCHOR_EVERY_NS:
            self._anchored_ns = now_ns
            if (head := await self.head()) != EMPTY:
                log.warning("audit anchor %s; keep it: tacet audit verify --anchor", head)


async def _head(session: AsyncSession) -> tuple[int, bytes]:
    newest = select(AuditRow.number, AuditRow.hash).order_by(AuditRow.number.desc()).limit(1)
    found = (await session.execute(newest)).one_or_none()
    return (EMPTY.number, EMPTY.hash) if found is None else (found.number, found.hash)
