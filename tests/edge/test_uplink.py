"""The uplink against a real broker, with a server that acknowledges, or does not, or lies."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import aiomqtt
import pytest

import edge.uplink
from broker_config.messages import (
    ActuatorCommand,
    Data,
    EdgeAck,
    EdgeBacklog,
    EdgeDescription,
    EdgeDropped,
    EdgeQuarantined,
    EdgeState,
    EdgeStats,
    Envelope,
    HostState,
    ItemArrived,
    MembersOffered,
    PostedRow,
    ShelfState,
    TransactionSettled,
    VisitEnded,
    decode,
    encode,
)
from broker_config.site import ActuatorId, ShelfId, ZoneId, load_site
from broker_config.topics import BY_NAME, filters_for, topic_for
from edge.config import BrokerAddress, EdgeConfig, load_config
from edge.delivery import IN_FLIGHT
from edge.events import Announcer
from edge.health import Health
from edge.outbox import Outbox
from edge.outbox_rows import DropRange, Row
from edge.uplink import QUARANTINED_S, Uplink
from edge.uplink_handlers import Handlers
from tests.support.brokers import ENGINES, TestBroker, running_broker
from tests.support.edge import ManualClock, a_transition
from tests.support.patience import WAIT_S, eventually
from tests.support.signing import signed

MB = 1 << 20
STATS = EdgeStats(
    reads=1,
    reads_per_s=0,
    present_items=0,
    present_visits=0,
    strays=0,
    bad_frames=0,
    dropped_reads=0,
    events=0,
    outbox=0,
    dropped_events=0,
    members_version=0,
    member_lease_s=0,
)


@dataclass
class FakeServer:
    """Takes everything down; acknowledges while `acking`; with `together` it takes messages of many, once asked."""

    client: aiomqtt.Client
    sign: Callable[[str, bytes], bytes]
    acking: bool = True
    together: bool = False
    heard: list[tuple[str, Envelope[Data], bool]] = field(default_factory=list)
    asked: int = 0
    seqs: list[int] = field(default_factory=list)
    held: dict[str, set[int]] = field(default_factory=dict)

    async def listen(self) -> None:
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            envelope = decode(message.payload)
            self.heard.append((message.topic.value, envelope, message.retain))
            if isinstance(envelope.data, EdgeBacklog) and self.together:
                self.asked += not envelope.data.rows
                for row in envelope.data.rows:
                    self.take(decode(row.payload.encode()))
                await self.say_how_far(envelope.data.generation)
            if envelope.seq is not None:
                self.take(envelope)
                await self.say_how_far(envelope.generation or "")

    def take(self, envelope: Envelope[Data]) -> None:
        self.seqs.append(int(envelope.seq or 0))
        self.held.setdefault(envelope.generation or "", set()).add(int(envelope.seq or 0))

    async def say_how_far(self, generation: str) -> None:
        held = self.held.setdefault(generation, set())
        if self.acking:
            upto = next(number for number in range(len(held) + 1) if number + 1 not in held)
            await self.ack(generation, upto)

    async def ack(self, generation: str, upto: int, missing: tuple[tuple[int, int], ...] = ()) -> None:
        together = self.together and self.asked > 0
        said = EdgeAck(generation=generation, upto=upto, missing=missing, together=together)
        await self.send("edge_ack", said, agent="gw-1")

    async def send(self, row: str, data: Data, **levels: str) -> None:
        envelope = Envelope(
            specversion="1.0", id="s", source="server", type=data.type_name, time=datetime.now(UTC), data=data
        )
        topic = topic_for(row, "demo", **levels)
        await self.client.publish(topic, self.sign(topic, encode(envelope)), qos=BY_NAME[row].qos)

    def of(self, kind: type[Data]) -> list[Data]:
        return [envelope.data for _, envelope, _ in self.heard if type(envelope.data) is kind]

    def last_state(self) -> str | None:
        states = [data.state for data in self.of(EdgeState) if isinstance(data, EdgeState)]
        return states[-1] if states else None


@dataclass
class Agent:
    """The parts of an agent that the uplink talks to."""

    config: EdgeConfig
    clock: ManualClock
    calls: list[object] = field(default_factory=list)

    @asynccontextmanager
    async def running(self, *, connecting: bool = True) -> AsyncIterator["Agent"]:
        self.announcer = Announcer("demo", "gw-1", (ZoneId("door"),), b"s" * 32, self.clock, simulated=True)
        self.health = Health(self.clock)
        self.health.add("r-door", "magicrf-m100", "door")
        path = self.config.data / "outbox.sqlite"
        async with Outbox(path, "gw-1", quota_bytes=MB, clock_ns=self.clock) as self.outbox:
            handlers = Handlers(
                command=lambda level, command: self.calls.append((level, command.version)),
                members_offered=self.calls.append,
                visits_ended=lambda ended: self.calls.append(ended.visits),
                settled=lambda sold: self.calls.append(sold.epcs),
                link_lost=lambda: self.calls.append("link-lost"),
                host=lambda said: self.calls.append(said.state),
                stats=lambda: STATS,
            )
            self.uplink = Uplink(
                self.config, self.announcer, self.outbox, self.health, handlers, self.clock, check_every_s=0.02
            )
            task = asyncio.create_task(self.uplink.run() if connecting else asyncio.Event().wait())
            try:
                yield self
                assert not task.done(), task
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def happen(self, count: int = 1) -> None:
        transition = a_transition("arrived", b"\x30\x34", 0, self.clock())
        self.outbox.append([self.announcer.item(transition) for _ in range(count)])


@dataclass
class World:
    broker: TestBroker
    server: FakeServer
    agent: Agent


@pytest.fixture(params=ENGINES)
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestBroker]:
    async with running_broker(tmp_path / "broker", engine=request.param) as broker:
        yield broker


def config_for(broker: TestBroker, folder: Path) -> EdgeConfig:
    config = load_config(folder / "edge.toml")
    return replace(config, broker=BrokerAddress(broker.host, broker.port), credential=broker.credential("agent-gw-1"))


@asynccontextmanager
async def serving(broker: TestBroker, **how: object) -> AsyncIterator[FakeServer]:
    async with broker.client("server") as client:
        sign = partial(signed, identity=broker.identity, site_file=broker.site_file)
        server = FakeServer(client, sign, **how)  # type: ignore[arg-type]
        _, subscribe = filters_for("server", load_site(broker.site_file))
        await client.subscribe([(topic, 1) for topic in subscribe])
        listening = asyncio.create_task(server.listen())
        try:
            yield server
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening


@pytest.fixture
async def world(broker: TestBroker, edge_folder: Path, clock: ManualClock) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(broker))
        agent = await stack.enter_async_context(Agent(config_for(broker, edge_folder), clock).running())
        await eventually(lambda: server.last_state() == "ready")
        yield World(broker, server, agent)


async def test_birth_says_what_the_agent_is_and_how_its_devices_are(world: World) -> None:
    await eventually(lambda: world.server.of(EdgeDescription) and world.server.of(EdgeStats))
    (description, *_) = world.server.of(EdgeDescription)
    assert isinstance(description, EdgeDescription)
    assert description.zones == ("door", "shoes", "fitting", "till", "desk", "exit")
    assert description.devices[0].state == "starting"


async def test_an_event_reaches_the_server_and_its_acknowledgement_the_outbox(world: World) -> None:
    world.agent.happen(3)
    await eventually(lambda: world.agent.outbox.acked_upto == 3)
    assert world.server.seqs == [1, 2, 3]
    topic, envelope, retained = next(each for each in world.server.heard if each[1].seq == "2")
    assert (topic, envelope.type, retained) == ("tacet/1/demo/zone/door/item/arrived", ItemArrived.type_name, False)
    assert envelope.id == f"gw-1.{world.agent.outbox.generation}.2"
    assert (envelope.gateway, envelope.generation) == ("gw-1", world.agent.outbox.generation)
    assert envelope.sim is True
    assert envelope.expires is not None
    assert (envelope.expires - envelope.time).total_seconds() == BY_NAME["item_arrived"].expiry_s


async def test_a_lost_device_turns_the_state_to_alert(world: World) -> None:
    world.agent.health.lost("r-door", "no such device;\nplug it in")
    await eventually(lambda: world.server.last_state() == "alert")
    state = world.server.of(EdgeState)[-1]
    assert isinstance(state, EdgeState)
    assert state.devices[0].reason == "no such device; plug it in"


async def test_a_state_is_retained_and_only_the_newest_of_many_counts(
    broker: TestBroker, edge_folder: Path, clock: ManualClock
) -> None:
    async with Agent(config_for(broker, edge_folder), clock).running() as agent:
        for items in range(50):
            state = ShelfState(shelf=ShelfId("s1"), grams=1.0, items=items, sensor="ok")
            agent.uplink.states.show(state, "s1", shelf="s1")
        async with serving(broker) as first:
            await eventually(lambda: first.of(ShelfState))
        async with serving(broker) as late:
            await eventually(lambda: late.of(ShelfState))
    ((_, envelope, retained),) = (each for each in late.heard if isinstance(each[1].data, ShelfState))
    assert isinstance(envelope.data, ShelfState)
    assert (envelope.data.items, retained) == (49, True)
    assert len(first.of(ShelfState)) == 1


async def test_commands_offers_and_ends_reach_their_handlers(world: World) -> None:
    command = ActuatorCommand(
        actuator=ActuatorId("lamp-s1"), version=(3, 4), decision=None, on=True, issued_at=datetime.now(UTC), ttl_ms=9
    )
    await world.server.send("actuator_cmd", command, actuator="lamp-s1")
    await world.server.send("edge_members", MembersOffered(version=8), agent="gw-1")
    await world.server.send("visit_ended", VisitEnded(visits=("ab",), cause="left"))
    sold = TransactionSettled(transaction="cd", epcs=("3034257b",), settled_at=datetime.now(UTC))
    await world.server.send("txn_settled", sold)
    await eventually(lambda: len(world.agent.calls) == 4)
    assert world.agent.calls == [("lamp-s1", (3, 4)), 8, ("ab",), ("3034257b",)]


async def test_orders_that_the_server_has_not_signed_move_nothing_and_raise_the_alarm(world: World) -> None:
    order = ActuatorCommand(
        actuator=ActuatorId("lamp-s1"), version=(3, 4), decision=None, on=True, issued_at=datetime.now(UTC), ttl_ms=9
    )
    envelope = Envelope(specversion="1.0", id="s", source="s", type=order.type_name, time=datetime.now(UTC), data=order)
    topic, say = topic_for("actuator_cmd", "demo", actuator="lamp-s1"), world.server.client.publish
    offer_topic, good = topic_for("edge_members", "demo", agent="gw-1"), world.server.sign(topic, encode(envelope))
    await say(topic, encode(envelope), qos=1)  # unsigned
    await say(topic, good.replace(b'"on":true', b'"on":false'), qos=1)  # altered
    await say(topic, good[:-1] + b',"data":{"on":false}}', qos=1)  # with something behind the signature
    await say(offer_topic, good, qos=1)  # on another topic than it was signed for
    await eventually(lambda: world.agent.health.tally.forged_orders == 4)
    assert world.agent.calls == []
    assert [device.id for device in world.agent.health.devices if device.alarm] == ["orders.signed"]
    await say(topic, good, qos=1)
    await eventually(lambda: world.agent.calls == [("lamp-s1", (3, 4))])


async def test_an_order_that_a_broker_kept_moves_nothing(
    broker: TestBroker, edge_folder: Path, clock: ManualClock
) -> None:
    async with serving(broker) as server:
        order = ActuatorCommand(
            actuator=ActuatorId("lamp-s1"),
            version=(3, 4),
            decision=None,
            on=True,
            issued_at=datetime.now(UTC),
            ttl_ms=9,
        )
        envelope = Envelope(
            specversion="1.0", id="s", source="s", type=order.type_name, time=datetime.now(UTC), data=order
        )
        topic = topic_for("actuator_cmd", "demo", actuator="lamp-s1")
        await server.client.publish(topic, server.sign(topic, encode(envelope)), qos=1, retain=True)
        async with Agent(config_for(broker, edge_folder), clock).running() as agent:
            await eventually(lambda: agent.health.tally.bad_messages == 1)
            assert agent.calls == []


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"\xff\xfe", b"[" * 5000, b'{"specversion":"1.0"}', b'{"id":1e999}', b"x" * 60_000]
)
async def test_a_message_nobody_can_read_is_counted_and_forgotten(world: World, payload: bytes) -> None:
    await world.server.client.publish(topic_for("edge_ack", "demo", agent="gw-1"), payload, qos=1)
    await eventually(lambda: world.agent.health.tally.bad_messages == 1)
    world.agent.happen()
    await eventually(lambda: world.agent.outbox.acked_upto == 1)


async def test_a_message_on_anothers_topic_is_counted_and_forgotten(world: World) -> None:
    data = MembersOffered(version=8)
    envelope = Envelope(specversion="1.0", id="s", source="s", type=data.type_name, time=datetime.now(UTC), data=data)
    await world.server.client.publish(topic_for("edge_ack", "demo", agent="gw-1"), encode(envelope), qos=1)
    await eventually(lambda: world.agent.health.tally.bad_messages == 1)
    assert world.agent.calls == []


async def test_what_happens_while_nobody_listens_is_sent_when_somebody_does(
    broker: TestBroker, edge_folder: Path, clock: ManualClock
) -> None:
    agent = Agent(config_for(broker, edge_folder), clock)
    away = replace(agent.config, broker=BrokerAddress(broker.host, 1))  # nothing listens there
    async with Agent(away, clock).running() as early:
        early.happen(120)
        await early.outbox.flush()
    async with serving(broker) as server, agent.running():
        agent.happen(5)
        await eventually(lambda: agent.outbox.acked_upto == 125)
        assert sorted(server.seqs) == sorted([*range(1, 6), *range(1, 121)])
        assert sorted(map(len, server.held.values())) == [5, 120]


async def test_a_backlog_goes_many_in_a_message_where_the_server_says_that_they_come_through(
    broker: TestBroker, edge_folder: Path, clock: ManualClock
) -> None:
    agent = Agent(config_for(broker, edge_folder), clock)
    async with serving(broker, together=True, acking=False) as server, agent.running():
        agent.happen(3)
        agent.happen(120)
        await eventually(lambda: set(server.seqs) == set(range(1, 124)))
        await server.ack(agent.outbox.generation, 0)
        await eventually(lambda: agent.uplink._backlog.together)
        agent.uplink.delivery.start_over(agent.uplink._now_s())  # as if the connection were new
        agent.uplink._backlog.wake.set()

        def rows() -> list[PostedRow]:
            return [row for data in server.of(EdgeBacklog) if isinstance(data, EdgeBacklog) for row in data.rows]

        await eventually(lambda: {int(decode(row.payload.encode()).seq or 0) for row in rows()} == set(range(1, 124)))
        server.acking = True
        await server.say_how_far(agent.outbox.generation)
        await eventually(lambda: agent.outbox.acked_upto == 123)
        (topic,) = {topic for topic, envelope, _ in server.heard if isinstance(envelope.data, EdgeBacklog)}
    assert topic == "tacet/1/demo/edge/gw-1/backlog"
    assert len(server.of(EdgeBacklog)) <= len(rows()) / 10


async def test_a_server_that_is_new_is_asked_again_before_it_gets_many_in_a_message(
    broker: TestBroker, edge_folder: Path, clock: ManualClock
) -> None:
    agent = Agent(config_for(broker, edge_folder), clock)
    async with serving(broker, together=True) as server, agent.running():
        await eventually(lambda: agent.uplink._backlog.together)
        server.together = False  # one of an earlier release
        began, asked = datetime.now(UTC), len(server.of(EdgeBacklog))
        for session in ("s1", "s2"):
            await server.send("server_state", HostState(state="ready", session=session, since=began))
        await eventually(lambda: len(server.of(EdgeBacklog)) > asked)
        agent.happen(2)
        await eventually(lambda: agent.outbox.acked_upto == 2)
        assert not agent.uplink._backlog.together


async def test_the_brokers_acknowledgement_is_not_enough(
    broker: TestBroker, edge_folder: Path, clock: ManualClock
) -> None:
    async with (
        serving(broker, acking=False) as server,
        Agent(config_for(broker, edge_folder), clock).running() as agent,
    ):
        agent.happen(4)
        await eventually(lambda: len(server.seqs) == 4)
        assert agent.outbox.waiting == 4
        agent.uplink.delivery.check_overdue(1e9)  # patience ends
        agent.uplink._backlog.wake.set()
        await eventually(lambda: len(server.seqs) == 8)
        await server.ack(agent.outbox.generation, 4)
        await eventually(lambda: agent.outbox.waiting == 0)
    assert sorted(server.seqs) == [1, 1, 2, 2, 3, 3, 4, 4]


async def test_drops_are_declared_until_the_server_has_them(
    broker: TestBroker, edge_folder: Path, clock: ManualClock
) -> None:
    async with (
        serving(broker, acking=False) as server,
        Agent(config_for(broker, edge_folder), clock).running() as agent,
    ):
        agent.happen(2)
        await agent.outbox.flush()
        await agent.outbox._call(lambda: agent.outbox._store.commit([], {}, [DropRange(3, 5, "B")]))
        await eventually(lambda: server.of(EdgeDropped))
        dropped = server.of(EdgeDropped)[0]
        assert isinstance(dropped, EdgeDropped)
        assert (dropped.generation, dropped.first, dropped.last) == (agent.outbox.generation, 3, 5)
        assert dropped.event_class == "B"


async def test_a_clean_stop_says_goodbye(broker: TestBroker, edge_folder: Path, clock: ManualClock) -> None:
    async with serving(broker) as server:
        async with Agent(config_for(broker, edge_folder), clock).running():
            await eventually(lambda: server.last_state() == "ready")
        await eventually(lambda: server.last_state() == "disconnected")


async def test_a_cut_connection_is_mourned_by_the_will_and_healed_with_nothing_lost(
    broker: TestBroker, edge_folder: Path, clock: ManualClock
) -> None:
    async with serving(broker) as server, relay(broker) as cut:
        config = replace(config_for(broker, edge_folder), broker=BrokerAddress("127.0.0.1", cut.port))
        async with Agent(config, clock).running() as agent:
            await eventually(lambda: server.last_state() == "ready")
            first = server.of(EdgeState)[-1]
            cut.cut()
            agent.happen(10)
            await eventually(lambda: agent.outbox.acked_upto == 10)
            states = [data for data in server.of(EdgeState) if isinstance(data, EdgeState)]
            assert isinstance(first, EdgeState)
            assert [s.session for s in states if s.state == "lost"] == [first.session]
            assert states[-1].session != first.session
            assert "link-lost" in agent.calls
            assert agent.health.tally.link_losses == 1


@dataclass
class Cut:
    """A wire between agent and broker that can be cut."""

    port: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()


@asynccontextmanager
async def relay(broker: TestBroker) -> AsyncIterator[Cut]:
    wire = Cut()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(broker.host, broker.port)
        wire.writers += [writer, far_writer]
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    wire.port = listening.sockets[0].getsockname()[1]
    async with listening:
        try:
            yield wire
        finally:
            wire.cut()


async def test_a_refused_password_is_retried_not_fatal(
    broker: TestBroker, edge_folder: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_for(broker, edge_folder)
    wrong = replace(config, credential=load_config(edge_folder / "edge.toml").credential)
    caplog.set_level(logging.DEBUG)
    async with serving(broker) as server, Agent(wrong, clock).running() as agent:
        await eventually(lambda: refusals(caplog) >= 2)
        assert (server.last_state(), agent.uplink.delivery.connected) == (None, False)
    warnings = [
        record for record in caplog.records if record.name == "edge.uplink" and record.levelno >= logging.WARNING
    ]
    assert len(warnings) == 1, "the same trouble was said twice"


def refusals(caplog: pytest.LogCaptureFixture) -> int:
    return sum("trying again" in record.getMessage() for record in caplog.records)


class StubClient:
    """A connection that is broken, and deaf to cancellation, when the test says so."""

    def __init__(self) -> None:
        self.timeout = 10.0
        self.topics: list[str] = []
        self.busy = self.deaf = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def subscribe(self, topics: object) -> None: ...

    @property
    async def messages(self) -> AsyncIterator[aiomqtt.Message]:
        await self.lost
        yield aiomqtt.Message("never", b"", 0, False, 0, None)

    async def publish(self, topic: str, payload: bytes, **_: object) -> None:
        self.topics.append(topic)
        if self.deaf:  # as asyncio.wait_for before 3.12, when the answer comes in the same turn as the cancellation
            self.busy = True
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            self.deaf = False


@asynccontextmanager
async def unconnected(folder: Path, clock: ManualClock) -> AsyncIterator[Agent]:
    async with Agent(load_config(folder / "edge.toml"), clock).running(connecting=False) as agent:
        yield agent


async def test_a_stop_in_the_turn_of_an_answer_still_stops(edge_folder: Path, clock: ManualClock) -> None:
    async with unconnected(edge_folder, clock) as agent:
        for sends in (agent.uplink.states.send, agent.uplink._send_stats, agent.uplink._check):
            await agent.outbox._call(lambda: agent.outbox._store.commit([], {}, [DropRange(1, 3, "B")]))
            client = StubClient()
            client.deaf = True
            agent.health.lost("r-door", sends.__name__)  # a state to tell
            task = asyncio.create_task(sends(client))  # type: ignore[arg-type]
            await eventually(lambda client=client: client.busy)  # type: ignore[misc]
            task.cancel()
            await eventually(task.done)
            assert task.cancelled()


async def test_a_stop_in_the_turn_of_the_subscription_still_stops(edge_folder: Path, clock: ManualClock) -> None:
    class Subscribing(StubClient):
        async def subscribe(self, topics: object) -> None:
            self.busy = True
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    async with unconnected(edge_folder, clock) as agent:
        client = Subscribing()
        task = asyncio.create_task(agent.uplink._serve(client))  # type: ignore[arg-type]
        await eventually(lambda: client.busy)
        task.cancel()
        await asyncio.wait([task], timeout=WAIT_S)
        stopped = task.done()
        task.cancel()
        await asyncio.wait([task])
        assert stopped


async def test_events_still_go_out_after_a_connection_broke_while_many_were_to_be_sent(
    edge_folder: Path, clock: ManualClock
) -> None:
    async with unconnected(edge_folder, clock) as agent:
        first, second = StubClient(), StubClient()
        serving = asyncio.create_task(agent.uplink._serve(first))  # type: ignore[arg-type]
        await eventually(lambda: agent.uplink.delivery.connected and not agent.uplink.delivery.backlog_due)
        first.lost.set_exception(aiomqtt.MqttError("gone"))
        agent.uplink._committed([Row(seq, "B", "event", b"") for seq in range(1, IN_FLIGHT + 1)])  # in the same turn
        with pytest.raises(aiomqtt.MqttError, match="gone"):
            await serving
        agent.uplink.delivery.link_down()
        serving = asyncio.create_task(agent.uplink._serve(second))  # type: ignore[arg-type]
        await eventually(lambda: agent.uplink.delivery.connected and not agent.uplink.delivery.backlog_due)
        agent.happen()
        try:
            await eventually(lambda: any("item/arrived" in topic for topic in second.topics))
        finally:
            serving.cancel()
            await asyncio.wait([serving])


async def test_a_name_server_that_is_away_does_not_count_as_stuck(
    edge_folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting, answer = asyncio.Event(), asyncio.Event()

    async def connect(_backoff: object) -> None:
        connecting.set()
        await answer.wait()

    async with unconnected(edge_folder, clock) as agent:
        monkeypatch.setattr(agent.uplink, "_stay", connect)
        running = asyncio.create_task(agent.uplink.run())
        await connecting.wait()
        for _ in range(200):
            agent.uplink._heartbeat.look()
        assert not agent.uplink._heartbeat.stuck
        running.cancel()
        await asyncio.wait([running])


async def test_many_drops_to_declare_do_not_count_as_stuck(edge_folder: Path, clock: ManualClock) -> None:
    class Slow(StubClient):
        async def publish(self, topic: str, payload: bytes, **_: object) -> None:
            await super().publish(topic, payload)
            for _ in range(30):
                agent.uplink._heartbeat.look()

    async with unconnected(edge_folder, clock) as agent:
        agent.uplink._heartbeat.beat()
        client = Slow()
        await agent.uplink._declare(client, [DropRange(n, n, "B") for n in range(1, 20, 2)])  # type: ignore[arg-type]
        assert len(client.topics) == 10
        assert not agent.uplink._heartbeat.stuck


def host(session: str, state: str = "ready") -> HostState:
    return HostState(state=state, session=session, since=datetime.now(UTC))


async def test_a_server_that_comes_back_gets_at_once_what_it_has_lost(
    broker: TestBroker, edge_folder: Path, clock: ManualClock
) -> None:
    async with (
        serving(broker, acking=False) as server,
        Agent(config_for(broker, edge_folder), clock).running() as agent,
    ):
        agent.happen(3)
        await server.send("server_state", host("one"))
        await eventually(lambda: len(server.seqs) == 3)
        await server.send("server_state", host("one"))
        await server.send("server_state", host("two", "lost"))
        await server.send("server_state", host("two"))
        await eventually(lambda: len(server.seqs) == 6)
        assert sorted(server.seqs) == [1, 1, 2, 2, 3, 3], "once for each start of the server"


async def test_an_agent_in_quarantine_comes_back_rarely(
    broker: TestBroker, edge_folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        waited.append((low, high))
        return 0.05

    async with serving(broker) as server, relay(broker) as cut:
        config = replace(config_for(broker, edge_folder), broker=BrokerAddress("127.0.0.1", cut.port))
        async with Agent(config, clock).running() as agent:
            await eventually(lambda: server.last_state() == "ready")
            await server.send("edge_quarantine", EdgeQuarantined(quarantined=True, why="twice"), agent="gw-1")
            await eventually(lambda: agent.uplink.quarantined)
            monkeypatch.setattr(edge.uplink.random, "uniform", uniform)
            cut.cut()
            await eventually(lambda: agent.health.tally.link_losses == 1 and agent.uplink.delivery.connected)
            assert waited == [QUARANTINED_S]
            await server.send("edge_quarantine", EdgeQuarantined(quarantined=False), agent="gw-1")
            await eventually(lambda: not agent.uplink.quarantined)


async def test_sessions_only_grow_over_connections_and_starts(
    broker: TestBroker, edge_folder: Path, clock: ManualClock
) -> None:
    async with serving(broker) as server:
        for _ in range(2):
            async with Agent(config_for(broker, edge_folder), clock).running() as agent:
                agent.happen()
                await eventually(lambda: server.last_state() == "ready")
            await eventually(lambda: server.last_state() == "disconnected")
        said = [data for data in server.of(EdgeState) if isinstance(data, EdgeState)]
        sessions, generations = [each.session for each in said], [each.generation for each in said]
        assert sessions == sorted(sessions)
        assert len(set(sessions)) == len(set(generations)) == 2
        assert said[-1].generations == tuple(dict.fromkeys(generations))


async def test_a_birth_says_since_when_it_knows_who_is_where_only_once_it_knows_the_time(world: World) -> None:
    """One that waited in the broker would be dated by its arrival, and whoever came in meanwhile would be forgotten."""
    before = world.server.of(EdgeState)[-1]
    world.agent.uplink.states.date()
    await eventually(lambda: world.server.of(EdgeState)[-1] != before)
    after = world.server.of(EdgeState)[-1]
    assert isinstance(before, EdgeState)
    assert isinstance(after, EdgeState)
    assert (before.started, after.started) == (None, world.agent.uplink.states.started_at)
    assert after.session == before.session
