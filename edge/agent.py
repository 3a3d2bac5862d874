"""The agent: devices, pipeline, outbox and uplink, wired.

Trouble with a device or the broker is weather and stays in its task.  Anything else is a bug and ends the agent.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from functools import partial

from broker_config.messages import ActuatorCommand, ActuatorResult, EdgeStats, VisitEnded
from broker_config.site import ActuatorId, ZoneId
from edge.actuators.manager import ActuatorLine, Relay
from edge.actuators.registry import open_relay
from edge.backoff import Backoff
from edge.clock import NS_PER_S, Clock
from edge.config import ActuatorConfig, EdgeConfig, ReaderConfig, ScaleConfig
from edge.events import Announcer
from edge.health import Health
from edge.intake import take_in
from edge.members import Members
from edge.outbox import Outbox
from edge.pipeline import Engine, Pipeline
from edge.presence_config import make_layout, zones_of
from edge.shelf_watch import ShelfWatch
from edge.uplink import Handlers, Uplink
from edge.visits import Visits
from readers.errors import ReaderError
from readers.registry import Reader, Scale, open_reader, open_scale

log = logging.getLogger(__name__)
TICK_EVERY_S = 1.0  # also without a deadline, so that visits end
MIN_TICK_S = 0.005
MAX_REOPEN_S = 2.0  # a device that is plugged in again is back within this


@dataclass(frozen=True, slots=True)
class Devices:
    """How devices are opened; tests put scripted ones here."""

    reader: Callable[[ReaderConfig, Clock], AbstractAsyncContextManager[Reader]]
    scale: Callable[[ScaleConfig, Clock], AbstractAsyncContextManager[Scale]]
    relay: Callable[[ActuatorConfig], AbstractAsyncContextManager[Relay]]


SERIAL = Devices(
    reader=lambda config, clock: open_reader(config.type, config.id, str(config.port), config.settings, clock),
    scale=lambda config, clock: open_scale(config.type, config.id, str(config.port), config.settings, clock),
    relay=lambda config: open_relay(config.type, str(config.port), config.settings),
)


class Agent:
    """One gateway's agent.  `run` ends only by cancellation or a bug.

    Args:
        on_ready: called once everything is started.
    """

    def __init__(
        self,
        config: EdgeConfig,
        engine: Engine,
        outbox: Outbox,
        clock: Clock,
        *,
        devices: Devices = SERIAL,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._config, self._outbox, self._clock, self._devices, self._on_ready = (
            config,
            outbox,
            clock,
            devices,
            on_ready,
        )
        credential, zones = config.credential, zones_of(config)
        assert credential.match_key is not None
        assert credential.seal_key is not None
        self.health = Health(clock)
        self._announcer = Announcer(
            config.site.id,
            config.agent,
            zones,
            bytes.fromhex(credential.seal_key),
            clock,
            simulated=config.simulated,
        )
        self._pipeline = Pipeline(
            engine,
            make_layout(config),
            Visits(config.site.visit_gap_s),
            self._announcer,
            outbox.append,
            bytes.fromhex(credential.match_key),
            self.health.tally,
            clock,
        )
        self._members = Members(config.data, config.server, credential, self._pipeline.set_members, clock)
        handlers = Handlers(self._command, self._members.offered, self._visits_ended, self._link_lost, self.stats)
        self.uplink = Uplink(config, self._announcer, outbox, self.health, handlers, clock)
        self._shelves = {scale.id: self._make_shelf(scale, zones) for scale in config.scales}
        self._lines = {actuator.id: self._make_line(actuator) for actuator in config.actuators}
        self._arrived = asyncio.Event()
        self._counted = (clock(), 0)  # when the reads were last counted, and how many

    async def run(self) -> None:
        """Serve until cancelled; then every device is left in its safe state and the outbox kept."""
        self._add_devices()
        self._members.load()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._outbox.run(), name="outbox")
            tasks.create_task(self.uplink.run(), name="uplink")
            tasks.create_task(self._members.run(), name="members")
            tasks.create_task(self._track(), name="track")
            for reader in self._config.readers:
                tasks.create_task(self._pump_reader(reader), name=f"pump {reader.id}")
            for scale in self._config.scales:
                tasks.create_task(self._pump_scale(scale), name=f"pump {scale.id}")
                tasks.create_task(self._shelves[scale.id].run(), name=f"shelf {scale.shelf}")
            for actuator_id, line in self._lines.items():
                tasks.create_task(line.run(), name=f"actuator {actuator_id}")
            self._on_ready()

    def stats(self) -> EdgeStats:
        """The counters since start."""
        counters, tally, drivers = self._pipeline.engine.counters, self.health.tally, self.health.totals()
        now_ns = self._clock()
        before_ns, before = self._counted
        self._counted = (now_ns, counters.reads)
        return EdgeStats(
            reads=counters.reads,
            reads_per_s=round((counters.reads - before) * NS_PER_S / max(now_ns - before_ns, 1), 1),
            present_items=counters.present_items,
            present_visits=counters.present_people,
            strays=counters.strays,
            bad_frames=drivers.bad_frames,
            dropped_reads=tally.dropped_reads,
            events=tally.events,
            outbox=self._outbox.waiting,
            dropped_events=self._outbox.dropped_events,
            members_version=self._members.version,
            member_lease_s=max(self._members.leased_until_ns - now_ns, 0) // NS_PER_S,
            counters={
                **{name: count for name, count in asdict(counters).items() if count},
                "bad_messages": tally.bad_messages,
                "refused_member_tables": self._members.refused,
                "unknown_antenna": tally.unknown_antenna,
                "link_losses": tally.link_losses,
                "resent": self.uplink.delivery.resent,
                "discarded_bytes": drivers.discarded_bytes,
                "clock_step_ms": self._clock.step_ns() // 1_000_000,
            },
        )

    async def _pump_reader(self, config: ReaderConfig) -> None:
        async def take(backoff: Backoff) -> None:
            async with self._devices.reader(config, self._clock) as reader:
                self.health.ready(config.id, reader.health)
                await take_in(reader, self._pipeline, on_reads=partial(self._reads_in, backoff))

        await self._pump(config.id, take, lambda: None)

    def _reads_in(self, backoff: Backoff) -> None:
        backoff.reset()
        self._arrived.set()

    async def _pump_scale(self, config: ScaleConfig) -> None:
        shelf = self._shelves[config.id]

        async def take(backoff: Backoff) -> None:
            async with self._devices.scale(config, self._clock) as scale:
                self.health.ready(config.id, scale.health)
                async for weight in scale.weights():
                    backoff.reset()
                    shelf.weigh(weight)

        await self._pump(config.id, take, shelf.scale_lost)

    async def _pump(
        self, device_id: str, take: Callable[[Backoff], Awaitable[None]], on_lost: Callable[[], None]
    ) -> None:
        """Keep one device open for ever."""
        backoff = Backoff(max_s=MAX_REOPEN_S)
        while True:
            try:
                await take(backoff)
                reason = "the driver's stream ended; opening it again"
            except ReaderError as error:
                reason = str(error)
            on_lost()
            if self.health.lost(device_id, reason):
                log.warning("%s lost: %s", device_id, reason)
            await asyncio.sleep(backoff.next_delay_s())

    async def _track(self) -> None:
        """Feed what waits, batch by batch; tick when a deadline is due and no read waits."""
        while True:
            await self._work_or_deadline()
            while self._pipeline.has_reads():
                self._pipeline.feed_batch()
                await asyncio.sleep(0)  # the ports and the uplink get their turn
            self._pipeline.tick(self._clock())

    async def _work_or_deadline(self) -> None:
        deadline_ns = self._pipeline.engine.next_deadline_ns()
        wait_s = TICK_EVERY_S
        if deadline_ns is not None:
            wait_s = min(max((deadline_ns - self._clock()) / NS_PER_S, MIN_TICK_S), TICK_EVERY_S)
        try:
            async with asyncio.timeout(wait_s):
                await self._arrived.wait()
        except TimeoutError:
            return
        self._arrived.clear()

    def _add_devices(self) -> None:
        for reader in self._config.readers:
            self.health.add(reader.id, reader.type, reader.antennas[0].zone)
        for scale in self._config.scales:
            self.health.add(scale.id, scale.type, scale.zone)
        for actuator in self._config.actuators:
            self.health.add(actuator.id, actuator.type, actuator.zone)

    def _make_shelf(self, config: ScaleConfig, zones: tuple[ZoneId, ...]) -> ShelfWatch:
        zone = zones.index(config.zone)
        return ShelfWatch(
            config,
            self._announcer,
            lambda: self._pipeline.engine.present_in(zone),
            self._pipeline.report,
            lambda state: self.uplink.show(state, config.shelf, shelf=config.shelf),
            self._clock,
        )

    def _make_line(self, config: ActuatorConfig) -> ActuatorLine:
        return ActuatorLine(
            config.id,
            lambda: self._devices.relay(config),
            OutboxLedger(self._outbox, self._announcer),
            lambda state: self.uplink.show(state, config.id, actuator=config.id),
            self.health,
            self._clock,
        )

    def _command(self, actuator_id: str, command: ActuatorCommand) -> None:
        line = self._lines.get(ActuatorId(actuator_id))
        if line is None:
            self.health.tally.bad_messages += 1
            log.warning("command for actuator %s, which this agent does not have", actuator_id)
            return
        line.command(command)

    def _visits_ended(self, ended: VisitEnded) -> None:
        self._pipeline.visits.end(ended.visits, ended.cause)

    def _link_lost(self) -> None:
        for line in self._lines.values():
            line.link_lost()


class OutboxLedger:
    """Fences and results of commands, kept in the outbox: each outcome and its state in one transaction."""

    def __init__(self, outbox: Outbox, announcer: Announcer) -> None:
        self._outbox, self._announcer = outbox, announcer

    async def load(self, key: str) -> bytes | None:
        """What was kept under `key`."""
        return await self._outbox.state(key)

    async def keep(self, state: Mapping[str, bytes], result: ActuatorResult | None) -> None:
        """Keep state and result; returns after the commit."""
        self._outbox.append([] if result is None else [self._announcer.actuator_result(result)], state)
        await self._outbox.flush()
