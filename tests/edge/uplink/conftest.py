"""A broker of each kind, and a world in which an agent is connected to a server."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.edge.uplink.rig import Agent, World, config_for, serving
from tests.support.brokers import ENGINES, TestBroker, running_broker
from tests.support.edge import ManualClock
from tests.support.patience import eventually


@pytest.fixture(params=ENGINES)
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestBroker]:
    async with running_broker(tmp_path / "broker", engine=request.param) as broker:
        yield broker


@pytest.fixture
async def world(broker: TestBroker, edge_folder: Path, clock: ManualClock) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(broker))
        agent = await stack.enter_async_context(Agent(config_for(broker, edge_folder), clock).running())
        await eventually(lambda: server.last_state() == "ready")
        yield World(broker, server, agent)
