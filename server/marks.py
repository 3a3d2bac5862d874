"""How far each outbox generation has come in, and the acknowledgements that say so."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.messages import EdgeAck
from broker_config.site import AgentId
from server.decoding import GENERATION, EventRef
from server.link import Link
from server.seqset import SeqSet
from server.tables import GenerationRow
from server.work import Work

MAX_MISSING = 100
MAX_ASKED = 200
"""Generations of which an agent may ask at a time; those of ours ask for half as many."""
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
    """The high-water marks of all generations, in memory and in the database.

    The marks move while a transaction is open; an acknowledgement says only what was there after the last commit.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._marks: dict[Key, Mark] = {}
        self._acks: dict[Key, EdgeAck] = {}
        self._due: set[Key] = set()
        self._together: set[AgentId] = set()
        self._wake = asyncio.Event()

    async def load(self, session: AsyncSession) -> None:
        """Read all marks."""
        self._marks = {
            (AgentId(row.gateway), row.generation): Mark(SeqSet.from_text(row.upto, row.above), row.stored, row.dropped)
            for row in await session.scalars(select(GenerationRow))
        }
        self._acks = {key: _ack(key, mark) for key, mark in self._marks.items()}

    def take(self, ref: EventRef) -> bool:
        """Put an event's number in; false when it was in before."""
        mark = self._marks.setdefault((ref.gateway, ref.generation), Mark())
        new = mark.seqs.add(ref.seq, ref.seq)
        mark.stored += new
        return new == 1

    def close(self, gateway: AgentId, generation: str, first: int, last: int) -> None:
        """Put in a range that the outbox will never send."""
        mark = self._marks.setdefault((gateway, generation), Mark())
        mark.dropped += mark.seqs.add(first, last)

    def save(self, work: Work, keys: Iterable[Key]) -> None:
        """Write how far these generations have come; once in a transaction, after all that it takes in."""
        for key in keys:
            mark = self._marks[key]
            work.write(
                GenerationRow,
                gateway=key[0],
                generation=key[1],
                upto=mark.seqs.upto,
                above=mark.seqs.to_text(),
                stored=mark.stored,
                dropped=mark.dropped,
            )

    def ack(self, key: Key) -> EdgeAck:
        """What is acknowledged of a generation."""
        said = self._acks.get(key) or EdgeAck(generation=key[1], upto=0)
        return msgspec.structs.replace(said, together=key[0] in self._together)

    def hear_backlog(self, agent: AgentId, generation: str | None) -> None:
        """Messages of many events come through from this agent: tell it so; None: that is not known any more."""
        self._together.discard(agent)
        if generation is not None and GENERATION.fullmatch(generation):
            self._together.add(agent)
            self._owe((agent, generation))

    def lost(self) -> int:
        """Events that were skipped: neither stored nor declared dropped, though later ones have come."""
        return sum(mark.seqs.missing_count() for mark in self._marks.values())

    def committed(self, keys: Iterable[Key]) -> None:
        """What came of these generations is on the disk: acknowledge it; also a duplicate, whose sender has missed the first."""
        for key in keys:
            self._acks[key] = _ack(key, self._marks[key])
            self._owe(key)

    def owe(self, agent: AgentId, generations: Sequence[str]) -> None:
        """An agent wants to hear how far these of its generations are: of one that is not known, that nothing is here.

        It sends what it still holds of that again: a database restored from a backup fills up.
        """
        for generation in generations[-MAX_ASKED:]:
            if GENERATION.fullmatch(generation):
                self._owe((agent, generation))

    def owe_all(self, agent: AgentId | None = None) -> None:
        """Say again how far everything is, to one agent or to all: they or the broker have been away."""
        for key in self._acks:
            if agent in (None, key[0]):
                self._owe(key)

    async def run(self) -> None:
        """Send what is due, at once when idle, at most every `ACK_PAUSE_S` while busy."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            due, self._due = self._due, set()
            for key in sorted(due):
                self._link.send(self.ack(key), agent=key[0])
            await asyncio.sleep(ACK_PAUSE_S)

    def _owe(self, key: Key) -> None:
        self._due.add(key)
        self._wake.set()


def _ack(key: Key, mark: Mark) -> EdgeAck:
    missing = mark.seqs.missing(MAX_MISSING + 1)
    highest = mark.seqs.highest if len(missing) <= MAX_MISSING else missing[-1][0] - 1
    return EdgeAck(generation=key[1], upto=mark.seqs.upto, missing=missing[:MAX_MISSING], highest=highest)
