"""Erasure on a gateway: no row, snapshot or file of anybody who is not in the present member table, and a receipt for it.

It is told by a number in the answer that carries the table, never who.  What was applied is kept in the outbox, in the same
file as what it erased: an agent that dies in between does it again.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence

from broker_config.identity import Credential
from broker_config.messages import ErasureReceipt
from edge.keeper import Keeper
from edge.member_file import OpenedMembers, known_handles
from edge.outbox import Outbox
from edge.outbox_erasure import AT_ONCE, VisitRow
from edge.visits import Visits

log = logging.getLogger(__name__)

KEY = "erased"
MAX_NEEDLES = 256
"""As many tokens are looked for in the file's bytes; one is as good a witness as all, since they were deleted together."""


class Eraser:
    """Applies erasures.

    Args:
        credential: its seal key opens whose the stored events are.
        show: publishes the receipt, now and at each connection.  It is asked again at each answer that carries a member table,
            or says that it stands.
    """

    def __init__(
        self,
        outbox: Outbox,
        visits: Visits,
        keeper: Keeper,
        credential: Credential,
        show: Callable[[ErasureReceipt], None],
    ) -> None:
        assert credential.seal_key is not None
        self._outbox, self._visits, self._keeper, self._show = outbox, visits, keeper, show
        self._seal_key = bytes.fromhex(credential.seal_key)
        self.applied = 0
        """The newest erasure that this gateway has applied."""
        self._receipt = ErasureReceipt(version=0)

    async def load(self) -> None:
        """What earlier runs applied."""
        kept = await self._outbox.state(KEY)
        if kept is not None and kept.isdigit():
            self.applied = int(kept)
            self._receipt = ErasureReceipt(version=self.applied)
            self._show(self._receipt)

    async def apply(self, version: int, members: OpenedMembers) -> None:
        """Leave nothing of anybody who is not in this table, which is in force.

        Args:
            version: the newest erasure that the table takes into account.

        Raises:
            sqlite3.OperationalError: the disk refuses it; nothing is said, and all of it is to be done again.
        """
        if version <= self.applied:
            self._show(self._receipt)  # the broker may have dropped it before the server had it, in silence
            return
        await self._flush()  # what the new table made the agent say of those who left it
        gone = await self._gone(members)
        dropped = 0
        for start in range(0, len(gone), AT_ONCE):
            dropped += await self._erase(gone[start : start + AT_ONCE])
        await self._keeper.forget()
        needles = sorted({row.token.encode() for row in gone if row.token})[:MAX_NEEDLES]
        await self._outbox.with_store(lambda store: store.leave_no_trace(needles))
        self._outbox.append([], {KEY: str(version).encode()})
        await self._flush()
        self.applied = version
        log.warning("erasure %s applied: %s stored events removed, %s of them never sent", version, len(gone), dropped)
        self._receipt = ErasureReceipt(version=version, dropped=dropped)
        self._show(self._receipt)

    async def _flush(self) -> None:
        """What is only in memory could come onto the disk after the erasure."""
        if not await self._outbox.flush():
            raise sqlite3.OperationalError("database or disk is full")

    async def _gone(self, members: OpenedMembers) -> list[VisitRow]:
        """The stored events of those who are in no table any more; in memory they are forgotten here."""
        rows = [*await self._rows(salvaged=False), *await self._rows(salvaged=True)]
        owners = self._visits.owners() | {row.token: row.handle for row in rows if row.handle is not None}
        known = await asyncio.to_thread(known_handles, members, frozenset(owners.values()))
        self._visits.keep_only(known)
        return [row for row in rows if owners.get(row.token) not in known]

    async def _rows(self, *, salvaged: bool) -> list[VisitRow]:
        rows: list[VisitRow] = []
        key = self._seal_key
        while True:
            after = rows[-1].number if rows else 0
            more = await self._outbox.with_store(lambda store: store.visit_rows(after, key, salvaged=salvaged))  # noqa: B023
            if not more:
                return rows
            rows += more

    async def _erase(self, rows: Sequence[VisitRow]) -> int:
        return await self._outbox.with_store(lambda store: store.erase(rows))
