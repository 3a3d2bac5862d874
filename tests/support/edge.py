"""What the edge's tests share: a configuration on disk, a clock that stands still until moved, devices that follow a script."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.presence_model import Counters, PresentTag, Transition
from edge.presence_snapshot import Restored, Since, SnapshotError
from edge.server_clock import ServerTime
from readers.errors import ReaderDisconnected
from readers.health import ReaderHealth
from readers.model import Epc, Proximity, Read, ReaderId, Weight

DEMO = Path(__file__).parents[2] / "simulators" / "demo_store"


@dataclass
class ManualClock:
    """UTC ns that move only when told."""

    now_ns: int = 1_800_000_000_000_000_000

    def __call__(self) -> int:
        return self.now_ns

    def step_ns(self) -> int:
        return 0

    def forward_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


@dataclass
class KnownTime:
    """A server whose clock is the agent's own; `known` False: it does not answer."""

    clock: Callable[[], int]
    known: bool = True
    doubts: int = 0
    skew_ns: int | None = 0
    on_synced: Callable[[], None] = lambda: None

    def now(self) -> ServerTime | None:
        return ServerTime(self.clock(), self.clock()) if self.known else None

    def doubt(self) -> None:
        self.doubts += 1

    async def first_word(self) -> None:
        return

    def there(self) -> None:
        """It is known already."""

    def is_over(self, _: object) -> bool:
        return False

    async def run(self) -> None:
        await asyncio.Event().wait()


@dataclass
class Script:
    """A device that yields what is put into it, and is unplugged on demand."""

    device_id: str
    health: ReaderHealth = field(default_factory=ReaderHealth)
    opened: int = 0
    plugged: bool = True
    _queue: "asyncio.Queue[Read | Weight | Proximity | None]" = field(default_factory=asyncio.Queue)

    @property
    def reader_id(self) -> ReaderId:
        return ReaderId(self.device_id)

    def say(self, *values: Read | Weight | Proximity) -> None:
        for value in values:
            self._queue.put_nowait(value)

    def unplug(self) -> None:
        self.plugged = False
        self._queue.put_nowait(None)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Script"]:
        if not self.plugged:
            raise ReaderDisconnected(f"{self.device_id}: no such device; plug it in")
        self.opened += 1
        yield self

    async def _values(self) -> AsyncIterator[Read | Weight | Proximity]:
        while (value := await self._queue.get()) is not None:
            yield value
        raise ReaderDisconnected(f"{self.device_id}: unplugged; check the cable")

    reads = weights = proximities = _values


@dataclass(frozen=True)
class ScriptedCopy:
    """What a scripted engine calls its snapshot."""

    data: bytes

    def to_bytes(self) -> bytes:
        return self.data


@dataclass
class ScriptedEngine:
    """An engine that answers each fed read with the transitions laid out for its EPC.

    Args:
        zone_of: the zone that a reader covers; others cover none.
        log: what it was told besides reads, in order.
        kept: its snapshot; restoring another is refused.
    """

    answers: dict[bytes, list[Transition]] = field(default_factory=dict)
    due: list[Transition] = field(default_factory=list)
    present: list[PresentTag] = field(default_factory=list)
    fed: int = 0
    batches: list[int] = field(default_factory=list)
    members: list[object] = field(default_factory=list)
    zone_of: dict[str, int] = field(default_factory=dict)
    log: list[tuple[object, ...]] = field(default_factory=list)
    here: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)] * 6)
    kept: bytes = b"scripted"
    restored: Restored = field(default_factory=lambda: Restored(0, 0, 0))

    def set_coverage(self, reader_id: str, covered: bool, now_ns: int) -> list[Transition]:
        self.log.append(("coverage", reader_id, covered, self.fed))
        if reader_id not in self.zone_of:
            return []
        kind = "coverage_restored" if covered else "coverage_lost"
        return [a_transition(kind, b"", self.zone_of[reader_id], now_ns, reads=0, rssi_dbm=0.0)]

    def mark_sold(self, epcs: Sequence[bytes], now_ns: int) -> list[Transition]:
        self.log.append(("sold", tuple(epcs), self.fed))
        return []

    def counts(self) -> NDArray[np.int64]:
        return np.array(self.here, np.int64)

    def snapshot(self) -> ScriptedCopy:
        return ScriptedCopy(self.kept)

    def restore(self, data: bytes, now_ns: int, since: Since | None = None) -> Restored:
        self.log.append(("restore", data))
        if data != self.kept:
            raise SnapshotError("this is another engine's")
        return self.restored

    def set_members(self, match_key: bytes, table: object) -> list[Transition]:
        self.members.append(table)
        return []

    def feed(self, columns: object, received_ns: int | None = None) -> list[Transition]:
        epcs = [bytes(columns.epc_bytes[i, : columns.epc_len[i]]) for i in range(len(columns))]  # type: ignore[attr-defined]
        self.fed += len(epcs)
        self.batches.append(len(epcs))
        return [each for epc in epcs for each in self.answers.pop(epc, [])]

    def tick(self, now_ns: int) -> list[Transition]:
        due, self.due = self.due, []
        return due

    def present_in(self, zone: int) -> list[PresentTag]:
        return self.present

    def next_deadline_ns(self) -> int | None:
        return None

    @property
    def counters(self) -> Counters:
        return Counters(reads=self.fed)


def a_transition(kind: str, epc: bytes, zone: int, t_ns: int, **more: object) -> Transition:
    """A transition with unremarkable evidence; an item's unless `handle` is given."""
    handle = more.pop("handle", None)
    fields: dict[str, object] = {
        "kind": kind,
        "person": handle is not None,
        "epc": epc,
        "handle": handle,
        "zone": zone,
        "from_zone": None,
        "t_ns": t_ns,
        "detected_t_ns": t_ns,
        "last_read_ns": t_ns,
        "reads": 2,
        "rssi_dbm": -50.0,
        "margin_db": None,
        "reason": None,
    }
    return Transition(**(fields | more))  # type: ignore[arg-type]


def a_read(epc: bytes, reader: str, at_ns: int, antenna: int = 1) -> Read:
    return Read(Epc(epc), ReaderId(reader), antenna, -50.0, at_ns)


@dataclass
class FakeRelay:
    """A relay board that remembers what it was told; safe is off."""

    safe: bool = False
    told: list[bool] = field(default_factory=list)
    plugged: bool = True
    opened: int = 0

    @property
    def on(self) -> bool | None:
        return self.told[-1] if self.told else None

    async def switch(self, *, on: bool) -> None:
        if not self.plugged:
            raise ReaderDisconnected("lamp: unplugged")
        self.told.append(on)

    @asynccontextmanager
    async def open(self) -> "AsyncIterator[FakeRelay]":
        await self.switch(on=self.safe)
        self.opened += 1
        try:
            yield self
        finally:
            with suppress(ReaderDisconnected):
                await self.switch(on=self.safe)
