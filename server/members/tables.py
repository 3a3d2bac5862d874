"""The leased member table of each agent: its version, its lease, its bytes."""

import asyncio
import logging
from dataclasses import dataclass

from sqlalchemy import func, select

from broker_config.identity import siphash_2_4_128
from broker_config.member_table import pack_members
from broker_config.messages import MembersOffered
from broker_config.site import AgentId, Site
from server.clock import NS_PER_S, ClockNs
from server.db import Database
from server.errors import NotFound
from server.identities import Identities
from server.link import Link
from server.members.store import CardVault, handles_for, latest_consents
from server.tables import CardRow, ConsentRow, ErasureRow, MemberTableRow
from server.work import Work

log = logging.getLogger(__name__)

LEASE_NS = 72 * 3600 * NS_PER_S


@dataclass(frozen=True, slots=True)
class OfferedTable:
    """A table for an agent.

    Args:
        erased: the newest erasure that it takes into account.
    """

    version: int
    data: bytes
    erased: int


class MemberTables:
    """Builds tables on request and says when there is a new one."""

    def __init__(
        self, site: Site, identities: Identities, vault: CardVault, db: Database, link: Link, clock_ns: ClockNs
    ) -> None:
        self._site, self._identities, self._vault = site, identities, vault
        self._db, self._link, self._clock_ns = db, link, clock_ns
        self._built: dict[AgentId, tuple[int, bytes]] = {}

    async def renew(self, work: Work) -> None:
        """Give every agent's table a new version and lease, and announce it after the commit."""
        for agent in self._site.agents:
            await self._renew_one(work, agent)

    async def renew_aged(self, work: Work) -> None:
        """Renew the tables whose lease is half over, and those older than the newest consent: an import goes on, or was cut
        short.  What is dated later than now, a clock that was ahead has dated: nobody agreed to so long a lease.
        """
        newest_ns = await work.session.scalar(select(ConsentRow.at_ns).order_by(ConsentRow.id.desc()).limit(1)) or 0
        now_ns = self._clock_ns()
        for agent in self._site.agents:
            row = await work.session.get(MemberTableRow, agent)
            if (
                row is None
                or not now_ns - LEASE_NS // 2 < row.leased_from_ns <= now_ns
                or row.leased_from_ns < newest_ns <= now_ns
            ):
                await self._renew_one(work, agent)

    async def offer(self, agent: AgentId) -> None:
        """Announce the present version again, to an agent that has just come up."""
        async with self._db.session() as session:
            row = await session.get(MemberTableRow, agent)
        if row is not None:
            self._link.send(MembersOffered(version=row.version), agent=agent)

    async def table(self, agent: AgentId) -> tuple[int, bytes]:
        """Version and bytes of an agent's table, as `offered_table` has them."""
        table = await self.offered_table(agent)
        return table.version, table.data

    async def offered_table(self, agent: AgentId) -> OfferedTable:
        """An agent's table: the cards of members who agreed to be recognised, and nobody else's.

        Raises:
            NotFound: the site has no such agent, or it has no credential yet.
        """
        match_key = self._identities.match_key(agent)
        if match_key is None:
            raise NotFound(f"there is no agent {agent!r} with a match key")
        async with self._db.write() as session:
            row = await session.get(MemberTableRow, agent)
            if row is None:
                raise NotFound(f"there is no table for {agent!r} yet")
            erased = await session.scalar(select(func.max(ErasureRow.version))) or 0
            built = self._built.get(agent)
            if built is not None and built[0] == row.version:
                return OfferedTable(*built, erased)
            consents = await latest_consents(session)
            agreed = {m for m, rows in consents.items() if "recognise" in rows and rows["recognise"].granted}
            handles = await handles_for(session, agent, sorted(agreed))
            cards = [(c.member, c.nonce, c.epc) for c in await session.scalars(select(CardRow)) if c.member in agreed]
        # Off the loop: a keyed hash per card in plain Python would hold up every decision.
        data = await asyncio.to_thread(
            self._pack, row.version, row.leased_from_ns + LEASE_NS, match_key, cards, handles
        )
        self._built[agent] = (row.version, data)
        return OfferedTable(row.version, data, erased)

    def _pack(
        self,
        version: int,
        until_ns: int,
        match_key: bytes,
        cards: list[tuple[str, bytes, bytes]],
        handles: dict[str, bytes],
    ) -> bytes:
        pairs = [
            (siphash_2_4_128(match_key, self._vault.open(member, nonce, epc)), handles[member])
            for member, nonce, epc in cards
        ]
        return pack_members(version, until_ns, pairs).to_bytes()

    async def _renew_one(self, work: Work, agent: AgentId) -> None:
        row = await work.session.get(MemberTableRow, agent)
        # An agent may still hold a table of a database that was lost, or of which this is an older copy; it fetches only what has
        # another number than its own.
        version = max(row.version + 1 if row is not None else 0, self._clock_ns() // (60 * NS_PER_S))
        self._built.pop(agent, None)  # somebody in it may have been erased
        await work.session.merge(MemberTableRow(agent=agent, version=version, leased_from_ns=self._clock_ns()))
        work.send(MembersOffered(version=version), agent=agent)
        log.info("member table %s of %s offered", version, agent)
