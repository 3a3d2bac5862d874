"""The uplink's connection: its birth and death, a cut wire, a refusal, a stop in the wrong instant."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest

import edge.uplink
from broker_config.messages import EdgeDropped, EdgeQuarantined, EdgeState
from broker_config.topics import topic_for
from edge.config import BrokerAddress, load_config
from edge.delivery import IN_FLIGHT
from edge.outbox_rows import DropRange, PendingEvent, Row
from edge.uplink import QUARANTINED_S
from tests.edge.uplink.rig import Agent, StubClient, config_for, relay, serving, unconnected
from tests.support.brokers import TestBroker
from tests.support.edge import ManualClock
from tests.support.patience import WAIT_S, eventually


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


async def test_what_is_too_long_for_the_broker_is_held_back_and_an_event_declared_and_the_connection_stays(
    broker: TestBroker, edge_folder: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent(config_for(broker, edge_folder), clock)
    async with serving(broker) as server, agent.running():
        await eventually(lambda: server.last_state() == "ready")
        agent.health.warn("host.long", "host", "x" * 70_000)
        agent.outbox.append(
            [PendingEvent(topic_for("item_arrived", "demo", zone="door"), "B", lambda _: b"x" * 65_000)]
        )
        agent.happen()
        await eventually(lambda: server.seqs == [2] and server.of(EdgeDropped))
        (dropped,) = {(each.first, each.last, each.event_class) for each in server.of(EdgeDropped)}
        assert dropped == (1, 1, "B")
        assert agent.outbox.dropped_events == 1
        await eventually(lambda: agent.health.outgoing.held_back > 0)
        agent.health.warn("host.long", "host", "short")
        await eventually(lambda: server.of(EdgeState)[-1].devices[-1].alarm == "short")
        assert agent.health.tally.link_losses == 0
    said = [each.message for each in caplog.records if "held back" in each.message]
    assert len(said) == 1
    assert "gw-1/$state" in said[0]
