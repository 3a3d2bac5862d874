"""A store's server with the demo store's members, on a clock of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker_config.site import load_site
from server.config import load_config
from server.runtime import opened
from server.state import ServerState
from tests.server.harness import Clock, Edge, write_store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder of a store that has not been started."""
    write_store(tmp_path)
    return tmp_path


@pytest.fixture
async def state(store: Path, clock: Clock) -> AsyncIterator[ServerState]:
    """A server with its members imported and nothing at work by itself."""
    config = load_config(store / "server.toml")
    async with opened(config, load_site(store / "site.toml"), clock) as state:
        await state.members.import_csv((store / "members.csv").read_text())
        yield state


@pytest.fixture
def edge(state: ServerState, clock: Clock) -> Edge:
    edge = Edge(state, clock)
    edge.outgoing()
    return edge
