"""One erasure from the asking to the last receipt.

The tombstone is on the disk first, then one transaction darkens the screens and takes the rows away, then the files are
looked through.  The agents learn of it with their next member table, which carries the version of the newest erasure, and
answer with a receipt.
"""

import asyncio
import logging
import secrets
from collections.abc import Collection, Sequence
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.messages import ErasureReceipt
from broker_config.site import AgentId, Site
from server.audit.service import SERVER, Actor, Audit, Thing
from server.clock import NS_PER_S, ClockNs, to_datetime
from server.db import Database
from server.erasure import store
from server.erasure.journal import Journal, Tombstone
from server.erasure.schemas import PAGE, AgentErasure, ErasureStatus
from server.erasure.traces import remove_traces
from server.errors import NotFound, Unavailable
from server.members.tables import LEASE_NS, MemberTables
from server.set_aside import not_erased_from, outlived, remove, set_aside_of
from server.tables import ErasureReceiptRow, ErasureRow, MemberRow
from server.visits.service import VisitService
from server.work import Ledger, Work

log = logging.getLogger(__name__)
STILL_THERE = (
    "an erased member may still be in the files beside %s (%s); free some space on the disk, the rest follows by itself"
)


class ErasureService:
    """Erases members.

    Args:
        path: the database's file, whose bytes are looked through.
    """

    def __init__(
        self,
        ledger: Ledger,
        db: Database,
        path: Path,
        journal: Journal,
        marks: store.Marks,
        tables: MemberTables,
        visits: VisitService,
        audit: Audit,
        site: Site,
        clock_ns: ClockNs,
    ) -> None:
        self._ledger, self._db, self._path, self._journal, self._marks = ledger, db, path, journal, marks
        self._tables, self._visits, self._audit = tables, visits, audit
        self._agents, self._clock_ns = site.agents, clock_ns
        self._one_at_a_time = asyncio.Lock()
        self._ahead: dict[AgentId, int] = {}

    async def erase(self, member: str, actor: Actor) -> str:
        """Erase a member; returns the request once the server itself holds nothing any more.

        Raises:
            NotFound: no such member.
            Unavailable: the tombstone cannot be written; nothing was erased.
        """
        async with self._one_at_a_time:
            async with self._ledger.transaction() as work:
                if await work.session.get(MemberRow, member) is None:
                    raise NotFound(f"there is no member {member[:40]!r}")
                tombstone = Tombstone(
                    version=await self._next_version(work),
                    request=secrets.token_hex(16),
                    at_ns=self._clock_ns(),
                    asked_by=actor.kind,
                    member=self._marks.member(member),
                    cards=await store.card_marks(work.session, self._marks, member),
                )
                await self._write_down(tombstone)
                traces = await self._erase(work, member, tombstone, actor)
            await self._finish([tombstone.version], traces)
        return tombstone.request

    async def reapply(self) -> int:
        """Erase again whoever a restored backup has brought back; to be done before anything else; how many that were."""
        async with self._ledger.transaction() as work:
            known = {each.version: each for each in await store.tombstones(work.session)}
            written = {each.version: each for each in await asyncio.to_thread(self._journal.read)}
            if lacking := [known[version] for version in sorted(known.keys() - written.keys())]:
                await asyncio.to_thread(self._journal.add, lacking)
            missed = [written[version] for version in sorted(written.keys() - known.keys())]
            members = await self._members_of(work, missed) if missed else {}
            traces: list[bytes] = []
            for tombstone in missed:
                member = members.get(tombstone.member)
                if member is None:
                    await store.bury(work.session, tombstone, self._agents)
                else:
                    traces += await self._erase(work, member, tombstone, SERVER)
        if missed:
            await self._finish([tombstone.version for tombstone in missed], traces, restored=True)
        await self.finish_unfinished()
        await self._remove_not_erased(known.keys() | written.keys())
        if members:
            log.warning("%s members were erased again: a backup had brought them back", len(members))
        return len(members)

    async def finish_unfinished(self) -> None:
        """See to erasures whose files were not looked through: a crash or a caller's patience came between."""
        if self._one_at_a_time.locked():
            return
        async with self._one_at_a_time:
            async with self._db.session() as session:
                waiting = select(ErasureRow.version).where(ErasureRow.done_ns.is_(None))
                unfinished = list(await session.scalars(waiting))
            if unfinished:
                # What to look for went with the process that was to look for it.
                await self._finish(unfinished, [], anew=True)

    async def take_receipt(self, work: Work, agent: AgentId, receipt: ErasureReceipt) -> None:
        """An agent says up to which erasure its files hold nothing any more."""
        if receipt.version > await store.newest_version(work.session):
            if self._ahead.get(agent) != receipt.version:
                log.error(
                    "agent %s knows of erasure %s, this database does not: %s", agent, receipt.version, self.alarm
                )
            self._ahead[agent] = receipt.version
        waiting = (
            ErasureReceiptRow.agent == agent,
            ErasureReceiptRow.version <= receipt.version,
            ErasureReceiptRow.at_ns.is_(None),
        )
        await work.session.execute(update(ErasureReceiptRow).where(*waiting).values(at_ns=self._clock_ns()))

    @property
    def alarm(self) -> str | None:
        """That erasures are missing here which an agent has applied."""
        if not self._ahead:
            return None
        return "was a backup restored without its erasures.log? put the newest erasures.log back, and start the server again"

    async def status(self, request: str) -> ErasureStatus:
        """How one erasure stands.

        Raises:
            NotFound: there is none of that id.
        """
        async with self._db.session() as session:
            row = await _row_of(session, request)
        return (await self._as_status([row]))[0]

    async def statuses(self, *, limit: int = PAGE, after: str = "") -> list[ErasureStatus]:
        """A page of them, newest first.

        Args:
            after: the last request of the page before; empty: from the newest.

        Raises:
            NotFound: there is none of that id.
        """
        page = select(ErasureRow).order_by(ErasureRow.version.desc()).limit(limit)
        async with self._db.session() as session:
            if after:
                page = page.where(ErasureRow.version < (await _row_of(session, after)).version)
            rows = list(await session.scalars(page))
        return await self._as_status(rows)

    async def _erase(self, work: Work, member: str, tombstone: Tombstone, actor: Actor) -> list[bytes]:
        """In one transaction: screens, visits, rows, tombstone, a new table for every agent.  The bytes to look for."""
        traces = await store.traces_of(work.session, member)
        await self._visits.end_member(work, member, "erased")
        await store.erase_rows(work.session, member)
        await store.bury(work.session, tombstone, self._agents)
        await self._audit.record(work, actor, "erase", Thing("member", member), detail=f"version {tombstone.version}")
        await self._tables.renew(work)
        return traces

    async def _write_down(self, tombstone: Tombstone) -> None:
        try:
            await asyncio.to_thread(self._journal.add, [tombstone])
        except OSError as error:
            raise Unavailable(
                f"{self._journal.path} cannot be written ({error.strerror}), and nothing was erased; free some space on its disk"
            ) from error

    async def _finish(
        self, versions: list[int], traces: list[bytes], *, anew: bool = False, restored: bool = False
    ) -> None:
        """See that no byte is left, and say so.  What cannot be done now, as on a full disk, housekeeping tries again.

        Args:
            anew: write the database anew, without looking.
            restored: these were erased before, from what a copy has just replaced; that stays its 48 hours.
        """
        try:
            if anew:
                await self._db.rewrite()
            aside = await asyncio.to_thread(set_aside_of, self._path, replaced=not restored)
            await self._remove(aside, "an erased member may be in it", versions)
            if not await remove_traces(self._db, traces):
                return
            async with self._ledger.transaction() as work:
                done = ErasureRow.version.in_(versions)
                await work.session.execute(update(ErasureRow).where(done).values(done_ns=self._clock_ns()))
        except (OSError, OperationalError) as error:
            why = error.orig if isinstance(error, OperationalError) else error
            log.error(STILL_THERE, self._path, why)  # noqa: TRY400 - one line

    async def _remove_not_erased(self, versions: Collection[int]) -> None:
        """Remove what a copy replaced before these erasures were through there: by a crash, or by one copy after another."""
        try:
            aside = await asyncio.to_thread(not_erased_from, self._path, versions)
            await self._remove(aside, "an erased member may be in it")
        except OSError as error:
            log.error(STILL_THERE, self._path, error)  # noqa: TRY400 - one line

    async def remove_outlived(self) -> None:
        """Remove the databases that restored copies have replaced, two days after."""
        await self._remove(await asyncio.to_thread(outlived, self._path, self._clock_ns()), "48 hours are over")

    async def _remove(self, files: list[Path], why: str, versions: Sequence[int] = ()) -> None:
        """Remove databases that were set aside, and have the access log say so, and the receipts of these erasures."""
        if not files:
            return
        await asyncio.to_thread(remove, files)
        names = ", ".join(each.name for each in files)
        async with self._ledger.transaction() as work:
            await self._audit.record(work, SERVER, "remove", Thing("database"), detail=f"{names}: {why}")
            told = update(ErasureRow).where(ErasureRow.version.in_(versions))
            await work.session.execute(told.values(removed_files=ErasureRow.removed_files + len(files)))
        log.warning("databases that were set aside were removed, %s: %s", why, names)

    async def _next_version(self, work: Work) -> int:
        """Above every version that any agent may know, also after a database was lost: so it follows the clock."""
        newest = max([await store.newest_version(work.session), *self._ahead.values()])
        return max(newest + 1, self._clock_ns() // NS_PER_S)

    async def _members_of(self, work: Work, missed: list[Tombstone]) -> dict[bytes, str]:
        """By mark, the members that tombstones are about and who are there all the same."""
        wanted = {each.member for each in missed}
        members = list(await work.session.scalars(select(MemberRow.id)))
        marked = await asyncio.to_thread(lambda: {self._marks.member(member): member for member in members})
        return {mark: member for mark, member in marked.items() if mark in wanted}

    async def _as_status(self, rows: list[ErasureRow]) -> list[ErasureStatus]:
        async with self._db.session() as session:
            wanted = ErasureReceiptRow.version.in_([row.version for row in rows])
            receipts = list(await session.scalars(select(ErasureReceiptRow).where(wanted)))
        return [self._one_status(row, [each for each in receipts if each.version == row.version]) for row in rows]

    def _one_status(self, row: ErasureRow, receipts: list[ErasureReceiptRow]) -> ErasureStatus:
        agents = [self._agent_status(row, each) for each in sorted(receipts, key=lambda each: each.agent)]
        return ErasureStatus(
            request=row.request,
            version=row.version,
            asked_at=to_datetime(row.at_ns),
            here=None if row.done_ns is None else to_datetime(row.done_ns),
            removed_files=row.removed_files,
            agents=agents,
            complete=row.done_ns is not None and all(each.state != "waiting" for each in agents),
        )

    def _agent_status(self, row: ErasureRow, receipt: ErasureReceiptRow) -> AgentErasure:
        if receipt.at_ns is not None:
            return AgentErasure(agent=receipt.agent, state="done", since=to_datetime(receipt.at_ns))
        lapses_ns = row.at_ns + LEASE_NS
        if lapses_ns <= self._clock_ns():
            return AgentErasure(agent=receipt.agent, state="lapsed", since=to_datetime(lapses_ns))
        return AgentErasure(agent=receipt.agent, state="waiting", since=to_datetime(row.at_ns))


async def _row_of(session: AsyncSession, request: str) -> ErasureRow:
    row = await session.scalar(select(ErasureRow).where(ErasureRow.request == request))
    if row is None:
        raise NotFound("there is no erasure of that number")
    return row
