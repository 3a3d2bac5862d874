"""A streaming reader in the agent: its bytes go in unparsed, its answers and its health stay the driver's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker_config.messages import ItemArrived
from edge.agent import Agent
from hotpath.warm import _steps
from readers.magicrf_m100.reader import M100Reader, M100Settings
from readers.model import ReaderId
from readers.ports import SerialPort
from readers.registry import StreamingReader
from tests.edge.test_agent import DOOR, World, living
from tests.readers.fake_m100 import EPC, NO_TAG, TAG, FakeM100, frame
from tests.readers.peers import Peer
from tests.support.edge import a_transition
from tests.support.patience import eventually

SETTINGS = M100Settings(region="us", power_dbm=26.0)
IMPOSSIBLE = frame(2, 0x22, b"\xc9\x28" + TAG[7:-2])
REFUSED = bytes.fromhex("bb01ff000117187e")


class OnAPty:
    """An M100 behind a real pty, in the place of a script."""

    def __init__(self, world: World, module: FakeM100) -> None:
        self.world, self.module = world, module
        self.reader: M100Reader | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[M100Reader]:
        async with (
            Peer(self.module.script) as self.peer,
            SerialPort(self.peer.path, 115200) as port,
            M100Reader(ReaderId("r-door"), port, SETTINGS, self.world.clock) as self.reader,
        ):
            yield self.reader


def plug_in(world: World, *said: bytes) -> OnAPty:
    """From its next opening on the door's reader is this module, which says this when told to poll."""
    before, world.scripts["r-door"] = world.scripts["r-door"], OnAPty(world, FakeM100(lambda _: list(said)))
    before.unplug()
    return world.scripts["r-door"]


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    """Seconds of compiling in the middle of a stream would be silence to the driver; the agent compiles at its start."""
    dict(_steps())["wire scan"]()


@pytest.fixture
async def world(edge_folder: Path) -> AsyncIterator[World]:
    async with living(edge_folder) as world:
        yield world


async def test_bytes_become_events_and_health(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(M100Reader, "reads", lambda _: pytest.fail("the slow way, for reads one by one, was taken"))
    world.engine.answers[EPC] = [a_transition("arrived", EPC, DOOR, world.clock())]
    device = plug_in(world, NO_TAG, b"\xbb\x00noise", TAG, IMPOSSIBLE, TAG[:9])
    (event,) = await world.stored(1)
    assert isinstance(event.data, ItemArrived)
    assert (event.data.epc, event.data.zone) == (EPC.hex(), "door")
    assert isinstance(device.reader, StreamingReader)
    device.peer.say(TAG[9:] + TAG)
    await eventually(lambda: world.engine.fed == 3)
    stats = world.agent.stats()
    assert (stats.bad_frames, stats.counters["discarded_bytes"]) == (1, 7)
    assert device.reader.health.empty_polls == 1
    assert world.state_of("r-door") == "ready"


async def test_a_refusal_between_the_reads_is_heard(world: World) -> None:
    plug_in(world, TAG, REFUSED, TAG)
    await eventually(lambda: world.state_of("r-door") == "lost" and world.engine.fed)
    (door,) = (device for device in world.agent.health.devices if device.id == "r-door")
    assert door.reason is not None
    assert "refuses the poll order: error 0x17" in door.reason


async def test_only_reads_make_the_next_reopening_soon(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    resets: list[bool] = []  # those of this reader: the scale, the broker and the server have a backoff each
    monkeypatch.setattr(Agent, "_reads_in", lambda *_: resets.append(True))
    device = plug_in(world, NO_TAG, IMPOSSIBLE)
    await eventually(lambda: device.reader and device.reader.health.empty_polls)
    assert not resets
    device.peer.say(TAG)
    await eventually(lambda: resets)
