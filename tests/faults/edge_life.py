"""A process of the edge for the rig to kill: the real outbox and the real uplink, with a generator in place of readers."""

import asyncio
import random
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

from broker_config.messages import EdgeAck, EdgeStats
from edge.clock import Clock
from edge.config import EdgeConfig, load_config
from edge.events import Announcer
from edge.health import Health
from edge.outbox import Outbox
from edge.outbox_rows import PendingEvent, Row
from edge.posting import Poster
from edge.presence_model import Transition
from edge.runs import Word
from edge.uplink import Uplink
from edge.uplink_handlers import Handlers
from edge.visits import VisitChange
from tests.faults.truth import TruthWriter

GOODS = "3034257bf400cb00000000{:02x}"
POOL = 60  # articles that come and go, so that what the server has to remember stays small
MEMBER_EVERY = 10
MB = 1 << 20
STATS = EdgeStats(
    reads=1, reads_per_s=0, present_items=0, present_visits=0, strays=0, bad_frames=0, dropped_reads=0,
    events=0, outbox=0, dropped_events=0, members_version=0, member_lease_s=0,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """What one life of the edge does.

    Args:
        config: its `edge.toml`.
        truth: where it says what it promised.
        per_s: events a second, in bursts of one to `burst`; 0 for a life that only sends what is there.
        count: events in all; None for as long as it lives.
        handles: members who come and go, one in `MEMBER_EVERY` events.
        connects: whether it sends at all.
        fill: so many events at once before it connects: a backlog.  What happens until it is connected would queue behind it, so the
            others come only then.
    """

    config: Path
    truth: Path
    seed: int = 0
    per_s: float = 200.0
    burst: int = 8
    count: int | None = None
    handles: tuple[bytes, ...] = ()
    connects: bool = True
    fill: int = 0


def live_at_the_edge(plan: EdgePlan) -> None:
    """The process's whole life; ends on SIGTERM with everything kept, or by kill -9."""
    asyncio.run(_live(plan))


async def _live(plan: EdgePlan) -> None:
    loop, running = asyncio.get_running_loop(), asyncio.create_task(gateway(plan))
    loop.add_signal_handler(signal.SIGTERM, running.cancel)
    with suppress(asyncio.CancelledError):
        await running


async def gateway(plan: EdgePlan) -> None:
    """One gateway until it is cancelled; then everything is kept."""
    truth = TruthWriter(plan.truth)
    truth.note("born")
    config, clock = load_config(plan.config), Clock()
    config.data.mkdir(mode=0o700, exist_ok=True)
    path, quota_bytes = config.data / "outbox.sqlite", config.outbox.quota_mb * MB
    async with Outbox(path, config.agent, quota_bytes=quota_bytes, clock_ns=clock) as outbox:
        events = Events(config, clock, random.Random(f"edge life {plan.seed}"), plan.handles)
        handlers = quiet_handlers(lambda: truth.note("lost"))
        uplink = Uplink(config, events.announcer, outbox, Health(clock), handlers, clock)
        tell_of(outbox, truth)
        truth.note("file", outbox.file_id)
        await _fill(outbox, events, plan.fill)
        truth.note("filled", outbox.last_seq)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_generate(outbox, events, plan, uplink))
            if plan.connects:
                tasks.create_task(uplink.run())
                tasks.create_task(Poster(config, events.announcer, outbox, uplink).run())


def live_as_herd(plans: Sequence[EdgePlan]) -> None:
    """Many gateways in one process, each with an outbox, an uplink and a connection of its own."""
    asyncio.run(_live_together(plans))


async def _live_together(plans: Sequence[EdgePlan]) -> None:
    # Each connects in a thread of the loop's; the usual six of them would queue what is to come at once.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(len(plans)))
    async with asyncio.TaskGroup() as tasks:
        for plan in plans:
            tasks.create_task(gateway(plan))


def tell_of(outbox: Outbox, truth: TruthWriter) -> None:
    """Have each report of a commit and each word of the server written down in the instant it is made."""
    offer, acknowledge = outbox.on_commit, outbox.acknowledge

    def committed(rows: Sequence[Row]) -> None:
        places = ((outbox.places(row.seq, row.seq)[0], row) for row in rows)
        truth.promised((place.generation, place.first, row.seq, row.payload) for place, row in places)
        if offer is not None:
            offer(rows)

    async def acknowledged(ack: EdgeAck) -> Word | None:
        word = await acknowledge(ack)
        if word is not None:
            truth.note("a", word.upto)
        return word

    outbox.on_commit = committed
    outbox.acknowledge = acknowledged  # type: ignore[method-assign]


async def _fill(outbox: Outbox, events: "Events", count: int) -> None:
    while count > 0:
        outbox.append([events.next() for _ in range(min(count, 2000))])
        await outbox.flush()
        count -= 2000


async def _generate(outbox: Outbox, events: "Events", plan: EdgePlan, uplink: Uplink) -> None:
    """Bursts at random instants, `per_s` events a second on average."""
    while plan.fill and plan.connects and not uplink.delivery.connected:
        await asyncio.sleep(0.01)
    loop, made = asyncio.get_running_loop(), 0
    due_s = loop.time()
    while plan.per_s and (plan.count is None or made < plan.count):
        size = events.rng.randint(1, plan.burst)
        if plan.count is not None:
            size = min(size, plan.count - made)
        outbox.append([events.next() for _ in range(size)])
        made += size
        due_s += events.rng.expovariate(plan.per_s / size)
        await asyncio.sleep(max(0.0, due_s - loop.time()))
    await asyncio.Event().wait()


class Events:
    """What happens in a store, without the store: goods come and go, members come and leave."""

    def __init__(self, config: EdgeConfig, clock: Clock, rng: random.Random, handles: Sequence[bytes]) -> None:
        zones = tuple(zone.id for zone in config.site.zones if zone.agent == config.agent)
        assert config.credential.seal_key is not None
        seal_key = bytes.fromhex(config.credential.seal_key)
        self.announcer = Announcer(config.site.id, config.agent, zones, seal_key, clock, simulated=True)
        self.rng, self._zones, self._clock, self._handles = rng, zones, clock, handles
        self._number = 0
        # As an agent's: it keeps a visit's token for as long as the member comes back within minutes.
        self._tokens = {handle: f"{rng.getrandbits(128):032x}" for handle in handles}
        self._inside: tuple[bytes, int] | None = None

    def next(self) -> PendingEvent:
        """The next event."""
        self._number += 1
        if self._handles and self._number % MEMBER_EVERY == 0:
            return self.announcer.visit(self._visit())
        kind = "departed" if self._number // POOL % 2 else "arrived"
        return self.announcer.item(self._transition(kind, bytes.fromhex(GOODS.format(self._number % POOL))))

    def _visit(self) -> VisitChange:
        came = self._inside
        if came is None:
            self._inside = handle, zone = self.rng.choice(self._handles), self.rng.randrange(len(self._zones))
            place = self._transition("arrived", b"", zone)
            return VisitChange("entered", self._tokens[handle], handle, zone, 0.0, None, place)
        self._inside, (handle, zone) = None, came
        place = self._transition("departed", b"", zone)
        return VisitChange("left", self._tokens[handle], handle, zone, 1.0, "timeout", place)

    def _transition(self, kind: str, epc: bytes, zone: int | None = None) -> Transition:
        now_ns = self._clock()
        return Transition(
            kind=kind, person=not epc, epc=epc, handle=None, zone=self._number % len(self._zones) if zone is None else zone,
            from_zone=None, t_ns=now_ns, detected_t_ns=now_ns, last_read_ns=now_ns, reads=3, rssi_dbm=-55.0,
            margin_db=None, reason="timeout" if kind == "departed" else None,
        )  # fmt: skip


def quiet_handlers(link_lost: Callable[[], None] = lambda: None) -> Handlers:
    """An agent with nothing but an outbox."""
    deaf = {each.name: _nothing for each in fields(Handlers) if each.default is MISSING}
    return Handlers(**{**deaf, "link_lost": link_lost, "stats": lambda: STATS})


def _nothing(*_: object) -> None:
    """Whatever it is, this agent has no use for it."""
