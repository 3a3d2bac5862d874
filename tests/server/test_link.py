"""The link against a real broker: what the devices see, and what a broken line does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

import server.runtime
from broker_config.length_guard import AROUND_BYTES
from broker_config.limits import MAX_PACKET_BYTES
from broker_config.messages import (
    BaseSet,
    DisplayState,
    EdgeAck,
    EdgeState,
    EdgeStats,
    HostState,
    MembersOffered,
    MomentSet,
    TransactionSettled,
    decode,
)
from broker_config.site import load_site
from broker_config.topics import topic_for
from server.clock import to_datetime
from server.commands.keys import CommandKeys
from server.config import load_config
from server.errors import TooLarge
from server.link import Link, Outgoing
from server.runtime import end, running
from server.state import ServerState
from server.summary import status
from tests.server.harness import RIVER, Clock, Edge, token, write_store
from tests.support.brokers import ENGINES, running_broker
from tests.support.patience import WAIT_S, eventually


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[tuple[ServerState, object]]:
    """A running server and its broker, with the demo's members."""
    async with running_broker(folder) as broker:
        write_store(folder, broker_port=broker.port)
        async with running(load_config(folder / "server.toml"), Clock()) as state:
            await eventually(lambda: state.link.connected)
            await state.members.import_csv((folder / "members.csv").read_text())
            yield state, broker


async def first(client: aiomqtt.Client, kind: type):
    """The next message of one kind."""
    async with asyncio.timeout(WAIT_S):
        async for message in client.messages:
            if isinstance(data := decode(message.payload).data, kind):
                return data, message
    raise AssertionError


async def test_an_agents_event_becomes_a_moment_and_an_acknowledgement(tmp_path):
    async with connected(tmp_path) as (state, broker):
        edge = Edge(state, state.clock_ns)
        handle = await edge.handle_of(RIVER)
        async with broker.client("agent-gw-1") as agent, broker.client("display-d-door") as display:
            await agent.subscribe("tacet/1/demo/edge/gw-1/ack", 1)
            await display.subscribe("tacet/1/demo/display/d-door/moment/set", 1)
            event = edge.entered("door", handle, token(1))
            await agent.publish(event.topic, event.payload, 1)
            moment, message = await first(display, MomentSet)
            assert (moment.content, message.retain) == ("welcome", False)
            ack, _ = await first(agent, EdgeAck)
            assert (ack.generation, ack.upto) == (edge.generation, 1)


async def test_a_display_that_comes_late_finds_its_base_content(tmp_path):
    async with connected(tmp_path) as (_, broker), broker.client("display-d-shoes") as display:
        await display.subscribe("tacet/1/demo/display/d-shoes/base/set", 1)
        base, message = await first(display, BaseSet)
        assert [item.content for item in base.items] == ["base-open", "base-shoes"]
        assert message.retain


async def test_a_born_agent_is_told_the_table_and_how_far_it_has_come(tmp_path):
    async with connected(tmp_path) as (state, broker):
        edge = Edge(state, state.clock_ns)
        await edge.deliver(edge.entered("door", await edge.handle_of(RIVER), token(1)))
        async with broker.client("agent-gw-1") as agent:
            await agent.subscribe([("tacet/1/demo/edge/gw-1/ack", 1), ("tacet/1/demo/edge/gw-1/cmd/members", 1)])
            since = to_datetime(state.clock_ns())
            birth = edge.said(EdgeState(state="ready", session="s1", since=since), agent="gw-1")
            await agent.publish(birth.topic, birth.payload, 1, retain=True)
            offer, _ = await first(agent, MembersOffered)
            assert offer.version == (await state.member_tables.table("gw-1"))[0]
            ack, _ = await first(agent, EdgeAck)
            assert ack.upto == 1


async def test_states_are_followed_and_an_old_will_is_not_believed(tmp_path):
    async with connected(tmp_path) as (state, broker):
        edge = Edge(state, state.clock_ns)
        since = to_datetime(state.clock_ns())
        async with broker.client("agent-gw-1") as agent, broker.client("display-d-door") as display:
            for data, levels, who in (
                (EdgeState(state="ready", session="new", since=since), {"agent": "gw-1"}, agent),
                (EdgeState(state="lost", session="old", since=since), {"agent": "gw-1"}, agent),
                (DisplayState(state="ready", session="d", since=since), {"display": "d-door"}, display),
                (stats(reads=77), {"agent": "gw-1"}, agent),
            ):
                message = edge.said(data, **levels)
                await who.publish(message.topic, message.payload, 1)
            view = state.fleet.agents
            await eventually(lambda: view["gw-1"].stats is not None and state.fleet.displays["d-door"].state == "ready")
            assert view["gw-1"].state == "ready"


def stats(reads: int) -> EdgeStats:
    return EdgeStats(
        reads=reads, reads_per_s=1.0, present_items=0, present_visits=0, strays=0, bad_frames=0, dropped_reads=0,
        events=0, outbox=0, dropped_events=0, members_version=1, member_lease_s=1,
    )  # fmt: skip


@pytest.mark.parametrize("engine", ["amqtt", "mosquitto"])
async def test_a_broker_that_comes_late_goes_and_comes_again_is_found(tmp_path, engine):
    folder = tmp_path / "store"
    async with running_broker(folder, engine=engine) as broker:
        port = broker.port
    write_store(folder, broker_port=port)
    async with running(load_config(folder / "server.toml"), Clock()) as state:
        assert not state.link.connected
        async with running_broker(folder, port=port, engine=engine):
            await eventually(lambda: state.link.connected)
        await eventually(lambda: not state.link.connected)
        state.link.send(MembersOffered(version=4711), agent="gw-1")
        assert state.link._outgoing  # it waits for the broker
        async with running_broker(folder, port=port, engine=engine) as broker, broker.client("agent-gw-1") as agent:
            await agent.subscribe("tacet/1/demo/edge/gw-1/cmd/members", 1)
            # The first one may have gone before we listened; that it went is all there is to see of it.
            await eventually(lambda: state.link.connected and not state.link._outgoing and not state.link._in_flight)
            state.link.send(MembersOffered(version=4712), agent="gw-1")
            offer, _ = await first(agent, MembersOffered)
            while offer.version != 4712:
                offer, _ = await first(agent, MembersOffered)


async def test_a_server_ends_though_a_wait_swallows_its_cancellation(store, monkeypatch):
    async def deaf_once(_link):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    monkeypatch.setattr(Link, "run", deaf_once)
    monkeypatch.setattr(server.runtime, "CANCEL_AGAIN_S", 0.01)
    async with asyncio.timeout(WAIT_S / 3):
        async with running(load_config(store / "server.toml"), Clock()):
            await asyncio.sleep(0)


async def test_what_waits_longer_than_it_is_worth_is_dropped_and_counted(edge, state, clock):
    state.link._outgoing.clear()
    await edge.visit(RIVER, "door", token(1))
    waiting = len(state.link._outgoing)
    clock.pass_s(16)  # a moment's expiry, not that of the record of its decision
    kept = state.link._take()
    assert state.link.expired_outgoing == 1
    assert len(kept) == waiting - 1
    assert not any("moment/set" in out.topic for out in kept)


async def test_screens_know_whether_the_server_is_there(tmp_path):
    async with running_broker(tmp_path) as broker, broker.client("display-d-door") as display:
        write_store(tmp_path, broker_port=broker.port)
        await display.subscribe("tacet/1/demo/server/$state", 1)
        async with running(load_config(tmp_path / "server.toml"), Clock()):
            born, message = await first(display, HostState)
            assert (born.state, message.retain) == ("ready", False)
            again, _ = await first(display, HostState)
            assert again == born, "it says so again and again, in one session"
        gone, _ = await first(display, HostState)
        assert (gone.state, gone.session) == ("disconnected", born.session)


async def test_a_server_that_dies_is_mourned_and_who_comes_later_hears_of_it(tmp_path):
    async with running_broker(tmp_path) as broker, broker.client("display-d-door") as display:
        await display.subscribe("tacet/1/demo/server/$state", 1)
        write_store(tmp_path, broker_port=broker.port)
        site = load_site(tmp_path / "site.toml")
        link = Link(
            load_config(tmp_path / "server.toml").broker,
            broker.credential("server"),
            site,
            CommandKeys(broker.identity, site),
            Clock(),
        )
        running_link = asyncio.create_task(link.run())
        born, _ = await first(display, HostState)
        async with broker.client("server"):  # the same identity pushes it out, without a good-bye
            lost, _ = await first(display, HostState)
            assert (lost.state, lost.session) == ("lost", born.session)
            await end(running_link)
        async with broker.client("display-d-shoes") as late:
            await late.subscribe("tacet/1/demo/server/$state", 1)
            heard, message = await first(late, HostState)
            assert (heard.state in ("lost", "disconnected"), message.retain) == (True, True)


def offer_of(size_bytes: int, topic: str) -> Outgoing:
    """A message whose packet is that long, as the guard counts; what no broker takes begins one above its limit."""
    return Outgoing(topic, b"x" * (size_bytes - AROUND_BYTES - len(topic)), 1, retain=False, expires_ns=None)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_message_that_no_broker_takes_is_held_back_and_the_connection_stays(tmp_path, engine, caplog):
    topic, sold_topic = "tacet/1/demo/edge/gw-1/cmd/members", topic_for("txn_settled", "demo")
    longest, longer = (offer_of(MAX_PACKET_BYTES + more, topic) for more in (0, 1))
    async with running_broker(tmp_path, engine=engine) as broker, broker.client("agent-gw-1") as agent:
        write_store(tmp_path, broker_port=broker.port)
        await agent.subscribe(topic, 1)
        async with running(load_config(tmp_path / "server.toml"), Clock()) as state:
            await eventually(lambda: state.link.connected)
            for out in (longer, longer, longest, longer):
                state.link._push(out)
            sold = TransactionSettled(
                transaction="0" * 32, epcs=("30" * 12,) * 3000, settled_at=to_datetime(state.clock_ns())
            )
            with pytest.raises(TooLarge, match="in parts"):
                await state.link.deliver(sold, within_s=WAIT_S)
            state.link.send(MembersOffered(version=4711), agent="gw-1")
            assert not state.link._retelling.unexpired(state.clock_ns()), "nor is it told again under another key"
            sizes = []
            async with asyncio.timeout(WAIT_S):
                async for message in agent.messages:
                    sizes.append(len(message.payload))
                    if b"4711" in message.payload:
                        break
            assert len(longest.payload) in sizes
            assert len(longer.payload) not in sizes
            assert state.link.guard.held_back == 4
            assert "cmd/members" not in str(status(state).alarm), "its newest message was sent"
            assert f"not sent: {sold_topic};" in str(status(state).alarm)
    said = [each.message for each in caplog.records if "held back" in each.message]
    assert [topic in each for each in said] == [True, True, False], "once until one fits again"
    assert not [each for each in caplog.records if "lost" in each.message], "one connection for all of it"
