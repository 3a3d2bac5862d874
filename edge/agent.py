"""The agent: devices, pipeline, outbox and uplink, wired.

Trouble with a device or the broker is weather and stays in its task.  Anything else is a bug and ends the agent.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from broker_config.backoff import Backoff
from broker_config.heartbeats import Heartbeat, Heartbeats
from broker_config.messages import ErasureReceipt, ItemDeparted, TransactionSettled, VisitLeft, ZoneCount, ZoneCoverage
from edge.actuators.desk import ActuatorDesk
from edge.clock import NS_PER_S, Clock, to_datetime
from edge.config import EdgeConfig
from edge.coverage import CoverageWatch
from edge.device_config import ActuatorConfig, ReaderConfig, ScaleConfig, SensorConfig
from edge.devices import SERIAL, Devices
from edge.erasure import Eraser
from edge.events import make_announcer
from edge.health import Health
from edge.host_watch import HostWatch
from edge.intake import take_in
from edge.keeper import Keeper
from edge.members import Members
from edge.outbox import Outbox
from edge.outbox_ledger import OutboxLedger
from edge.pipeline import Engine, Pipeline
from edge.posting import Poster
from edge.presence_config import make_layout, zones_of
from edge.pump import Pump
from edge.sensors import SensorStates
from edge.server_clock import ServerClock
from edge.shelf_watch import ShelfWatch
from edge.stats import Statistics
from edge.timebase import Timebase
from edge.uplink import Uplink
from edge.uplink_handlers import Handlers
from edge.visits import Visits
from edge.zone_counts import CountWatch

TICK_EVERY_S, MIN_TICK_S = 1.0, 0.005  # also without a deadline, so that visits end
TRACK_STUCK_S = 5.0


class Agent:
    """One gateway's agent.  `run` ends only by cancellation or a bug.

    Args:
        on_ready: called once everything is started.
        heartbeats: where its loops show that they go on.
        server_clock: tests bring their own.
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
        heartbeats: Heartbeats | None = None,
        server_clock: ServerClock | None = None,
    ) -> None:
        self._heartbeats = beats = heartbeats or Heartbeats()
        self._config, self._outbox, self._clock, self._devices = config, outbox, clock, devices
        self._on_ready, self._zones = on_ready, zones_of(config)
        self.health = Health(clock)
        self._announcer = make_announcer(config, self._zones, clock)
        self._pipeline = self._make_pipeline(engine)
        self._pump = Pump(self.health, beats)
        self._coverage = CoverageWatch((reader.id for reader in config.readers), self._pipeline.set_coverage, beats)
        self._counts = CountWatch(self._zones, engine.counts, self._show_zone)
        self._keeper = Keeper(config, engine, self._pipeline.visits, outbox, self._zones, self._take_back, clock, beats)
        self._eraser = Eraser(outbox, self._pipeline.visits, self._keeper, config.credential, self._show_erased)
        self._members = self._make_members()
        self._sensors = SensorStates(config.sensors, clock)
        self._server_clock = server_clock or self._make_server_clock()
        self._timebase = Timebase(outbox, clock, self._server_clock)
        self.stats = self._make_statistics(engine)
        handlers = self._make_handlers()
        self.uplink = Uplink(config, self._announcer, outbox, self.health, handlers, clock, heartbeats=beats)
        self._poster = Poster(config, self._announcer, outbox, self.uplink, handlers.may_send)
        self._shelves = {scale.id: self._make_shelf(scale) for scale in config.scales}
        self._actuators = self._make_actuators()
        self._host = HostWatch(self._actuators.link_lost, self._server_clock.there)
        self._arrived = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled; then every device is left in its safe state, and what is present and the outbox are kept."""
        self._add_devices()
        await self._timebase.begin()
        self._server_clock.on_synced = self._synced
        self._server_clock.on_settled_late = self._settled
        self._announcer.put_right = self._timebase.put_right
        await self._keeper.restore()
        await self._eraser.load()
        await self._members.begin()
        self._coverage.begin()
        try:
            await self._serve()
        except asyncio.CancelledError:
            await self._keeper.close()
            raise

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._outbox.run(), name="outbox")
            tasks.create_task(self.uplink.run(), name="uplink")
            tasks.create_task(self._poster.run(), name="poster")
            tasks.create_task(self._members.run(), name="members")
            tasks.create_task(self._track(), name="track")
            tasks.create_task(self._coverage.run(), name="coverage")
            tasks.create_task(self._counts.run(), name="counts")
            tasks.create_task(self._keeper.run(), name="keeper")
            tasks.create_task(self.health.run(), name="health")
            for reader in self._config.readers:
                tasks.create_task(self._pump_reader(reader), name=f"pump {reader.id}")
            for scale in self._config.scales:
                tasks.create_task(self._pump_scale(scale), name=f"pump {scale.id}")
                tasks.create_task(self._shelves[scale.id].run(), name=f"shelf {scale.shelf}")
            for sensor in self._config.sensors:
                tasks.create_task(self._pump_sensor(sensor), name=f"pump {sensor.id}")
            self._actuators.start(tasks)
            tasks.create_task(self._host.run(), name="host")
            tasks.create_task(self._server_clock.run(), name="server clock")
            self._on_ready()

    async def _pump_reader(self, config: ReaderConfig) -> None:
        async def take(backoff: Backoff, heartbeat: Heartbeat) -> None:
            async with self._devices.reader(config, self._clock) as reader, heartbeat.resting():
                self.health.ready(config.id, reader.health)
                self._coverage.opened(config.id, reader.health)
                await take_in(reader, self._pipeline, on_reads=partial(self._reads_in, config.id, backoff))

        await self._pump.run(config.id, take, lambda: self._coverage.lost(config.id))

    def _reads_in(self, reader_id: str, backoff: Backoff) -> None:
        backoff.reset()
        self.health.tally.have_read.add(reader_id)
        self._arrived.set()

    async def _pump_scale(self, config: ScaleConfig) -> None:
        shelf = self._shelves[config.id]

        async def take(backoff: Backoff, heartbeat: Heartbeat) -> None:
            async with self._devices.scale(config, self._clock) as scale, heartbeat.resting():
                self.health.ready(config.id, scale.health)
                async for weight in scale.weights():
                    backoff.reset()
                    shelf.weigh(weight)

        await self._pump.run(config.id, take, shelf.scale_lost)

    async def _pump_sensor(self, config: SensorConfig) -> None:
        async def take(backoff: Backoff, heartbeat: Heartbeat) -> None:
            async with self._devices.sensor(config, self._clock) as sensor, heartbeat.resting():
                self.health.ready(config.id, sensor.health)
                async for proximity in sensor.proximities():
                    backoff.reset()
                    self._sensors.sensed(proximity)

        await self._pump.run(config.id, take, lambda: self._sensors.lost(config.id))

    async def _track(self) -> None:
        """Feed what waits, batch by batch; tick when a deadline is due and no read waits."""
        heartbeat = self._heartbeats.add("track", TRACK_STUCK_S)
        while True:
            heartbeat.beat()
            await self._work_or_deadline()
            while self._pipeline.has_reads():
                heartbeat.beat()  # reads that never cease are work, too
                self._pipeline.feed_batch()
                await asyncio.sleep(0)  # the ports and the uplink get their turn
            self._pipeline.tick(self._clock())

    async def _work_or_deadline(self) -> None:
        deadline_ns = self._pipeline.engine.next_deadline_ns()
        wait_s = TICK_EVERY_S
        if deadline_ns is not None:
            wait_s = min(max((deadline_ns - self._clock()) / NS_PER_S, MIN_TICK_S), TICK_EVERY_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._arrived.wait()
        self._arrived.clear()

    def _add_devices(self) -> None:
        config = self._config
        devices: Sequence[ReaderConfig | ScaleConfig | SensorConfig | ActuatorConfig]
        devices = [*config.readers, *config.scales, *config.sensors, *config.actuators]
        for device in devices:
            zone = device.antennas[0].zone if isinstance(device, ReaderConfig) else device.zone
            self.health.add(device.id, device.type, zone, device.port)
        self._outbox.on_alarm = note = partial(self.health.note, "outbox.sqlite", "outbox")  # no device has such a name
        note(self._outbox.alarm)

    def _make_pipeline(self, engine: Engine) -> Pipeline:
        config, match_key = self._config, self._config.credential.match_key
        assert match_key is not None
        return Pipeline(
            engine,
            make_layout(config),
            Visits(config.site.visit_gap_s),
            self._announcer,
            self._outbox.append,
            bytes.fromhex(match_key),
            self.health.tally,
            self._clock,
            cover=self._show_coverage,
            forget=lambda: self._keeper.renew(),
        )

    def _make_members(self) -> Members:
        config = self._config
        return Members(
            config.data,
            config.server,
            config.credential,
            self._pipeline.set_members,
            self._clock,
            on_erased=self._eraser.apply,
            trust=config.server_trust,
        )

    def _make_server_clock(self) -> ServerClock:
        config, warn = self._config, partial(self.health.warn, "server.clock", "clock")
        return ServerClock(config.server, config.credential, self._clock, warn, trust=config.server_trust)

    def _make_statistics(self, engine: Engine) -> Statistics:
        return Statistics(
            lambda: engine.counters,
            self.health,
            self._outbox,
            self._members,
            self._coverage,
            self._keeper,
            self._sensors,
            lambda: self.uplink.delivery.resent,
            self._clock,
        )

    def _make_actuators(self) -> ActuatorDesk:
        return ActuatorDesk(
            self._config.actuators,
            self._devices,
            OutboxLedger(self._outbox, self._announcer),
            lambda state: self.uplink.states.show(state, state.actuator, actuator=state.actuator),
            self.health,
            self._server_clock,
        )

    def _make_handlers(self) -> Handlers:
        return Handlers(
            command=lambda actuator, command: self._actuators.command(actuator, command),
            members_offered=self._members.offered,
            visits_ended=lambda ended: self._pipeline.end_visits(ended.visits, ended.cause),
            settled=self._settled,
            link_lost=lambda: self._actuators.link_lost(),
            host=lambda said: self._host.heard(said),
            is_over=self._server_clock.is_over,
            may_send=self._server_clock.first_word,
            stats=self.stats,
        )

    def _synced(self) -> None:
        self._timebase.synced()
        self.uplink.states.date(self._timebase.by_own_clock(self._keeper.started_ns, self._keeper.started_by))
        self._members.lease_by(self._server_clock.skew_ns or 0)

    def _settled(self, settled: TransactionSettled) -> None:
        """Goods are paid; the broker says so once, so it goes to the disk at once too."""
        self._pipeline.mark_sold([bytes.fromhex(epc) for epc in settled.epcs])
        self._keeper.want()

    def _make_shelf(self, config: ScaleConfig) -> ShelfWatch:
        zone = self._zones.index(config.zone)
        return ShelfWatch(
            config,
            self._announcer,
            lambda: self._pipeline.engine.present_in(zone),
            self._pipeline.report,
            lambda state: self.uplink.states.show(state, config.shelf, shelf=config.shelf),
            self._clock,
        )

    def _show_erased(self, said: ErasureReceipt) -> None:
        self.uplink.states.show(said, self._config.agent, agent=self._config.agent)

    def _show_coverage(self, zone: int, covered: bool, since_ns: int) -> None:
        self._show_zone(ZoneCoverage(zone=self._zones[zone], covered=covered, since=to_datetime(since_ns)))

    def _show_zone(self, said: ZoneCoverage | ZoneCount) -> None:
        self.uplink.states.show(said, said.zone, zone=said.zone)

    def _take_back(self, undone: Sequence[ItemDeparted | VisitLeft]) -> None:
        self._pipeline.report([self._announcer.taken_back(each) for each in undone])
