"""How far each outbox generation has come in, and the acknowledgements that say so."""

import asyncio
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.messages import EdgeAck
from broker_config.site import AgentId
from server.decoding import EventRef
from server.link import Link
from server.seqset import SeqSet
from server.tables import GenerationRow
from server.work import Work

MAX_MISSING = 100
ACK_PAUSE_S = 0.05
"""While an agent is busy, one acknowledgement stands for all that came in this time."""

Key = tuple[AgentId, str]


@dataclass(slots=True)
class Mark:
    """One generation: what has come in, of which so many were stored and so many declared dropped."""

    seqs: SeqSet = field(default_factory=SeqSet)
    stored: int = 0
    dropped: int = 0


class Marks:
    """The high-water marks of all generations, in memory and in the database."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._marks: dict[Key, Mark] = {}
        self._unacknowledged: set[Key] = set()
        self._wake = asyncio.Event()

    async def load(self, session: AsyncSession) -> None:
        """Read all marks."""
        self._marks = {
            (AgentId(row.gateway), row.generation): Mark(SeqSet.from_text(row.upto, row.above), row.stored, row.dropped)
            for row in await session.scalars(select(GenerationRow))
        }

    def take(self, work: Work, ref: EventRef) -> bool:
        """Put an event's number in; false when it was in before."""
        mark = self._marks.setdefault((ref.gateway, ref.generation), Mark())
        new = mark.seqs.add(ref.seq, ref.seq)
        mark.stored += new
        if new:
            self._save(work, ref.gateway, ref.generation, mark)
        return new == 1

    def close(self, work: Work, gateway: AgentId, generation: str, first: int, last: int) -> None:
        """Put in a range that the outbox will never send."""
        mark = self._marks.setdefault((gateway, generation), Mark())
        mark.dropped += mark.seqs.add(first, last)
        self._save(work, gateway, generation, mark)

    def lost(self) -> int:
        """Events that were skipped: neither stored nor declared dropped, though later ones have come."""
        return sum(mark.seqs.missing_count() for mark in self._marks.values())

    def owe(self, gateway: AgentId, generation: str) -> None:
        """An acknowledgement is due; also for a duplicate, whose sender has missed the first."""
        self._unacknowledged.add((gateway, generation))
        self._wake.set()

    def owe_all(self) -> None:
        """The broker or an agent has been away: say again how far everything is."""
        for gateway, generation in self._marks:
            self.owe(gateway, generation)

    async def run(self) -> None:
        """Send what is due, at once when idle, at most every `ACK_PAUSE_S` while busy."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            due, self._unacknowledged = self._unacknowledged, set()
            for gateway, generation in sorted(due):
                seqs = self._marks.get((gateway, generation), Mark()).seqs
                ack = EdgeAck(generation=generation, upto=seqs.upto, missing=seqs.missing(MAX_MISSING))
                self._link.send(ack, agent=gateway)
            await asyncio.sleep(ACK_PAUSE_S)

    @staticmethod
    def _save(work: Work, gateway: AgentId, generation: str, mark: Mark) -> None:
        work.rows.append(
            GenerationRow(
                gateway=gateway,
                generation=generation,
                upto=mark.seqs.upto,
                above=mark.seqs.to_text(),
                stored=mark.stored,
                dropped=mark.dropped,
            )
        )
