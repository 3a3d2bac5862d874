"""The server's time: proven, bounded by the round trip, and gone when it can no longer be relied on."""

import asyncio
import itertools
from collections.abc import Callable

import httpx
import msgspec
import pytest

from broker_config.command_mac import sign_time
from broker_config.messages import Data, EdgeAck, Envelope, HostState, MembersOffered, TransactionSettled, VisitEnded
from edge import server_clock
from edge.clock import to_datetime
from edge.host_watch import HostWatch
from edge.server_clock import DRIFT_PPM, EVERY_S, GOOD_FOR_NS, MOST_DOUBTED, NOT_SIGNED, PROBES
from tests.edge.server_clock_rig import KEY, S, World
from tests.support.patience import eventually


@pytest.fixture
def world() -> World:
    return World()


async def test_the_servers_time_lies_within_the_round_trip(world: World) -> None:
    assert world.time.now() is None
    assert await world.time.ask(world.http)
    now = world.time.now()
    assert now is not None
    assert now.earliest_ns <= world.server_ns <= now.latest_ns
    assert now.latest_ns - now.earliest_ns <= world.out_ns + world.back_ns + 3_000
    assert abs((world.time.skew_ns or 0) - world.server_ahead_ns) <= world.out_ns


async def test_the_bounds_widen_with_age_until_they_hold_no_longer(world: World) -> None:
    await world.time.ask(world.http)
    fresh = world.time.now()
    world.go(100 * S)
    aged = world.time.now()
    assert fresh is not None
    assert aged is not None
    width = (aged.latest_ns - aged.earliest_ns) - (fresh.latest_ns - fresh.earliest_ns)
    assert width == pytest.approx(2 * 100 * S * DRIFT_PPM / 1_000_000, rel=0.01)
    world.go(GOOD_FOR_NS - 100 * S + 1)
    assert world.time.now() is None


async def test_a_step_of_the_hosts_clock_ends_the_trust_until_the_next_answer(world: World) -> None:
    await world.time.ask(world.http)
    world.wall_ns += 2 * S  # set by somebody, or the host slept and our own clock did not notice
    assert world.time.now() is None
    assert await world.time.ask(world.http)
    assert world.time.now() is not None


@pytest.mark.parametrize(
    "sign",
    [
        lambda who, nonce, utc_us: "",
        lambda who, nonce, utc_us: sign_time(who, nonce, utc_us, b"x" * 32),
        lambda who, nonce, utc_us: sign_time(who, "0" * 32, utc_us, KEY),
        lambda who, nonce, utc_us: sign_time(who, nonce, utc_us - 1, KEY),
        lambda who, nonce, utc_us: sign_time("agent-gw-2", nonce, utc_us, KEY),
    ],
)
async def test_an_answer_that_the_server_did_not_sign_tells_no_time(
    world: World, sign: Callable[[str, str, int], str]
) -> None:
    world.sign = sign
    assert not await world.time.ask(world.http)
    assert world.time.now() is None
    assert world.time.forged == 3


async def test_a_line_that_takes_longer_than_a_second_tells_no_time(world: World) -> None:
    world.out_ns = S + 1
    assert not await world.time.ask(world.http)
    assert world.time.now() is None


async def test_trouble_is_told_once_when_it_comes_and_when_it_goes(world: World) -> None:
    world.answers = False
    await world.time.ask(world.http)
    await world.time.ask(world.http)
    world.answers = True
    await world.time.ask(world.http)
    await world.time.ask(world.http)
    assert [trouble is None for trouble in world.troubles] == [False, True]


async def test_doubt_makes_it_ask_at_once(world: World) -> None:
    running = asyncio.create_task(world.time.run())
    await eventually(lambda: world.time.now() is not None)
    world.server_ahead_ns = 7_200 * S
    world.time.doubt()
    await eventually(lambda: abs((world.time.skew_ns or 0) - 7_200 * S) < S)
    running.cancel()
    await asyncio.wait([running])


async def test_it_is_asked_at_once_when_the_hosts_clock_has_stepped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_clock, "LOOK_S", 0.01)
    monkeypatch.setattr(server_clock, "EVERY_S", 3600.0)
    running = asyncio.create_task(world.time.run())
    await eventually(lambda: world.time.now() is not None)
    world.wall_ns += 2 * S
    assert world.time.now() is None
    await eventually(lambda: world.time.now() is not None)
    running.cancel()
    await asyncio.wait([running])


async def test_an_outdated_credential_is_told_as_one_and_not_as_trouble_with_the_network(world: World) -> None:
    world.sign = lambda *_: ""
    await world.time.ask(world.http)
    world.answers = False
    await world.time.ask(world.http)
    world.answers, world.sign = True, World.sign
    await world.time.ask(world.http)
    assert world.troubles == [NOT_SIGNED, None]


def settled(world: World, age_s: int, *, expires_s: int | None = 86_400) -> Envelope[Data]:
    said_ns = world.server_ns - age_s * S
    data = TransactionSettled(transaction="t", epcs=(), settled_at=to_datetime(said_ns))
    expires = None if expires_s is None else to_datetime(said_ns + expires_s * S)
    return Envelope(
        specversion="1.0",
        id="1",
        source="s",
        type=data.type_name,
        time=to_datetime(said_ns),
        expires=expires,
        data=data,
    )


async def test_an_old_settlement_said_again_is_over_by_the_servers_clock(world: World) -> None:
    late: list[TransactionSettled] = []
    world.time.on_settled_late = late.append
    assert not world.time.is_over(settled(world, 2 * 86_400)), "not known: rather heeded"
    await world.time.ask(world.http)
    assert world.time.is_over(settled(world, 86_401))
    assert not world.time.is_over(settled(world, 86_399))
    assert not world.time.is_over(settled(world, 2 * 86_400, expires_s=None))
    assert world.time.expired == 0, "the server's clock may have been set back"
    for _ in range(2):
        await world.time.ask(world.http)
        assert (world.time.expired, late) == (1, [])


async def test_goods_that_are_paid_are_heard_of_though_the_servers_clock_was_set_back(world: World) -> None:
    """The agent still reckoned by the clock before, dropped what is said once, and took paid goods for stolen."""
    late: list[TransactionSettled] = []
    world.time.on_settled_late = late.append
    await world.time.ask(world.http)
    probes = itertools.count(1)

    def heard_while_asking(request: httpx.Request) -> httpx.Response:
        answer = world._answer(request)
        if next(probes) == PROBES:
            world.server_ahead_ns -= 2 * 86_400 * S
            assert world.time.is_over(settled(world, 0))
        return answer

    assert await world.time.ask(httpx.AsyncClient(transport=httpx.MockTransport(heard_while_asking)))
    world.answers = False
    await world.time.ask(world.http)
    assert late == [], "no answer was asked for since"
    world.answers = True
    await world.time.ask(world.http)
    await world.time.ask(world.http)
    assert (len(late), world.time.expired) == (1, 0)


async def test_what_seems_to_be_over_is_kept_for_a_second_look_within_bounds(world: World) -> None:
    late: list[TransactionSettled] = []
    world.time.on_settled_late = late.append
    await world.time.ask(world.http)
    world.server_ahead_ns -= 2 * 86_400 * S
    for _ in range(2 * MOST_DOUBTED):
        world.time.is_over(settled(world, 0))
    await world.time.ask(world.http)
    assert len(late) == MOST_DOUBTED


SAID_TWICE_IS_NOTHING = (
    EdgeAck(generation="0" * 16, upto=0),
    VisitEnded(visits=("0" * 32,), cause="erased"),
    MembersOffered(version=1),
)


@pytest.mark.parametrize("said", SAID_TWICE_IS_NOTHING, ids=lambda said: said.topic)
async def test_who_is_gone_and_what_is_lacking_is_heard_though_the_servers_clock_was_set_back(
    world: World, said: Data
) -> None:
    await world.time.ask(world.http)
    world.server_ahead_ns -= 2 * 86_400 * S
    message = msgspec.structs.replace(settled(world, 0, expires_s=60), data=said)
    assert not world.time.is_over(message), "it is said once"


async def test_a_message_that_seems_old_makes_an_agent_ask_for_the_servers_time_again(world: World) -> None:
    running = asyncio.create_task(world.time.run())
    await eventually(lambda: world.time.now() is not None)
    world.server_ahead_ns -= 86_400 * S
    assert world.time.is_over(settled(world, 0, expires_s=60)), "the server's clock was set back"
    await eventually(lambda: not world.time.is_over(settled(world, 0, expires_s=60)), within_s=EVERY_S / 2)
    running.cancel()
    await asyncio.wait([running])


def host(state: str) -> HostState:
    return HostState(state=state, session="s", since=to_datetime(0))


async def test_a_server_that_dies_or_falls_silent_leaves_the_actuators_alone_once() -> None:
    alone: list[bool] = []
    there: list[bool] = []
    watch = HostWatch(lambda: alone.append(True), lambda: there.append(True), silent_s=0.05)
    watch.heard(host("ready"))
    watch.heard(host("lost"))
    watch.heard(host("disconnected"))
    assert (len(there), len(alone)) == (1, 1)
    running = asyncio.create_task(watch.run())
    watch.heard(host("ready"))
    await eventually(lambda: len(alone) == 2)
    await asyncio.sleep(0.12)
    assert len(alone) == 2
    running.cancel()
    await asyncio.wait([running])
