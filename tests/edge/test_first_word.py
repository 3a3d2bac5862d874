"""What is to be sent waits for the server's time, and for how long."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from tests.edge.server_clock_rig import S, World


@pytest.fixture
def world() -> World:
    return World()


async def is_waiting(world: World) -> bool:
    """Whether what is to be sent still waits."""
    waiting = asyncio.create_task(world.time.first_word())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return waiting.cancel()


async def test_what_is_to_be_sent_waits_for_the_servers_time(world: World) -> None:
    assert await is_waiting(world)
    await world.time.ask(world.http)
    assert not await is_waiting(world)


async def test_nothing_is_sent_without_the_servers_time_while_the_server_is_away(world: World) -> None:
    world.answers = False
    world.time.there()  # what the broker kept of a server that is gone
    for _ in range(30):
        world.go(20 * S)
        await world.time.ask(world.http)
    assert await is_waiting(world)
    world.time.there()
    assert await is_waiting(world), "it has been there for a moment only"


def no_time(world: World) -> None:
    world.answers = False


def unsigned(world: World) -> None:
    world.sign = lambda *_: ""


@pytest.mark.parametrize(("trouble", "is_heard"), [(no_time, True), (unsigned, False)])
async def test_what_is_to_be_sent_waits_half_a_minute_for_a_server_that_is_there_and_tells_no_time(
    world: World, trouble: Callable[[World], None], is_heard: bool
) -> None:
    trouble(world)
    waited: list[bool] = []
    for _ in range(11):
        await world.time.ask(world.http)
        if is_heard:  # on the bus
            world.time.there()
        waited.append(await is_waiting(world))
        world.go(3 * S)
    assert waited == [True] * 10 + [False]


async def test_a_line_that_is_too_slow_for_the_servers_time_holds_no_events_back_for_ever(world: World) -> None:
    """Seen from where events go by HTTP alone."""
    world.out_ns = 3 * S
    for _ in range(5):
        await world.time.ask(world.http)
        world.go(2 * S)
    assert not await is_waiting(world)
    assert world.time.now() is None


async def test_a_server_that_is_only_starting_is_not_there(world: World) -> None:
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    for _ in range(20):
        await world.time.ask(http)
        world.go(3 * S)
    assert await is_waiting(world)
