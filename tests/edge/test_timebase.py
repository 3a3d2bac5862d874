"""What a gateway says of its own clock: nothing where it is right, how far it is off, or how old the message is."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from broker_config.errors import MessageError
from broker_config.messages import Envelope, ItemArrived, MembersOffered, decode
from broker_config.site import ZoneId
from edge.clock import Clock
from edge.events import Announcer
from edge.outbox import Outbox
from edge.outbox_rows import Row
from edge.timebase import TELL_FROM_MS, Timebase
from server.times import put_right
from tests.support.edge import a_transition

MS, S, DAY = 1_000_000, 1_000_000_000, 86_400 * 1_000_000_000
TRUE_NS = 1_800_000_000 * S  # the server's time when the host is switched on
MB = 1 << 20


@dataclass
class Host:
    """A gateway: what its clocks say, and what the time really is."""

    wall_ns: int
    monotonic_ns: int = 0
    true_ns: int = TRUE_NS
    boot: str = "one"

    def go_s(self, seconds: float) -> None:
        for name in ("wall_ns", "monotonic_ns", "true_ns"):
            setattr(self, name, getattr(self, name) + round(seconds * S))

    def reboot(self, wall_ns: int) -> None:
        self.go_s(20)
        self.wall_ns, self.monotonic_ns, self.boot = wall_ns, 0, self.boot + "+"


@dataclass
class Life:
    """One start of the agent."""

    host: Host
    outbox: Outbox
    synced: bool = False
    on_synced: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.clock = Clock(lambda: self.host.wall_ns, lambda: self.host.monotonic_ns)
        self.base = Timebase(self.outbox, self.clock, self, self.host.boot)
        self.announcer = Announcer("demo", "gw-1", (ZoneId("door"),), b"s" * 32, self.clock, simulated=True)

    @property
    def skew_ns(self) -> int | None:
        return self.host.true_ns - self.clock() if self.synced else None

    def sync(self) -> None:
        self.synced = True
        self.on_synced()

    async def happen(self) -> int:
        """Something; when it truly was."""
        self.outbox.append([self.announcer.item(a_transition("arrived", b"\x30\x34", 0, self.clock()))])
        await self.outbox.flush()
        return self.host.true_ns

    async def sent(self) -> list[bytes]:
        rows: list[Row] = await self.outbox.rows_after(0, 100)
        return [self.base.put_right(row.payload, self.outbox.places(row.seq, row.seq)[0].generation) for row in rows]


@pytest.fixture
def start(tmp_path: Path) -> Callable:
    @asynccontextmanager
    async def starting(host: Host) -> AsyncIterator[Life]:
        clock = Clock(lambda: host.wall_ns, lambda: host.monotonic_ns)
        async with Outbox(tmp_path / "outbox.sqlite", "gw-1", quota_bytes=MB, clock_ns=clock) as outbox:
            life = Life(host, outbox)
            await life.base.begin()
            yield life

    return starting


def dated_ns(payload: bytes, received_ns: int) -> tuple[int, int]:
    """When the server thinks it happened: by the envelope and by the data."""
    envelope = put_right(decode(payload), received_ns)
    assert isinstance(envelope.data, ItemArrived)
    return round(envelope.time.timestamp() * S), round(envelope.data.detected_at.timestamp() * S)


WRONG = [0, TRUE_NS + 365 * DAY, TRUE_NS - 7 * DAY, TRUE_NS - 3600 * S]


@pytest.mark.parametrize("wall_ns", WRONG)
async def test_a_wrong_clock_is_put_right_once_the_server_tells_the_time(start: Callable, wall_ns: int) -> None:
    host = Host(wall_ns)
    async with start(host) as life:
        early = await life.happen()
        host.go_s(5)
        life.sync()
        late = await life.happen()
        host.go_s(7200)
        times = [dated_ns(payload, host.true_ns) for payload in await life.sent()]
    assert [abs(each - true) < 5 * MS for pair, true in zip(times, (early, late), strict=True) for each in pair] == [
        True
    ] * 4


async def test_a_right_clock_adds_nothing(start: Callable) -> None:
    async with start(Host(TRUE_NS + 300 * MS)) as life:
        life.sync()
        await life.happen()
        (row,) = await life.outbox.rows_after(0, 10)
        assert await life.sent() == [row.payload]
        assert life.announcer.put_right(b"{}", None) == b"{}"


@pytest.mark.parametrize("wall_ns", [0, TRUE_NS + 365 * DAY])
async def test_without_the_servers_time_the_age_tells(start: Callable, wall_ns: int) -> None:
    host = Host(wall_ns)
    async with start(host) as life:
        true = await life.happen()
        host.go_s(600)
        (payload,) = await life.sent()
    assert msgspec.json.decode(payload)["agems"] == 600_000
    assert [abs(each - true) < 5 * MS for each in dated_ns(payload, host.true_ns)] == [True, True]


async def test_a_believable_clock_is_believed_however_long_the_message_lay_in_a_broker(start: Callable) -> None:
    host = Host(TRUE_NS)
    async with start(host) as life:
        true = await life.happen()
        (payload,) = await life.sent()
        host.go_s(40 * 3600)
    assert dated_ns(payload, host.true_ns) == (true, true)


async def test_an_earlier_starts_events_are_put_right_by_a_later_one(start: Callable) -> None:
    host = Host(0)
    async with start(host) as first:
        never_synced = await first.happen()
    host.go_s(30)
    host.wall_ns += 3 * DAY  # somebody set the host's clock, wrongly, between the two
    async with start(host) as second:
        second.sync()
        host.go_s(1)
        times = [dated_ns(payload, host.true_ns)[0] for payload in await second.sent()]
    assert abs(times[0] - never_synced) < 5 * MS


async def test_what_was_synced_once_stays_right_after_a_reboot(start: Callable) -> None:
    host = Host(0)
    async with start(host) as first:
        first.sync()
        true = await first.happen()
    host.reboot(5 * S)
    async with start(host) as second:  # does not know the server's time itself
        (payload,) = await second.sent()
    assert "clockms" in msgspec.json.decode(payload)
    assert abs(dated_ns(payload, host.true_ns)[0] - true) < 5 * MS


async def test_what_nobody_can_know_is_dated_by_its_arrival(start: Callable) -> None:
    host = Host(0)
    async with start(host) as first:
        true = await first.happen()
    host.reboot(0)
    async with start(host) as second:
        (payload,) = await second.sent()
    assert abs(dated_ns(payload, host.true_ns)[0] - true) < 60 * S


@pytest.mark.parametrize("wrong_s", [-25 * 3600, 25 * 3600, 0])
async def test_what_an_earlier_boot_stamped_is_put_right_by_the_clock_that_is_still_as_wrong(
    start: Callable, wrong_s: int
) -> None:
    host = Host(TRUE_NS + wrong_s * S)
    async with start(host) as first:
        true = await first.happen()
    host.reboot(host.wall_ns + 20 * S)
    async with start(host) as second:
        second.sync()
        host.go_s(600)
        (payload,) = await second.sent()
        host.go_s(3600)  # in a broker
    assert abs(dated_ns(payload, host.true_ns)[0] - true) < TELL_FROM_MS * MS


@pytest.mark.parametrize("after_ns", [0, TRUE_NS + 100 * S, TRUE_NS - 25 * 3600 * S])
@pytest.mark.parametrize("is_synced", [True, False])
async def test_what_a_clock_in_1970_stamped_is_from_before_the_next_boot(
    start: Callable, after_ns: int, is_synced: bool
) -> None:
    host = Host(0)
    async with start(host) as first:
        host.go_s(80)
        true = await first.happen()
    host.reboot(after_ns)
    booted_ns = host.true_ns
    async with start(host) as second:
        second.synced = is_synced
        host.go_s(60)
        (payload,) = await second.sent()
    assert true <= dated_ns(payload, host.true_ns)[0] <= booted_ns + MS


@pytest.mark.parametrize("was_synced", [True, False])
async def test_since_when_it_is_known_who_is_where_is_right_also_where_each_boot_begins_in_1970(
    start: Callable, was_synced: bool
) -> None:
    """It was put right by the present boot's difference: the server forgot whoever had come before the power cut."""
    host = Host(0)
    async with start(host) as first:
        host.go_s(80)
        if was_synced:
            first.sync()
        began_ns, true_ns, generation = first.clock(), host.true_ns, first.outbox.generation
    host.reboot(0)
    async with start(host) as second:
        host.go_s(5)
        assert second.base.by_own_clock(began_ns, generation) is None, "the server's time is not known yet"
        second.sync()
        by_own_ns = second.base.by_own_clock(began_ns, generation)
        if not was_synced:
            assert by_own_ns is None
            return
        assert abs(by_own_ns + second.skew_ns - true_ns) < 5 * MS
        assert second.base.by_own_clock(began_ns, "") is None
        assert second.base.by_own_clock(second.clock(), second.outbox.generation) == second.clock()


async def test_what_an_earlier_release_stamped_is_left_as_it_is(start: Callable) -> None:
    async with start(Host(0)) as life:
        life.sync()
        assert life.base.put_right(b'{"time":"2026-01-01T00:00:00Z"}', "f" * 16) == b'{"time":"2026-01-01T00:00:00Z"}'


async def test_states_and_counters_are_put_right_too(start: Callable) -> None:
    host = Host(0)
    async with start(host) as life:
        life.announcer.put_right = life.base.put_right
        life.sync()
        said = MembersOffered(version=1)
        _, payload = life.announcer.passing(said, "gw-1", agent="gw-1")
    assert abs(put_right(decode(payload), TRUE_NS).time.timestamp() - TRUE_NS / S) < 0.01


def test_a_correction_out_of_the_calendar_is_a_bad_message() -> None:
    raw = (
        b'{"specversion":"1.0","id":"1","source":"s","type":"tacet.visit.ended.v1","time":"2026-01-01T00:00:00Z",'
        b'"clockms":%d,"data":{"visits":[],"cause":"x"}}'
    )
    envelope: Envelope = decode(raw % 10**15)
    with pytest.raises(MessageError, match="calendar"):
        put_right(envelope, TRUE_NS)
