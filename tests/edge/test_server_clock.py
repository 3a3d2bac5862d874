"""The server's time: proven, bounded by the round trip, and gone when it can no longer be relied on."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import msgspec
import pytest

from broker_config.command_mac import sign_time
from broker_config.identity import make_credential
from broker_config.messages import Data, EdgeAck, Envelope, HostState, MembersOffered, TransactionSettled, VisitEnded
from edge.clock import Clock, to_datetime
from edge.host_watch import HostWatch
from edge.server_clock import DRIFT_PPM, EVERY_S, GOOD_FOR_NS, MOST_DOUBTED, PROBES, ServerClock
from tests.support.patience import eventually

S = 1_000_000_000
CREDENTIAL = make_credential("agent", "gw-1")
KEY = bytes.fromhex(CREDENTIAL.command_key or "")


@dataclass
class World:
    """A host whose wall clock can be set, and a server on a line whose delay is known."""

    monotonic_ns: int = 50 * S
    wall_ns: int = 1_700_000_000 * S
    server_ahead_ns: int = 3_600 * S
    out_ns: int = 4_000_000
    back_ns: int = 2_000_000
    answers: bool = True
    sign: Callable[[str, str, int], str] = lambda who, nonce, utc_us: sign_time(who, nonce, utc_us, KEY)
    troubles: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Clock(lambda: self.wall_ns, lambda: self.monotonic_ns)
        transport = httpx.MockTransport(self._answer)
        self.http = httpx.AsyncClient(transport=transport)
        self.time = ServerClock("http://server", CREDENTIAL, self.clock, self.troubles.append, transport, trust=True)

    @property
    def server_ns(self) -> int:
        return self.clock() + self.server_ahead_ns

    def go(self, ns: int) -> None:
        self.monotonic_ns += ns
        self.wall_ns += ns

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if not self.answers:
            raise httpx.ConnectError("away")
        self.go(self.out_ns)
        utc_us, asked = self.server_ns // 1000, request.url.params
        self.go(self.back_ns)
        mac = self.sign(asked["who"], asked["nonce"], utc_us)
        return httpx.Response(200, json={"utc_ms": utc_us / 1000, "utc_us": utc_us, "mac": mac})


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


async def test_a_server_that_is_only_starting_is_not_there(world: World) -> None:
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    for _ in range(20):
        await world.time.ask(http)
        world.go(3 * S)
    assert await is_waiting(world)


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
