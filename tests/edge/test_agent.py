"""The agent with scripted devices and engine: what comes in at a port goes out as a stored event."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broker_config.identity import open_handle
from broker_config.messages import (
    ActuatorCommand,
    ActuatorResult,
    Device,
    EdgeState,
    Envelope,
    ItemArrived,
    ItemDeparted,
    ItemMoved,
    ShelfPick,
    VisitEntered,
    VisitLeft,
    decode,
)
from broker_config.messages import Data as AnyData
from broker_config.site import ActuatorId
from edge import pipeline as pipeline_module
from edge.agent import Agent
from edge.clock import Clock, to_datetime
from edge.config import EdgeConfig, load_config
from edge.devices import Devices
from edge.outbox import Outbox
from edge.presence_model import PresentTag
from readers.errors import ReaderDisconnected
from readers.model import Proximity, ReaderId, Weight
from tests.support.edge import FakeRelay, KnownTime, Script, ScriptedEngine, a_read, a_transition
from tests.support.patience import WAIT_S, eventually

ITEM = bytes.fromhex("3034257bf400cb0000000001")
CARD, HANDLE = bytes.fromhex("2d14257bf52cb6916d000000"), b"handle-of-ann-16"
DOOR, SHOES = 0, 1
MB = 1 << 20


@dataclass
class World:
    """An agent whose devices and engine are scripts; no broker and no server answer."""

    config: EdgeConfig
    outbox: Outbox
    engine: ScriptedEngine = field(default_factory=ScriptedEngine)
    relay: FakeRelay = field(default_factory=FakeRelay)
    clock: Clock = field(default_factory=Clock)
    ready: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        ids = [device.id for device in (*self.config.readers, *self.config.scales, *self.config.sensors)]
        self.scripts = {device_id: Script(device_id) for device_id in ids}
        devices = Devices(
            reader=lambda config, _: self.scripts[config.id].open(),  # type: ignore[arg-type, return-value]
            scale=lambda config, _: self.scripts[config.id].open(),  # type: ignore[arg-type, return-value]
            relay=lambda _: self.relay.open(),
            sensor=lambda config, _: self.scripts[config.id].open(),  # type: ignore[arg-type, return-value]
        )
        self.agent = Agent(
            self.config,
            self.engine,
            self.outbox,
            self.clock,
            devices=devices,
            on_ready=lambda: self.ready.append(True),
            server_clock=KnownTime(self.clock),  # type: ignore[arg-type]
        )

    async def stored(self, count: int) -> list[Envelope[AnyData]]:
        """The first events of the outbox, once there are that many."""
        await eventually(lambda: self.outbox.last_seq >= count)
        await self.outbox.flush()
        return [decode(row.payload) for row in await self.outbox.rows_after(0, 1000)]

    def shown(self, where: str) -> AnyData | None:
        """The retained state shown there last."""
        payload = self.agent.uplink.states._payloads.get(f"tacet/1/demo/{where}")
        return None if payload is None else decode(payload).data

    def state_of(self, device_id: str) -> str:
        return next(device.state for device in self.agent.health.devices if device.id == device_id)


@asynccontextmanager
async def living(edge_folder: Path, prepare: Callable[[World], None] = lambda _: None) -> AsyncIterator[World]:
    config = load_config(edge_folder / "edge.toml")
    async with Outbox(config.data / "outbox.sqlite", "gw-1", quota_bytes=MB, clock_ns=Clock()) as outbox:
        world = World(config, outbox)
        prepare(world)
        task = asyncio.create_task(world.agent.run())
        try:
            await eventually(lambda: world.ready or task.done())
            yield world
            assert not task.done()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def world(edge_folder: Path) -> AsyncIterator[World]:
    async with living(edge_folder) as world:
        yield world


async def test_an_items_reads_become_its_events(world: World) -> None:
    now_ns = world.clock()
    moved = a_transition("moved", ITEM, SHOES, now_ns, from_zone=DOOR, margin_db=7.125)
    departed = a_transition("departed", ITEM, SHOES, now_ns, reason="exit", detected_t_ns=now_ns + 30_000_000_000)
    world.engine.answers[ITEM] = [a_transition("arrived", ITEM, DOOR, now_ns), moved, departed]
    world.scripts["r-door"].say(a_read(ITEM, "r-door", now_ns))
    arrived, moved_event, departed_event = [event.data for event in await world.stored(3)]
    assert isinstance(arrived, ItemArrived)
    assert (arrived.zone, arrived.epc, arrived.evidence.reads) == ("door", ITEM.hex(), 2)
    assert isinstance(moved_event, ItemMoved)
    assert (moved_event.from_zone, moved_event.zone, moved_event.evidence.margin_db) == ("door", "shoes", 7.12)
    assert isinstance(departed_event, ItemDeparted)
    assert departed_event.reason == "exit"
    assert departed_event.last_read_at == to_datetime(now_ns)
    assert (departed_event.detected_at - departed_event.last_read_at).total_seconds() == 30


async def test_a_member_is_a_token_and_a_seal_only_the_server_opens(world: World) -> None:
    now_ns = world.clock()
    world.engine.answers[CARD] = [
        a_transition("arrived", CARD, DOOR, now_ns, handle=HANDLE),
        a_transition("moved", CARD, SHOES, now_ns + 2_500_000_000, handle=HANDLE, from_zone=DOOR),
    ]
    world.scripts["r-door"].say(a_read(CARD, "r-door", now_ns))
    entered, again, left = await world.stored(3)
    assert isinstance(entered.data, VisitEntered)
    assert isinstance(left.data, VisitLeft)
    assert isinstance(again.data, VisitEntered)
    assert entered.data.visit == left.data.visit == again.data.visit
    assert (left.data.reason, left.data.dwell_s) == ("moved", 2.5)
    key = bytes.fromhex(world.config.credential.seal_key or "")
    assert open_handle(key, entered.data.who, entered.id) == HANDLE
    assert open_handle(key, again.data.who, again.id) == HANDLE
    assert entered.data.who != again.data.who
    for row in await world.outbox.rows_after(0, 9):
        for secret in (CARD, HANDLE):
            assert secret not in row.payload
            assert secret.hex().encode() not in row.payload.lower()
            assert row.event_class == "A"


async def test_an_end_from_the_server_kills_the_token(world: World) -> None:
    now_ns = world.clock()
    world.engine.answers[CARD] = [a_transition("arrived", CARD, DOOR, now_ns, handle=HANDLE)]
    world.scripts["r-door"].say(a_read(CARD, "r-door", now_ns))
    (entered,) = await world.stored(1)
    assert isinstance(entered.data, VisitEntered)
    world.agent._pipeline.end_visits((entered.data.visit,), "withdrawn")
    world.engine.due = [a_transition("departed", CARD, DOOR, now_ns, handle=HANDLE, reason="timeout")]
    await eventually(lambda: not world.engine.due)
    assert world.outbox.last_seq == 1


async def test_a_device_that_is_lost_is_reported_and_found_again(world: World) -> None:
    script = world.scripts["r-door"]
    await eventually(lambda: world.state_of("r-door") == "ready")
    script.unplug()
    await eventually(lambda: world.state_of("r-door") == "lost")
    assert world.agent.health.state == "alert"
    script.plugged = True
    await eventually(lambda: world.state_of("r-door") == "ready")
    assert script.opened == 2
    assert world.agent.health.state == "ready"
    script.say(a_read(ITEM, "r-door", 5))
    await eventually(lambda: world.engine.fed == 1)


async def test_a_missing_device_does_not_keep_the_others_waiting(edge_folder: Path) -> None:
    async with living(edge_folder) as world:
        world.scripts["r-shoes"].unplug()
        world.scripts["r-door"].say(a_read(ITEM, "r-door", 5))
        await eventually(lambda: world.engine.fed == 1)


async def test_a_bug_in_a_driver_ends_the_agent(edge_folder: Path) -> None:
    config = load_config(edge_folder / "edge.toml")
    async with Outbox(config.data / "outbox.sqlite", "gw-1", quota_bytes=MB, clock_ns=Clock()) as outbox:
        world = World(config, outbox)

        async def broken() -> AsyncIterator[object]:
            raise KeyError("a bug")
            yield

        world.scripts["r-door"].reads = broken  # type: ignore[method-assign, assignment]
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.timeout(WAIT_S):
                await world.agent.run()
        assert caught.group_contains(KeyError)
        assert world.relay.on is not True


async def test_what_waits_is_fed_in_batches_and_what_is_too_much_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = pipeline_module.MAX_WAITING_READS
    for number in range(limit + 7):  # the loop gets no turn meanwhile
        world.agent._pipeline.put(a_read(ITEM, "r-door", number))
    world.agent._arrived.set()
    await eventually(lambda: world.engine.fed == limit)
    assert max(world.engine.batches) == pipeline_module.MAX_BATCH
    assert world.agent.health.tally.dropped_reads == 7
    assert world.agent.stats().dropped_reads == 7


async def test_reads_that_never_cease_do_not_count_as_stuck(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = 0

    def feed() -> None:
        nonlocal batches
        batches += 1
        world.agent._heartbeats.look()

    monkeypatch.setattr(world.agent._pipeline, "has_reads", lambda: batches < 100)
    monkeypatch.setattr(world.agent._pipeline, "feed_batch", feed)
    stuck: set[str] = set()
    monkeypatch.setattr(world.agent._pipeline, "tick", lambda _: stuck.update(world.agent._heartbeats.look()))
    world.agent._arrived.set()
    await eventually(lambda: batches == 100)
    assert "track" not in stuck


async def test_an_antenna_nobody_configured_is_counted(world: World) -> None:
    world.scripts["r-door"].say(a_read(ITEM, "r-door", 1, antenna=2))
    await eventually(lambda: world.agent.health.tally.unknown_antenna == 1)
    stats = world.agent.stats()
    assert stats.counters["unknown_antenna"] == 1
    assert world.engine.fed == 0
    told = {each.id: (each.has_read, each.has_unnamed) for each in stats.readers}
    assert told.pop("r-door") == (True, True)
    assert set(told) == {reader.id for reader in world.config.readers} - {"r-door"}
    assert set(told.values()) == {(False, False)}


async def test_a_weight_that_falls_becomes_a_pick(world: World) -> None:
    def weigh(grams: int) -> None:
        world.scripts["w-s1"].say(Weight(ReaderId("w-s1"), grams, True, world.clock()))  # type: ignore[arg-type]

    world.engine.present = [PresentTag(ITEM, world.clock() - 10**10, 9, 0, 80_000_000)]
    await eventually(lambda: world.state_of("w-s1") == "ready")
    for grams in (1200, 1200, 900, 900):
        weigh(grams)
    (event,) = await world.stored(1)
    assert isinstance(event.data, ShelfPick)
    assert (event.data.shelf, event.data.epc, event.data.gtin, event.data.delta_g) == (
        "s1",
        None,
        "00614141008124",
        -300.0,
    )


async def test_a_command_moves_the_relay_and_its_result_is_durable(world: World) -> None:
    command = ActuatorCommand(
        actuator=ActuatorId("lamp-s1"),
        version=(1, 1),
        decision="d",
        on=True,
        issued_at=to_datetime(world.clock()),
        ttl_ms=5000,
    )
    world.agent._actuators.command("lamp-s1", command)
    (event,) = await world.stored(1)
    assert isinstance(event.data, ActuatorResult)
    assert (event.data.result, event.seq, world.relay.on) == ("done", "1", True)
    world.agent._actuators.link_lost()
    await eventually(lambda: world.relay.on is False)
    world.agent._actuators.command("lamp-s9", command)
    assert world.agent.health.tally.bad_messages == 1


async def test_the_fence_is_still_there_after_the_agent_was_restarted(edge_folder: Path) -> None:
    for version, result in (((1, 5), "done"), ((1, 4), "stale")):
        async with living(edge_folder) as world:
            before = world.outbox.last_seq
            issued_at = to_datetime(world.clock())
            world.agent._actuators.command(
                "lamp-s1",
                ActuatorCommand(
                    actuator=ActuatorId("lamp-s1"),
                    version=version,
                    decision=None,
                    on=True,
                    issued_at=issued_at,
                    ttl_ms=5000,
                ),
            )
            data = (await world.stored(before + 1))[-1].data
            assert isinstance(data, ActuatorResult)
            assert data.result == result
        assert world.relay.on is False


async def test_a_reader_error_carries_its_remedy_into_the_state(world: World) -> None:
    script = world.scripts["w-s1"]
    script.unplug()
    await eventually(lambda: world.state_of("w-s1") == "lost")
    device = next(device for device in world.agent.health.devices if device.id == "w-s1")
    assert device.reason is not None
    assert str(ReaderDisconnected(device.reason)).startswith("w-s1: ")
    assert device.zone == "shoes"


SENSOR = """
[[sensors]]
id = "p-desk"
type = "hlk-ld2410"
port = "sim/p-desk"
zone = "desk"
"""


async def test_what_a_sensor_senses_is_in_the_statistics_and_nothing_else_comes_of_it(edge_folder: Path) -> None:
    def sense(occupied: bool | None, distance_cm: int | None, at_ns: int) -> None:
        world.scripts["p-desk"].say(Proximity(ReaderId("p-desk"), occupied, occupied, distance_cm, at_ns))

    def said() -> tuple[bool | None, int | None]:
        (report,) = world.agent.stats().sensors
        assert (report.id, report.zone) == ("p-desk", "desk")
        return report.occupied, report.distance_cm

    path = edge_folder / "edge.toml"
    path.write_text(path.read_text() + SENSOR)
    async with living(edge_folder) as world:
        assert said() == (None, None)
        came_ns = world.clock()
        sense(True, 90, came_ns)
        sense(True, 80, came_ns + 1_000_000_000)
        await eventually(lambda: said() == (True, 80))
        assert world.agent.stats().sensors[0].since == to_datetime(came_ns), "80 cm is no other presence than 90 cm"
        sense(False, None, came_ns + 2_000_000_000)
        await eventually(lambda: said() == (False, None))
        assert world.agent.stats().sensors[0].since == to_datetime(came_ns + 2_000_000_000)
        world.scripts["p-desk"].unplug()
        await eventually(lambda: world.state_of("p-desk") == "lost")
        assert said() == (None, None), "nobody knows what a lost sensor would sense"
        assert world.outbox.last_seq == 0
        assert world.agent.stats().events == 0
        assert not any("p-desk" in topic for topic in world.agent.uplink.states._payloads)


async def test_a_devices_own_warning_is_told_with_its_state(world: World) -> None:
    def door() -> Device:
        return next(device for device in world.agent.health.devices if device.id == "r-door")

    script = world.scripts["r-door"]
    await eventually(lambda: world.state_of("r-door") == "ready")
    script.health.alarms, script.health.alarm, script.health.temperature_c = 1, "82 C; give it air", 82.0
    await eventually(lambda: door().alarm == "82 C; give it air")
    assert (door().state, door().temperature_c) == ("ready", 82.0)
    assert world.agent.stats().counters["device_alarms"] == 1
    shown = world.shown("edge/gw-1/$state")
    assert isinstance(shown, EdgeState)
    assert [device.alarm for device in shown.devices if device.id == "r-door"] == ["82 C; give it air"]
