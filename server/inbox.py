"""The inbox: at-least-once in, exactly-once effect.

Whatever is waiting goes into one transaction: the events, how far their generations have come, and all that follows from
them.  Messages and acknowledgements leave after its commit.  A duplicate changes nothing, a bad message is set aside, and
an event that comes after its expiry is stored and moves presence, but decides nothing.
"""

import asyncio
import logging
import re
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import DBAPIError, OperationalError

from broker_config.errors import MessageError
from broker_config.messages import (
    EdgeBacklog,
    EdgeDropped,
    EdgeState,
    ErasureReceipt,
    MomentShown,
)
from broker_config.site import AgentId
from server import quarantine
from server.clock import to_datetime, to_ns
from server.clones import Speech
from server.decoding import GENERATION, MAX_SEQ, EventRef, ForeignTopicError, Heard, MessageReader
from server.effects import Effects
from server.fleet import Fleet
from server.link import Incoming, Link
from server.marks import Key
from server.tables import EventRow
from server.work import Ledger, Work

log = logging.getLogger(__name__)

MAX_BATCH = 200
WHO = re.compile(rb'("who"\s*:\s*)"[^"]*"')
"""Opened and done with: kept, it would tie an erased member's visits together for whoever has the key."""
RETRY_S = 1.0
HISTORY_S = 30


@dataclass(slots=True)
class InboxCounters:
    """Since start."""

    duplicates: int = 0
    stale: int = 0
    bad: int = 0
    withheld: int = 0
    foreign: int = 0
    batches: int = 0


class Inbox:
    """Takes messages from the link, in groups."""

    def __init__(self, link: Link, reader: MessageReader, ledger: Ledger, fleet: Fleet, effects: Effects) -> None:
        self._link, self._reader, self._ledger, self._fleet, self._on = link, reader, ledger, fleet, effects
        self.counters = InboxCounters()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            batch = self._reader.unpack(await self._link.incoming.get())
            await asyncio.sleep(0)  # what came with it (an entry follows each leaving) is still on its way here
            while len(batch) < MAX_BATCH and not self._link.incoming.empty():
                batch += self._reader.unpack(self._link.incoming.get_nowait())
            await self.settle(batch)

    async def settle(self, batch: list[Incoming]) -> None:
        """See a batch through: a busy or full disk is waited out."""
        while True:
            try:
                await self.take(batch)
            except OperationalError as error:
                log.warning("the database cannot be written, trying again: %s", error.orig)
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def take(self, batch: list[Incoming], speech: Speech | None = None) -> set[Key]:
        """Take a batch in; the generations it touched.  A message that the database refuses is set aside.

        Args:
            speech: whose batch it is, where that is known.

        Raises:
            OperationalError: the database cannot be written; nothing was taken in.
        """
        try:
            return await self.handle(batch, speech)
        except OperationalError:
            raise
        except DBAPIError as error:
            if len(batch) > 1:
                return set().union(*[await self.take([message]) for message in batch])
            async with self._ledger.transaction() as work:
                why = f"refused by the database: {type(error.orig).__name__}"
                touched = await self._set_aside(work, batch[0], why)
                self._on.marks.save(work, touched)
            self._on.marks.committed(touched)
            return touched

    async def handle(self, batch: list[Incoming], speech: Speech | None = None) -> set[Key]:
        """One transaction for all of them, and the acknowledgements after it."""
        touched: set[Key] = set()
        heard_all: list[Heard] = []
        async with self._ledger.transaction() as work:
            if speech is not None:
                await self._hear_speaker(work, speech)
            for incoming in batch:
                try:
                    heard = self._reader.read(incoming)
                    if await self._take(work, heard, touched):
                        heard_all.append(heard)
                except MessageError as error:
                    self.counters.foreign += isinstance(error, ForeignTopicError)
                    touched.update(await self._set_aside(work, incoming, str(error)))
            self._on.marks.save(work, touched)
        self._on.marks.committed(touched)
        self.counters.batches += 1
        await self._tell(heard_all)
        return touched

    async def _tell(self, heard_all: list[Heard]) -> None:
        """What only memory has to know, after the commit."""
        births: dict[AgentId, EdgeState] = {}
        for heard in heard_all:
            self._on.telemetry.take(heard)
            data = heard.envelope.data
            if self._fleet.hear(data, heard.level, heard.envelope.time) and isinstance(data, EdgeState):
                births[AgentId(heard.level)] = data
                self._on.marks.hear_backlog(AgentId(heard.level), None)  # its new connection asks anew
            elif isinstance(data, EdgeBacklog):
                self._on.marks.hear_backlog(AgentId(heard.level), data.generation)
        for agent, born in births.items():
            if born.generations:
                self._on.marks.owe(agent, born.generations)
            else:  # an agent of an earlier release
                self._on.marks.owe_all(agent)
            await self._on.tables.offer(agent)
            self._on.clones.tell(agent)

    async def _take(self, work: Work, heard: Heard, touched: set[Key]) -> bool:
        """Apply one message; false for a duplicate."""
        data = heard.envelope.data
        if heard.ref is not None:
            touched.add((heard.ref.gateway, heard.ref.generation))
            return await self._take_event(work, heard, heard.ref)
        if isinstance(data, ErasureReceipt):
            await self._on.erasure.take_receipt(work, AgentId(heard.level), data)
        elif isinstance(data, EdgeDropped):
            self._close(heard, data)
            touched.add((AgentId(heard.level), data.generation))
        elif isinstance(data, EdgeState):
            await self._see_agent(work, AgentId(heard.level), data, heard.incoming.received_ns)
        elif isinstance(data, MomentShown):
            new = await self._on.commands.take_proof(work, data)
            self.counters.duplicates += not new
            return new
        return True

    async def _see_agent(self, work: Work, agent: AgentId, said: EdgeState, received_ns: int) -> None:
        if said.state not in ("ready", "alert"):
            return
        if said.generation is not None:
            spoken_ns = min(to_ns(said.since), received_ns)
            await self._hear_speaker(work, Speech(agent, said.generation, said.session, received_ns, spoken_ns))
        if said.started is not None and not self._on.clones.quarantined(agent):
            self._begin_anew(work, agent, to_ns(said.started))

    async def _hear_speaker(self, work: Work, speech: Speech) -> None:
        """An agent's process has spoken; where another one speaks for the same agent, nothing of what both say counts."""
        if await self._on.clones.hear(work, speech):
            self._begin_anew(work, speech.agent, speech.received_ns)

    def _begin_anew(self, work: Work, agent: AgentId, since_ns: int) -> None:
        self._on.visits.agent_started(work, agent, since_ns)
        self._on.items.agent_started(work, agent, since_ns)

    async def _take_event(self, work: Work, heard: Heard, ref: EventRef) -> bool:
        if not self._on.marks.take(ref):
            self.counters.duplicates += 1
            return False
        withheld = self._on.clones.quarantined(ref.gateway)
        stale = withheld or is_stale(heard)
        self.counters.stale += stale
        self.counters.withheld += withheld
        _write(work, heard, ref, stale=stale)
        if not withheld:
            await self._on.apply(work, heard, ref, stale=stale)
        return not withheld

    def _close(self, heard: Heard, data: EdgeDropped) -> None:
        if not 1 <= data.first <= data.last <= MAX_SEQ or not GENERATION.fullmatch(data.generation):
            raise MessageError(f"a dropped range from {data.first} to {data.last} of {data.generation[:40]!r}")
        self._on.marks.close(AgentId(heard.level), data.generation, data.first, data.last)

    async def _set_aside(self, work: Work, incoming: Incoming, why: str) -> set[Key]:
        """Keep a bad message, and count its event as taken, so that its agent does not send it for ever."""
        self.counters.bad += await quarantine.set_aside(work, incoming, why)
        ref = self._reader.read_ref(incoming)
        if ref is None:
            return set()
        self._on.marks.take(ref)
        return {(ref.gateway, ref.generation)}

    async def replay(self, work: Work, incoming: Incoming) -> None:
        """Take in, as history, a message that was set aside when this server could not read it; its number is taken already.

        Raises:
            MessageError: it still cannot be read.
        """
        heard = self._reader.read(incoming)
        if heard.ref is None:
            return
        if not self._on.clones.quarantined(heard.ref.gateway):
            await self._on.apply(work, heard, heard.ref, stale=True)
        _write(work, heard, heard.ref, stale=True)


def is_stale(heard: Heard) -> bool:
    """Whether an event came after its expiry, as it says and the topic table allows, or after 30 s: history, not news."""
    expiry_s = HISTORY_S if heard.row.expiry_s is None else heard.row.expiry_s
    expires = heard.envelope.time + timedelta(seconds=expiry_s)
    if heard.envelope.expires is not None:
        expires = min(expires, heard.envelope.expires)
    return expires < to_datetime(heard.incoming.received_ns)


def _write(work: Work, heard: Heard, ref: EventRef, *, stale: bool) -> None:
    work.write(
        EventRow,
        id=ref.id,
        gateway=ref.gateway,
        generation=ref.generation,
        seq=ref.seq,
        type=heard.envelope.type,
        topic=heard.incoming.topic,
        at_ns=to_ns(heard.envelope.time),
        received_ns=heard.incoming.received_ns,
        stale=stale,
        payload=_without_who(heard.incoming.payload),
    )


def _without_who(payload: bytes) -> bytes:
    return WHO.sub(rb'\1""', payload) if b'"who"' in payload else payload
