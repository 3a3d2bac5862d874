"""Members: import, look-up, consent.  Every change gives the agents a new table; a withdrawal also ends the member's visits."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from server.audit.service import EVERYBODY, OWNER, SERVER, Actor, Audit, Thing
from server.clock import ClockNs
from server.db import Database
from server.decisions.quiet import parse_windows
from server.erasure.store import Marks, is_erased_card, readmit_card
from server.errors import NotFound, Unprocessable
from server.members import store
from server.members.importer import PURPOSES, MemberRecord, RowError, parse_cap, parse_members
from server.members.schemas import PAGE, BadRow, ConsentChange, ImportReport, MemberView, Wish
from server.members.tables import MemberTables
from server.tables import ConsentRow, HandleRow, InterestRow, MemberRow, PreferenceRow, VisitRow
from server.tables.members import SALVAGE
from server.visits.service import VisitService
from server.work import Ledger, Work

AT_ONCE = 50
"""Members in one transaction of an import: some 0.3 s of updates, while everything else waits."""


class MemberService:
    """What the owner can do with members."""

    def __init__(
        self,
        ledger: Ledger,
        db: Database,
        vault: store.CardVault,
        tables: MemberTables,
        visits: VisitService,
        audit: Audit,
        marks: Marks,
        own_goods: tuple[str, ...],
        clock_ns: ClockNs,
    ) -> None:
        self._ledger, self._db, self._vault, self._tables = ledger, db, vault, tables
        self._visits, self._audit, self._marks = visits, audit, marks
        self._own_goods, self._clock_ns = own_goods, clock_ns

    async def import_csv(self, text: str, actor: Actor = OWNER, *, readmit: bool = False) -> ImportReport:
        """Take members in; a card that is known updates its member.

        A few at a time, so that events and withdrawals get their turn between; where it is interrupted, import it again.

        Args:
            readmit: also take in cards whose member was erased: those people joined anew.
        Raises:
            Unprocessable: not our CSV at all.
        """
        records, bad = parse_members(text, self._own_goods)
        imported = updated = 0
        changed = False
        for start in range(0, len(records), AT_ONCE):
            async with self._ledger.transaction() as work:
                for record in records[start : start + AT_ONCE]:
                    member = await store.find_card_owner(work.session, self._vault.find(record.card))
                    if member is None:
                        if not await self._may_join(work, record, bad, readmit=readmit):
                            continue
                        self._add(work, record)
                        imported += 1
                        changed = True
                    else:
                        changed |= await self._update(work, member, record, bad)
                        updated += 1
                await self._audit.record(work, actor, "import", EVERYBODY, detail=f"rows {start + 1} on")
        if changed:
            async with self._ledger.transaction() as work:
                await self._tables.renew(work)
        rows = [BadRow(row=error.row, why=error.why) for error in sorted(bad, key=lambda error: error.row)]
        return ImportReport(imported=imported, updated=updated, bad_rows=rows)

    async def list_members(self, actor: Actor = OWNER, *, limit: int = PAGE, after: str = "") -> list[MemberView]:
        """A page of the members, by alias.

        Args:
            after: the last member of the page before; empty: from the first.
        Raises:
            NotFound: that one is not, or no longer, there.
        """
        async with self._ledger.transaction() as work:
            await self._audit.record(work, actor, "read", EVERYBODY)
        async with self._db.session() as session:
            members = await self._page(session, limit, after)
            ids = [row.id for row in members]
            consents = await store.latest_consents(session, ids)
            wishes = select(PreferenceRow).where(PreferenceRow.member.in_(ids))
            preferences = {row.member: row for row in await session.scalars(wishes)}
            likes: dict[tuple[str, bool], list[str]] = defaultdict(list)
            tags = select(InterestRow).where(InterestRow.member.in_(ids)).order_by(InterestRow.tag)
            for interest in await session.scalars(tags):
                likes[interest.member, interest.liked].append(interest.tag)
        return [
            MemberView(
                member=row.id,
                alias=row.alias,
                language=row.language,
                purposes=sorted(p for p, consent in consents.get(row.id, {}).items() if consent.granted),
                interests=likes[row.id, True],
                disinterests=likes[row.id, False],
                quiet=preferences[row.id].quiet if row.id in preferences else "",
                cap=preferences[row.id].cap if row.id in preferences else None,
            )
            for row in members
        ]

    async def _page(self, session: AsyncSession, limit: int, after: str) -> list[MemberRow]:
        query = select(MemberRow).order_by(MemberRow.alias, MemberRow.id).limit(limit)
        if after:
            if (last := await session.get(MemberRow, after)) is None:
                raise NotFound(f"there is no member {after[:40]!r} any more; list them from the first again")
            query = query.where(tuple_(MemberRow.alias, MemberRow.id) > (last.alias, last.id))
        return list(await session.scalars(query))

    async def set_consent(self, member: str, change: ConsentChange, actor: Actor = OWNER) -> None:
        """Grant or withdraw one purpose.

        Raises:
            NotFound: no such member.
        """
        async with self._ledger.transaction() as work:
            if await work.session.get(MemberRow, member) is None:
                raise NotFound(f"there is no member {member!r}")
            if (change.purpose in await store.granted(work.session, member)) != change.granted:
                await self._record(work, member, change.purpose, change.granted, actor)
                await self._tables.renew(work)

    async def forget_withdrawn(self) -> int:
        """Forget again whose handles and visits were theirs who withdrew: a restored backup has brought them back, or a copy
        that took over a withdrawal; to be done before anything is heard; how many members that were."""
        async with self._ledger.transaction() as work:
            known = {*await work.session.scalars(select(HandleRow.member))}
            known |= {*await work.session.scalars(select(VisitRow.member).where(VisitRow.member.is_not(None)))}
            consents = await store.latest_consents(work.session)
            withdrawn = sorted(
                member
                for member in known
                if (latest := consents.get(member, {}).get("recognise")) is not None
                and not latest.granted
                and latest.source != SALVAGE  # nobody withdrew; the current list may give it back
            )
            for member in withdrawn:
                await store.forget_handles(work.session, member)
                await self._visits.end_member(work, member, "withdrawn")
            if withdrawn:
                await self._tables.renew(work)
        return len(withdrawn)

    async def set_wishes(self, member: str, quiet: str, cap: str, actor: Actor) -> None:
        """Set quiet hours, and the most that is shown in a visit.

        Args:
            cap: `unset`, or a number.
        Raises:
            Unprocessable: no quiet hours, or no such number.
        """
        try:
            parse_windows(quiet)
            most = parse_cap("" if cap == "unset" else cap)
        except ValueError as error:
            raise Unprocessable(str(error), code="quiet") from error
        async with self._ledger.transaction() as work:
            if await work.session.get(MemberRow, member) is None:
                raise NotFound(f"there is no member {member!r}")
            row = await store.own_preference(work.session, member)
            row.quiet, row.cap, row.own_wishes = quiet.strip(), most, True
            await self._audit.record(work, actor, "wishes", Thing("member", member))
            self._visits.forget_profile(member)

    async def set_interest(self, member: str, tag: str, wish: Wish, known: Collection[str], actor: Actor) -> None:
        """Declare an interest or a dis-interest, or take either back; it counts from the next decision on.

        Args:
            known: what the store speaks of; another subject can only be taken back.
        Raises:
            Unprocessable: there is no such subject.
            NotFound: no such member.
        """
        async with self._ledger.transaction() as work:
            if await work.session.get(MemberRow, member) is None:
                raise NotFound(f"there is no member {member!r}")
            before = await work.session.get(InterestRow, (member, tag))
            if tag not in known and (before is None or wish != "none"):
                raise Unprocessable(f"the store does not speak of {tag[:40]!r}")
            if wish != "none":
                await work.session.merge(InterestRow(member=member, tag=tag, liked=wish == "like"))
            elif before is not None:
                await work.session.delete(before)
            (await store.own_preference(work.session, member)).own_interests = True
            await self._audit.record(work, actor, "wishes", Thing("member", member), detail="interests")
            self._visits.forget_profile(member)

    async def _may_join(self, work: Work, record: MemberRecord, bad: list[RowError], *, readmit: bool) -> bool:
        """Not a card whose member was erased: the list may be older than the erasure."""
        mark = self._marks.card(self._vault.find(record.card))
        if not await is_erased_card(work.session, mark):
            return True
        if readmit:
            await readmit_card(work.session, mark)
        else:
            bad.append(RowError(record.row, "the member with this card was erased; if they joined anew: --readmit"))
        return readmit

    def _add(self, work: Work, record: MemberRecord) -> None:
        member, now_ns = store.new_member_id(), self._clock_ns()
        rows = [
            MemberRow(id=member, alias=record.alias, language=record.language, created_ns=now_ns),
            self._vault.row(member, record.card),
            *store.wishes(member, record),
            *(
                ConsentRow(member=member, purpose=purpose, granted=True, at_ns=now_ns, source="import")
                for purpose in sorted(record.purposes)
            ),
        ]
        work.write_all(rows)

    async def _update(self, work: Work, member: str, record: MemberRecord, bad: list[RowError]) -> bool:
        """Bring a known member up to date; true when consent changed, which is all that an agent's table shows."""
        await work.session.merge(
            MemberRow(
                id=member, alias=record.alias, language=record.language, created_ns=await self._created(work, member)
            )
        )
        await store.write_wishes(work.session, member, record)
        self._visits.forget_profile(member)
        latest = (await store.latest_consents(work.session, [member])).get(member, {})
        changed = False
        for purpose in sorted(PURPOSES):
            before = latest.get(purpose)
            wanted = purpose in record.purposes
            if (before is not None and before.granted) == wanted:
                continue
            if wanted and before is not None and before.source not in ("import", SALVAGE):
                # The member's own "no" is younger than the file: a file must not undo it.
                why = f"{purpose} was withdrawn and stays so; to grant it again: tacet members consent {member} grant {purpose}"
                bad.append(RowError(record.row, why))
                continue
            await self._record(work, member, purpose, wanted, SERVER)
            changed = True
        return changed

    async def _created(self, work: Work, member: str) -> int:
        row = await work.session.get(MemberRow, member)
        return row.created_ns if row is not None else self._clock_ns()

    async def _record(self, work: Work, member: str, purpose: str, granted: bool, actor: Actor) -> None:
        source = "import" if actor is SERVER else actor.kind
        word = "grant" if granted else "withdraw"
        await self._audit.record(work, actor, word, Thing("member", member), detail=f"{purpose}, by {source}")
        work.session.add(
            ConsentRow(member=member, purpose=purpose, granted=granted, at_ns=self._clock_ns(), source=source)
        )
        await work.session.flush()
        self._visits.forget_profile(member)
        if purpose == "recognise" and not granted:
            await store.forget_handles(work.session, member)
            await self._visits.end_member(work, member, "withdrawn")
        elif purpose == "recommend" and not granted:
            self._visits.clear_moments(work, member, "withdrawn")
