"""What the uplink tells against a real broker, with a server that acknowledges, or does not, or lies."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from broker_config.messages import (
    EdgeBacklog,
    EdgeDescription,
    EdgeDropped,
    EdgeState,
    EdgeStats,
    HostState,
    ItemArrived,
    PostedRow,
    ShelfState,
    decode,
)
from broker_config.site import ShelfId
from broker_config.topics import BY_NAME
from edge.config import BrokerAddress
from edge.outbox_rows import DropRange
from tests.edge.uplink.rig import Agent, World, config_for, serving
from tests.support.brokers import TestBroker
from tests.support.edge import ManualClock
from tests.support.patience import eventually


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


async def test_a_birth_says_since_when_it_knows_who_is_where_only_once_it_knows_the_time(world: World) -> None:
    """One that waited in the broker would be dated by its arrival, and whoever came in meanwhile would be forgotten."""
    before = world.server.of(EdgeState)[-1]
    world.agent.uplink.states.date(None)
    assert world.agent.uplink.states.started_at is None, "nobody knows how wrong the clock was that says so"
    world.agent.uplink.states.date(1_800_000_000 * 10**9)
    await eventually(lambda: world.server.of(EdgeState)[-1] != before)
    after = world.server.of(EdgeState)[-1]
    assert isinstance(before, EdgeState)
    assert isinstance(after, EdgeState)
    assert (before.started, after.started) == (None, datetime.fromtimestamp(1_800_000_000, UTC))
    assert after.session == before.session
    world.agent.uplink.states.date(1_800_000_001 * 10**9)
    assert world.agent.uplink.states.started_at == after.started, "the next answer of /time makes nobody come later"
