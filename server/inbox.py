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
    ActuatorResult,
    EdgeDropped,
    EdgeState,
    ErasureReceipt,
    ItemArrived,
    ItemDeparted,
    ItemMoved,
    MomentShown,
    ShelfAnomaly,
    ShelfPick,
    ShelfPutback,
    VisitDwelled,
    VisitEntered,
    VisitLeft,
)
from broker_config.site import AgentId
from server import quarantine
from server.catalog import Catalog, gtin_of
from server.clock import to_datetime, to_ns
from server.commands.service import CommandService
from server.decisions.rules import Trigger
from server.decisions.service import DecisionService
from server.decoding import GENERATION, MAX_SEQ, EventRef, Heard, MessageReader
from server.erasure.service import ErasureService
from server.feed import Happening
from server.fleet import Fleet
from server.link import Incoming, Link
from server.marks import Key, Marks
from server.members.tables import MemberTables
from server.tables import EventRow
from server.telemetry import Telemetry
from server.visits.items import ItemService
from server.visits.model import Visit
from server.visits.service import VisitService
from server.work import Ledger, Work

log = logging.getLogger(__name__)

MAX_BATCH = 200
WHO = re.compile(rb'("who"\s*:\s*)"[^"]*"')
"""Opened and done with: kept, it would tie an erased member's visits together for whoever has the key."""
RETRY_S = 1.0


@dataclass(slots=True)
class InboxCounters:
    """Since start."""

    duplicates: int = 0
    stale: int = 0
    bad: int = 0
    batches: int = 0


@dataclass(frozen=True, slots=True)
class Effects:
    """The services that events act on."""

    marks: Marks
    visits: VisitService
    items: ItemService
    decisions: DecisionService
    commands: CommandService
    tables: MemberTables
    erasure: ErasureService
    telemetry: Telemetry
    catalog: Catalog


class Inbox:
    """Takes messages from the link, in groups."""

    def __init__(self, link: Link, reader: MessageReader, ledger: Ledger, fleet: Fleet, effects: Effects) -> None:
        self._link, self._reader, self._ledger, self._fleet, self._on = link, reader, ledger, fleet, effects
        self.counters = InboxCounters()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            batch = [await self._link.incoming.get()]
            await asyncio.sleep(0)  # what came with it (an entry follows each leaving) is still on its way here
            while len(batch) < MAX_BATCH and not self._link.incoming.empty():
                batch.append(self._link.incoming.get_nowait())
            await self.settle(batch)

    async def settle(self, batch: list[Incoming]) -> None:
        """See a batch through: a busy or full disk is waited out, and a message that the database refuses is set aside."""
        while True:
            try:
                return await self.handle(batch)
            except OperationalError as error:
                log.warning("the database cannot be written, trying again: %s", error.orig)
                await asyncio.sleep(RETRY_S)
            except DBAPIError as error:
                if len(batch) > 1:
                    for message in batch:
                        await self.settle([message])
                    return None
                async with self._ledger.transaction() as work:
                    why = f"refused by the database: {type(error.orig).__name__}"
                    touched = await self._set_aside(work, batch[0], why)
                self._on.marks.committed(touched)
                return None

    async def handle(self, batch: list[Incoming]) -> None:
        """One transaction for all of them, and the acknowledgements after it."""
        touched: set[Key] = set()
        heard_all: list[Heard] = []
        async with self._ledger.transaction() as work:
            for incoming in batch:
                try:
                    heard = self._reader.read(incoming)
                    if await self._take(work, heard, touched):
                        heard_all.append(heard)
                except MessageError as error:
                    touched.update(await self._set_aside(work, incoming, str(error)))
        self._on.marks.committed(touched)
        self.counters.batches += 1
        births: dict[AgentId, EdgeState] = {}
        for heard in heard_all:
            self._on.telemetry.take(heard)
            data = heard.envelope.data
            if self._fleet.hear(data, heard.level, heard.envelope.time) and isinstance(data, EdgeState):
                births[AgentId(heard.level)] = data
        for agent, born in births.items():
            if born.generations:
                self._on.marks.owe(agent, born.generations)
            else:  # an agent of an earlier release
                self._on.marks.owe_all(agent)
            await self._on.tables.offer(agent)

    async def _take(self, work: Work, heard: Heard, touched: set[Key]) -> bool:
        """Apply one message; false for a duplicate."""
        data = heard.envelope.data
        if heard.ref is not None:
            touched.add((heard.ref.gateway, heard.ref.generation))
            return await self._take_event(work, heard, heard.ref)
        if isinstance(data, ErasureReceipt):
            await self._on.erasure.take_receipt(work, AgentId(heard.level), data)
        elif isinstance(data, EdgeDropped):
            self._close(work, heard, data)
            touched.add((AgentId(heard.level), data.generation))
        elif isinstance(data, EdgeState):
            self._see_restart(work, AgentId(heard.level), data)
        elif isinstance(data, MomentShown):
            new = await self._on.commands.take_proof(work, data)
            self.counters.duplicates += not new
            return new
        return True

    def _see_restart(self, work: Work, agent: AgentId, said: EdgeState) -> None:
        if said.state in ("ready", "alert") and said.started is not None:
            self._on.visits.agent_started(work, agent, to_ns(said.started))
            self._on.items.agent_started(work, agent, to_ns(said.started))

    async def _take_event(self, work: Work, heard: Heard, ref: EventRef) -> bool:
        if not self._on.marks.take(work, ref):
            self.counters.duplicates += 1
            return False
        stale = is_stale(heard)
        self.counters.stale += stale
        work.rows.append(_row(heard, ref, stale=stale))
        await self._apply(work, heard, ref, stale=stale)
        return True

    async def _apply(self, work: Work, heard: Heard, ref: EventRef, *, stale: bool) -> None:
        match heard.envelope.data:
            case VisitEntered() as data:
                visit = await self._on.visits.enter(work, ref.gateway, ref.id, data)
                if visit is not None and not stale:
                    await self._decide(work, ref, data, visit)
            case VisitDwelled() as data:
                visit = self._on.visits.dwell(work, data)
                if visit is not None and not stale:
                    await self._decide(work, ref, data, visit)
            case VisitLeft() as data:
                self._on.visits.leave(work, data)
            case ItemArrived() | ItemMoved() | ItemDeparted() as data:
                self._on.items.apply(work, data)
            case ShelfPick() as data:
                self._apply_shelf(work, ref, data, stale=stale)
            case ActuatorResult() as data:
                await self._on.commands.take_result(work, data)

    async def _decide(self, work: Work, ref: EventRef, data: VisitEntered | VisitDwelled, visit: Visit) -> None:
        profile = await self._on.visits.profile(work, visit)
        self._on.decisions.on_visit(work, ref.id, data, visit, profile)
        self._on.visits.save(work, visit)

    def _apply_shelf(self, work: Work, ref: EventRef, data: ShelfPick, *, stale: bool) -> None:
        what = data.type_name.split(".")[2]
        gtin = gtin_of(data)
        article = self._on.catalog.find(gtin)
        facts: dict[str, object] = {
            "epc": data.epc,
            "gtin": gtin,
            "article": article.name if article is not None else None,
            "quantity": data.quantity,
            "confidence": data.confidence,
        }
        work.happenings.append(Happening("shelf", what, data.detected_at, data.shelf, facts))
        if stale or isinstance(data, ShelfAnomaly):
            return
        trigger: Trigger = "shelf.putback" if isinstance(data, ShelfPutback) else "shelf.pick"
        self._on.decisions.on_shelf(work, ref.id, trigger, data, gtin)

    def _close(self, work: Work, heard: Heard, data: EdgeDropped) -> None:
        if not 1 <= data.first <= data.last <= MAX_SEQ or not GENERATION.fullmatch(data.generation):
            raise MessageError(f"a dropped range from {data.first} to {data.last} of {data.generation[:40]!r}")
        self._on.marks.close(work, AgentId(heard.level), data.generation, data.first, data.last)

    async def _set_aside(self, work: Work, incoming: Incoming, why: str) -> set[Key]:
        """Keep a bad message, and count its event as taken, so that its agent does not send it for ever."""
        self.counters.bad += await quarantine.set_aside(work, incoming, why)
        ref = self._reader.read_ref(incoming)
        if ref is None:
            return set()
        self._on.marks.take(work, ref)
        return {(ref.gateway, ref.generation)}


def is_stale(heard: Heard) -> bool:
    """Whether an event came after its expiry: history, not news."""
    expires = heard.envelope.expires
    if expires is None and heard.row.expiry_s is not None:
        expires = heard.envelope.time + timedelta(seconds=heard.row.expiry_s)
    return expires is not None and expires < to_datetime(heard.incoming.received_ns)


def _row(heard: Heard, ref: EventRef, *, stale: bool) -> EventRow:
    return EventRow(
        id=ref.id,
        gateway=ref.gateway,
        generation=ref.generation,
        seq=ref.seq,
        type=heard.envelope.type,
        topic=heard.incoming.topic,
        at_ns=to_ns(heard.envelope.time),
        received_ns=heard.incoming.received_ns,
        stale=stale,
        payload=WHO.sub(rb'\1""', heard.incoming.payload),
    )
