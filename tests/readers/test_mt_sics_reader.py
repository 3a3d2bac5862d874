"""The MT-SICS driver over a real pty."""

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from readers.errors import FrameError, ReaderDisconnected, ReaderRefused, ReaderTimeout
from readers.model import Weight
from readers.mt_sics.codec import Line
from readers.mt_sics.commands import parse, to_grams
from readers.mt_sics.reader import MtSicsScale, MtSicsSettings, Patience
from readers.ports import SerialPort
from tests.readers.peers import Peer
from tests.support.patience import WAIT_S

SOON = Patience(answer_s=0.1, rearm_s=0.05, dead_s=0.25)
NOW_NS = 1_700_000_000_000_000_000


class FakeScale:
    """Answers by a table; `on_stream` says what an order to stream yields."""

    def __init__(self, on_stream=lambda _: [b"S S     100.00 g\r\n"]) -> None:
        self.answers = {b"SI": [b"S D      99.00 g\r\n"], b"I4": [b'I4 A "B021002593"\r\n']}
        self.on_stream = on_stream
        self.commands: list[bytes] = []

    def script(self, data: bytes) -> list[bytes]:
        answers = []
        for command in data.split(b"\r\n")[:-1]:
            self.commands.append(command)
            streams = self.commands.count(b"SIR")
            answers += self.on_stream(streams) if command == b"SIR" else self.answers.get(command, [])
        return answers


@asynccontextmanager
async def opened(scale: FakeScale, patience: Patience = SOON):
    async with (
        Peer(scale.script) as peer,
        SerialPort(peer.path, 9600) as port,
        MtSicsScale("w-1", port, MtSicsSettings(), lambda: NOW_NS, patience) as driver,
    ):
        yield driver, peer


async def take(driver: MtSicsScale, count: int) -> list[Weight]:
    weights: list[Weight] = []
    async with asyncio.timeout(WAIT_S):
        async for weight in driver.weights():
            weights.append(weight)
            if len(weights) == count:
                break
    return weights


async def test_it_identifies_the_scale_and_streams_exact_grams():
    scale = FakeScale(lambda _: [b"S D       1.20 kg\r\nS S     100.00 g\r\n"])
    async with opened(scale) as (driver, _):
        assert await take(driver, 2) == [
            Weight("w-1", Decimal("1200.00"), False, NOW_NS),
            Weight("w-1", Decimal("100.00"), True, NOW_NS),
        ]
        assert driver.serial_number == "B021002593"


async def test_it_never_zeroes_tares_or_resets_a_stocked_shelf():
    scale = FakeScale(lambda order: [b"S S     100.00 g\r\n"] if order > 1 else [])
    async with opened(scale) as (driver, peer):
        await take(driver, 1)
    assert set(scale.commands) <= {b"SI", b"I4", b"SIR"}
    assert not peer.heard.translate(None, b"SIR4\r\n")


async def test_a_scale_left_streaming_is_stopped_first():
    scale = FakeScale()
    scale.answers[b"SI"] = [b"S S       7.00 g\r\n" * 30]
    async with opened(scale) as (driver, _):
        [weight] = await take(driver, 1)
        assert weight.grams == Decimal("100.00")
        assert scale.commands[0] == b"SI"


async def test_overload_and_busy_are_counted_and_give_no_weight():
    async with opened(FakeScale(lambda _: [b"S +\r\nS -\r\nS I\r\nS S     100.00 g\r\n"])) as (driver, _):
        assert len(await take(driver, 1)) == 1
        assert driver.health.no_value == 3


async def test_garbage_costs_only_counters():
    async with opened(FakeScale(lambda _: [b"0.00 g\r\n\xff\x00S S     100.00 g\r\n"])) as (driver, _):
        assert len(await take(driver, 1)) == 1
        assert driver.health.discarded_bytes == 10


async def test_a_unit_that_is_no_mass_is_no_weight():
    async with opened(FakeScale(lambda _: [b"S S       3.00 PCS\r\nS S     100.00 g\r\n"])) as (driver, _):
        assert [weight.grams for weight in await take(driver, 1)] == [Decimal("100.00")]
        assert driver.health.bad_frames == 1
        assert (driver.health.alarms, "unit 'PCS'" in driver.health.alarm) == (1, True)


async def test_a_scale_that_counts_pieces_for_ever_is_given_up_with_what_to_do():
    async with opened(FakeScale(lambda _: [b"S S       3.00 PCS\r\n"]), Patience(0.1, 0.02, 0.1)) as (driver, _):
        with pytest.raises(FrameError, match=r"'PCS' is none of mg, g, kg, .*; set the scale to grams"):
            await take(driver, 1)


async def test_a_restarted_scale_is_told_to_stream_again():
    again = [b"S S     100.00 g\r\n"]
    scale = FakeScale(lambda order: [b'I4 A "B021002593"\r\n'] if order == 1 else again)
    async with opened(scale, Patience(rearm_s=60, dead_s=90)) as (driver, _):
        assert len(await take(driver, 1)) == 1
        assert scale.commands.count(b"SIR") == 2


async def test_silence_is_answered_by_a_new_order_then_by_giving_up():
    async with opened(FakeScale(lambda order: [b"S S     100.00 g\r\n"] if order == 2 else [])) as (driver, _):
        assert len(await take(driver, 1)) == 1
        with pytest.raises(ReaderTimeout, match="no answer"):
            await take(driver, 1)


async def test_a_scale_without_the_stream_command_refuses():
    async with opened(FakeScale(lambda _: [b"ES\r\n"])) as (driver, _):
        with pytest.raises(ReaderRefused, match="does not accept SIR"):
            await take(driver, 1)


async def test_nothing_there_says_what_to_check():
    scale = FakeScale()
    scale.answers.clear()
    with pytest.raises(ReaderTimeout, match="no answer to I4"):
        async with opened(scale):
            pass


async def test_unplugged_and_plugged_in_again():
    scale = FakeScale()
    async with opened(scale) as (driver, peer):
        await take(driver, 1)
        peer.unplug()
        with pytest.raises(ReaderDisconnected):
            await take(driver, 1)
    async with opened(FakeScale()) as (driver, _):
        assert len(await take(driver, 1)) == 1


async def test_leaving_ends_the_stream():
    scale = FakeScale()
    async with Peer(scale.script) as peer:
        async with SerialPort(peer.path, 9600) as port, MtSicsScale("w-1", port, MtSicsSettings(), lambda: 0):
            peer.heard.clear()
        await peer.hears(b"SI\r\n")


@pytest.mark.parametrize(
    ("printed", "grams"),
    [
        ("    100.00 g", "100.00"),
        ("    -0.250 kg", "-250.000"),
        ("      1000 mg", "1.000"),
        ("      2.00 lb", "907.1847400"),
        ("      1.00 oz", "28.34952312500"),
        ("      5.00 ct", "1.000"),
    ],
)
def test_units_become_exact_grams(printed, grams):
    assert to_grams(parse(Line(f"S S {printed.rjust(10)}"))) == Decimal(grams)


def test_an_answer_without_a_weight_has_no_grams():
    with pytest.raises(FrameError, match="overload"):
        to_grams(parse(Line("S +")))
