"""The agent's connection by certificate: refused ones cost no event, and a renewed one is taken up without a restart."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from broker_config.messages import EdgeState
from broker_config.pki.expiry import utc_now
from edge.config import BrokerAddress, EdgeConfig, load_config
from tests.edge.uplink.rig import Agent, FakeServer, serving
from tests.support.brokers import TestBroker, network_door, running_broker
from tests.support.certificates import DAY, FAULTS
from tests.support.edge import ManualClock
from tests.support.patience import eventually

USER = "agent-gw-1"
SAID = {
    "expired": "has expired",
    "not-yet-valid": "not valid",
    "of-another-ca": "does not know the CA",
    "revoked": "was revoked",
}


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[TestBroker]:
    async with running_broker(tmp_path / "broker", engine="mosquitto", tls=network_door()) as broker:
        yield broker


def config_for(broker: TestBroker, folder: Path) -> EdgeConfig:
    assert broker.tls is not None
    address = BrokerAddress("localhost", broker.tls.port, broker.files(USER))
    return replace(load_config(folder / "edge.toml"), broker=address, credential=broker.credential(USER))


def alarms(server: FakeServer) -> list[str | None]:
    """What the agent's last state warns of."""
    states = [data for data in server.of(EdgeState) if isinstance(data, EdgeState) and data.state != "lost"]
    return [device.alarm for device in states[-1].devices if device.kind == "certificate"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_refused_certificate_costs_no_event_and_its_renewal_is_taken_up(
    broker: TestBroker, edge_folder: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    caplog.set_level(logging.WARNING)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(broker))
        agent = await stack.enter_async_context(Agent(config_for(broker, edge_folder), clock).running())
        agent.happen(3)
        await eventually(lambda: agent.outbox.acked_upto == 3)
        FAULTS[fault](broker.pki, USER)
        await eventually(lambda: SAID[fault] in caplog.text)
        agent.happen(20)
        await asyncio.sleep(0.5)
        assert agent.outbox.acked_upto == 3
        broker.pki.issue(USER, utc_now(), 365)
        await eventually(lambda: agent.outbox.acked_upto == 23)
        assert sorted(set(server.seqs)) == list(range(1, 24))


async def test_the_end_of_a_certificate_is_told_in_the_state_while_it_nears_and_not_after_its_renewal(
    broker: TestBroker, edge_folder: Path, clock: ManualClock
) -> None:
    broker.pki.issue(USER, utc_now() - 359 * DAY, 365)
    async with serving(broker) as server, Agent(config_for(broker, edge_folder), clock).running():
        await eventually(lambda: server.last_state() == "ready" and alarms(server))
        (alarm,) = alarms(server)
        assert f"{USER} expires in 5 days" in str(alarm)
        broker.pki.issue(USER, utc_now(), 365)
        await eventually(lambda: not alarms(server))


async def test_a_half_carried_over_pair_keeps_the_connection(
    broker: TestBroker, edge_folder: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(broker) as server, Agent(config_for(broker, edge_folder), clock).running() as agent:
        await eventually(lambda: server.last_state() == "ready")
        broker.pki.issue("agent-gw-2", utc_now(), 365)
        broker.pki.pair(USER)[1].write_bytes(broker.pki.pair("agent-gw-2")[1].read_bytes())
        await eventually(lambda: "cannot be used" in caplog.text)
        agent.happen()
        await eventually(lambda: agent.outbox.acked_upto == 1)
        assert agent.health.tally.link_losses == 0
