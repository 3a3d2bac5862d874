"""Scales that print text: what lines say, and the driver against its simulator over a real pty."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers import registry
from readers.capture import describe_capture, find_protocol
from readers.errors import FrameError, ReaderDisconnected, ReaderTimeout, SettingsError
from readers.line_weight.codec import MAX_LINE, LineDecoder
from readers.line_weight.commands import Fault, Form, Label, Reading
from readers.line_weight.reader import LineScale
from readers.line_weight.settings import LineWeightSettings
from readers.model import Weight
from readers.ports import SerialPort
from readers.settings import decode_settings
from simulators.line_weight import Board, LineWeightDevice
from simulators.scene_shelf import LoadReading
from tests.readers.peers import Peer
from tests.readers.simulated import simulated
from tests.support.patience import WAIT_S

FAST, NOW_NS = 115200, 1_700_000_000_000_000_000
STANZA = {"baud": FAST, "capacity_g": 5000, "silence_s": 0.3}
RAW = {**STANZA, "channel": "ch2", "offset": 8000, "scale": "0.0025"}
BOOT = b"rst:0x1 (POWERON_RESET)\r\nHX711 scale\r\nTare done...\r\n"


@dataclass
class Pan:
    grams: float = 250.0

    def weigh(self, _now_ns: int) -> LoadReading:
        return LoadReading(self.grams, True)


def settings_of(stanza) -> LineWeightSettings:
    return decode_settings(stanza, LineWeightSettings)


@asynccontextmanager
async def opened(device, folder, stanza=STANZA):
    async with (
        simulated(device, folder / "port") as line,
        SerialPort(folder / "port", FAST) as port,
        LineScale("w-1", port, settings_of(stanza), lambda: NOW_NS) as scale,
    ):
        yield scale, line


@asynccontextmanager
async def told(*texts: bytes, **stanza):
    """A scale whose peer has said all this after a first line; nothing more comes."""
    async with (
        Peer() as peer,
        SerialPort(peer.path, FAST) as port,
    ):
        peer.say(b"cut off\r\n" + b"".join(texts))
        async with LineScale("w-1", port, settings_of({**STANZA, **stanza}), lambda: NOW_NS) as scale:
            yield scale, peer


def board(pan: Pan | None = None, **make) -> LineWeightDevice:
    return LineWeightDevice((pan or Pan()).weigh, board=Board(**{"baud": FAST, "repeat_s": 0.01, **make}))


async def take(scale: LineScale, count: int) -> list[Weight]:
    weights: list[Weight] = []
    async with asyncio.timeout(WAIT_S):
        async for weight in scale.weights():
            weights.append(weight)
            if len(weights) == count:
                break
    return weights


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("12.3", (Reading(Decimal("12.3")),)),
        ("-.5 kg", (Reading(Decimal("-0.5"), "kg"),)),
        ("Weight: 12.30 g", (Reading(Decimal("12.30"), "g", "Weight"),)),
        ("HX711 reading: -8123", (Reading(Decimal(-8123), None, "HX711 reading"),)),
        ("wn  0.123kg", (Reading(Decimal("0.123"), "kg"),)),
        ("wn-00.123kg", (Reading(Decimal("-0.123"), "kg"),)),
        ("ST,GS,+  1.234kg", (Reading(Decimal("1.234"), "kg", "", True),)),
        ("US,NT,-   1.234,kg", (Reading(Decimal("-1.234"), "kg", "", False),)),
        ("ST,GS 1.000KG", (Reading(Decimal("1.000"), "KG", "", True),)),
        ('{"ch1": 8123, "ch2": -55}', (Reading(Decimal(8123), None, "ch1"), Reading(Decimal(-55), None, "ch2"))),
        ("812,-55", (Reading(Decimal(812), None, "1"), Reading(Decimal(-55), None, "2"))),
        ("one reading:\t1.0\t| average:\t2.0", (Reading(Decimal("1.0"), None, "one reading"),
                                                Reading(Decimal("2.0"), None, "average"))),
        ("Reading:", Label("Reading")),
        ("HX711 not found.", Fault("HX711 not found.")),
        ("Weight: nan", Fault("Weight: nan")),
        ("OL,GS,+ 9.999kg", Fault("OL,GS,+ 9.999kg")),
        ("8388607", Fault("8388607")),
        ("ch1: -8388608", Fault("ch1: -8388608")),
        ("MIT_ML_SCALE V0.8", ()),
        ("Tare done...", ()),
        ("1.2.3", ()),
        ("12 apples", ()),
        ("12 apples, 5", ()),
        ("1234567890123", ()),
        ("", ()),
    ],
)  # fmt: skip
def test_the_shapes_that_are_found(text, said):
    assert Form().read(text) == said


@pytest.mark.parametrize(
    ("pattern", "text", "stable"),
    [
        (r"(?P<value>\d+)(?P<stable>s)?", "12s", True),
        (r"(?P<value>\d+)(?P<stable>s)?", "12", False),
        (r"(?P<value>\d+)(?P<moving>~)?", "12~", False),
        (r"(?P<value>\d+)(?P<moving>~)?", "12", True),
        (r"(?P<value>\d+)((?P<stable>s)|(?P<moving>m))?", "12", None),
        (r"(?P<value>\d+)", "12", None),
    ],
)
def test_a_pattern_may_tell_rest(pattern, text, stable):
    assert settings_of({**STANZA, "pattern": pattern}).form.read(text) == (Reading(Decimal(12), stable=stable),)


def test_a_pattern_replaces_the_shapes_and_must_match_the_whole_line():
    form = settings_of({**STANZA, "pattern": r"net (?P<value>[ \d.-]+) (?P<unit>\w+)"}).form
    assert form.read("net - 1.5 lb") == (Reading(Decimal("-1.5"), "lb"),)
    assert form.read("12.3") == form.read("net 1.5 lb!") == ()
    with pytest.raises(FrameError, match=r"'1\.\.5' is no number; check the group `value`"):
        form.read("net 1..5 lb")


def records(stream: bytes):
    return list(describe_capture(find_protocol("line-weight", "from_reader"), [bytes([byte]) for byte in stream]))


def test_lines_in_words():
    lines = b'Reading: \r\n12.5 g\r\nUS,GS,+ 1.2kg\r\n{"a": 1, "b": 2}\r\nHX711 not found.\r\nhello\n\r\n'
    assert [record["decoded"] for record in records(lines)] == [
        {"label": "Reading"},
        {"weight": "12.5", "unit": "g"},
        {"status": "dynamic", "weight": "1.2", "unit": "kg"},
        {"channels": [{"channel": "a", "weight": "1"}, {"channel": "b", "weight": "2"}]},
        {"fault": "HX711 not found."},
        {"text": "hello"},
        {"text": ""},
    ]


def test_noise_takes_its_whole_line_with_it_for_a_part_of_a_number_is_another_number():
    [first, broken, last] = records(b"12.5\r\n\xff\x0012.5\r\n1.5\r\n")
    assert (first["decoded"]["weight"], last["decoded"]["weight"]) == ("12.5", "1.5")
    assert broken == {
        "offset": 6,
        "length": 8,
        "valid": False,
        "why": "byte 0xff inside a line of text; is `baud` right?",
    }


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_every_byte_is_accounted_for_once_and_little_is_kept(chunks):
    decoder = LineDecoder()
    for chunk in chunks:
        decoder.feed(chunk)
        assert len(decoder._buffer) < MAX_LINE
    found = list(describe_capture(find_protocol("line-weight", "from_reader"), chunks))
    assert [record["offset"] for record in found] == [
        sum(record["length"] for record in found[:number]) for number in range(len(found))
    ]
    assert sum(record["length"] for record in found) == sum(map(len, chunks))
    assert all(a["valid"] or b["valid"] for a, b in pairwise(found))


def test_a_line_without_end_is_not_kept():
    decoder = LineDecoder()
    for _ in range(10):
        decoder.feed(b"9" * 100)
        assert len(decoder._buffer) < MAX_LINE


@given(st.lists(st.sampled_from([b"12.5\r\n", b"Reading: \n", b"\r\n", b"wn 1kg\r\n"]), min_size=1), st.data())
def test_any_slicing_gives_the_same_lines(lines, data):
    stream = b"".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    decoder = LineDecoder()
    pieces = [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]
    assert [line.to_bytes() for piece in pieces for line in decoder.feed(piece)] == lines


@pytest.mark.parametrize("shape", ["bare", "label", "named", "indicator"])
async def test_every_shape_of_the_board(tmp_path, shape):
    async with opened(board(shape=shape), tmp_path) as (scale, _):
        weights = await take(scale, 6)
        assert {(weight.scale_id, weight.grams, weight.weighed_at_ns) for weight in weights} == {("w-1", 250, NOW_NS)}
        assert [weight.stable for weight in weights] == [False] * 4 + [True] * 2


async def test_raw_counts_of_one_channel_become_exact_grams(tmp_path):
    async with opened(board(shape="channels"), tmp_path, RAW) as (scale, _):
        assert (await take(scale, 1))[0].grams == Decimal("250.0000")


async def test_a_board_opened_by_its_type(tmp_path):
    async with (
        simulated(board(), tmp_path / "port"),
        registry.open_scale("line-weight", "w-1", str(tmp_path / "port"), STANZA, lambda: 5) as scale,
    ):
        async for weight in scale.weights():
            assert weight == Weight("w-1", Decimal("250.00"), False, 5)
            break


async def test_a_change_is_no_rest_until_the_last_weights_agree(tmp_path):
    pan = Pan()
    async with opened(board(pan), tmp_path, {**STANZA, "stable_count": 3, "stable_spread_g": 1}) as (scale, _):
        assert (await take(scale, 3))[-1].stable
        pan.grams = 251.5
        weights = await take(scale, 6)
        changed = [weight.stable for weight in weights if weight.grams > 251]
        assert changed[:3] == [False, False, True]


async def test_the_first_line_may_be_a_part_of_one_and_boot_text_is_passed_over():
    async with (
        Peer() as peer,
        SerialPort(peer.path, FAST) as port,
    ):
        peer.say(b"3.45\r\n" + BOOT + b"12.5\r\n")
        async with LineScale("w-1", port, settings_of(STANZA), lambda: NOW_NS) as scale:
            assert [weight.grams for weight in await take(scale, 1)] == [Decimal("12.5")]
            assert scale.health.bad_frames == 3


async def test_a_board_that_is_reset_by_opening_starts_anew(tmp_path):
    device = board(boot_s=0.05)
    async with opened(device, tmp_path) as (scale, _):
        await take(scale, 1)
        device.reset()
        assert len(await take(scale, 30)) == 30
        assert scale.health.alarms == 0


async def test_a_missing_amplifier_is_a_fault_not_zero(tmp_path):
    async with opened(board(amplifier_missing=True), tmp_path) as (scale, _):
        with pytest.raises(
            FrameError, match=r"no weight for too long: the scale says 'HX711 not found\.'; check the wires"
        ):
            await take(scale, 1)
        assert scale.health.no_value > 3
        assert (scale.health.alarms, "HX711 not found." in scale.health.alarm) == (1, True)


async def test_an_amplifier_at_its_limit_is_a_fault_not_a_weight(tmp_path):
    async with opened(board(shape="channels", cell_missing=True), tmp_path, {**RAW, "capacity_g": 10**6}) as (scale, _):
        with pytest.raises(FrameError, match=r"8388607.*check the wires"):
            await take(scale, 1)


async def test_a_fault_in_between_is_told_and_begins_rest_anew():
    async with told(b"7.0\r\n" * 5, b"HX711 not found.\r\n", b"7.0\r\n" * 2) as (scale, _):
        assert [weight.stable for weight in await take(scale, 7)] == [False] * 4 + [True] + [False] * 2
        assert (scale.health.no_value, scale.health.alarms, scale.health.signs_of_life) == (1, 1, 8)


async def test_each_stretch_of_faults_is_told_once():
    fault = b"HX711 not found.\r\n"
    async with told(fault, fault, b"7.0\r\n", fault, b"8.0\r\n") as (scale, _):
        await take(scale, 2)
        assert (scale.health.no_value, scale.health.alarms) == (3, 2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"50000 g\r\n", "50000 is 50000 g, beyond capacity_g = 5000; check offset, scale and mass_unit"),
        (b"a: 1, b: 2\r\n", "tells several weights: set `channel` to one of a, b"),
        (b"\xe9\xff\r\n", "byte 0xe9 inside a line of text; is `baud` right"),
    ],
)
async def test_what_is_no_weight_is_counted_and_told(text, why):
    async with told(text, b"7.0 g\r\n") as (scale, _):
        assert [weight.grams for weight in await take(scale, 1)] == [7]
        assert (scale.health.bad_frames, scale.health.alarms) == (1, 1)
        assert why in scale.health.alarm


async def test_only_the_number_behind_our_label_is_ours():
    text = b"Offset:\r\n99\r\nReading:\r\n12.5\r\n13.5\r\nReading: 14.5\r\nReading:\r\nhello\r\n15.5\r\n"
    async with told(text, b"Reading: 1\r\n", channel="Reading") as (scale, _):
        assert [weight.grams for weight in await take(scale, 3)] == [Decimal("12.5"), Decimal("14.5"), 1]


async def test_the_scales_own_word_for_rest_counts():
    async with told(b"ST,GS,+1.0kg\r\nUS,GS,+1.0KG\r\n", stable_count=2) as (scale, _):
        assert [(weight.grams, weight.stable) for weight in await take(scale, 2)] == [(1000, True), (1000, False)]


async def test_lines_of_another_channel_are_no_weight_of_ours_for_ever(tmp_path):
    async with opened(board(shape="channels"), tmp_path, {**RAW, "channel": "ch9"}) as (scale, _):
        with pytest.raises(FrameError, match="tells nothing of channel 'ch9'"):
            await take(scale, 1)


async def test_text_without_weights_says_so(tmp_path):
    async with opened(board(), tmp_path, {**STANZA, "pattern": "net (?P<value>.*)"}) as (scale, _):
        with pytest.raises(FrameError, match=r"'250\.00' tells no weight; check `pattern`"):
            await take(scale, 1)


async def test_silence_ends_it():
    async with told(b"hello\r\n7.0\r\n") as (scale, _):
        await take(scale, 1)
        with pytest.raises(ReaderTimeout, match="nothing came, no line of text; check power, cable and `baud`"):
            await take(scale, 1)


async def test_a_scale_left_alone_for_long_is_not_taken_for_silent():
    async with told(b"7.0\r\n", silence_s=0.1) as (scale, peer):
        weights = scale.weights()
        await anext(weights)
        await asyncio.sleep(0.15)
        peer.say(b"8.0")
        later = asyncio.create_task(anext(weights))
        await asyncio.sleep(0.05)
        peer.say(b"0\r\n")
        assert (await later).grams == 8
        await weights.aclose()


async def test_noise_alone_says_what_to_check():
    async with Peer() as peer, SerialPort(peer.path, FAST) as port:
        peer.say(b"\xf8" * 600)
        with pytest.raises(ReaderTimeout, match="only noise came, no line of text; check power, cable and `baud`"):
            async with LineScale("w-1", port, settings_of(STANZA), lambda: 0):
                pass


async def test_nothing_is_ever_sent():
    async with told(b"7.0\r\n") as (scale, peer):
        await take(scale, 1)
    assert peer.heard == b""


async def test_unplugged_and_plugged_in_again(tmp_path):
    device = board()
    async with opened(device, tmp_path) as (scale, line):
        await take(scale, 1)
        line.unplug()
        with pytest.raises(ReaderDisconnected):
            await take(scale, 99)
    device.reset()
    async with opened(device, tmp_path) as (scale, _):
        assert len(await take(scale, 1)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pattern": "("}, r"pattern: '\(' is no regular expression"),
        ({"fault": "["}, r"fault: '\[' is no regular expression"),
        ({"pattern": r"(\d+)"}, r"pattern: it needs a group \(\?P<value>"),
        ({"pattern": r"(?P<value>\d+)(?P<weight>x)"}, "may have channel, moving, stable, unit, value"),
        ({"mass_unit": "stone"}, "'stone' is no unit of mass"),
        ({"scale": 0}, "scale 0 must be a number other than 0"),
        ({"scale": "1e999999"}, "scale 1E.999999 must be a number other than 0, and of a size that weights have"),
        ({"scale": "-1e-999999"}, "scale -1E-999999 must be a number other than 0, and of a size that weights have"),
        ({"capacity_g": "1e999999"}, "capacity_g 1E.999999 must be more than 0, and of a size that weights have"),
        ({"offset": "1e999999"}, "offset 1E.999999 must be a number, and of a size that weights have"),
        ({"offset": "inf"}, "offset Infinity must be a number"),
        ({"capacity_g": -1}, "capacity_g -1 must be more than 0"),
        ({"stable_count": 1}, "^stable_count: "),
        ({"stable_spread_g": "nan"}, "stable_spread_g NaN must be 0 or more"),
        ({"silence_s": 0}, "^silence_s: "),
        ({"colour": 1}, "unknown field `colour`"),
    ],
)
def test_a_wrong_setting_is_named(change, message):
    with pytest.raises(SettingsError, match=message):
        registry.check_scale("line-weight", {**STANZA, **change})


def test_the_boards_lines():
    pan = Pan(1234.5)
    make = {"boot_text": "", "repeat_s": 1.0}
    said = {shape: LineWeightDevice(pan.weigh, board=Board(shape=shape, **make)) for shape in
            ("bare", "label", "named", "channels", "indicator")}  # fmt: skip
    assert [device.tick(0) for device in said.values()] == [b""] * 5
    assert {shape: device.tick(1) for shape, device in said.items()} == {
        "bare": b"1234.50\r\n",
        "label": b"Reading: \r\n1234.50\r\n",
        "named": b"Weight: 1234.5\r\n",
        "channels": b'{"ch1": 8000, "ch2": 501800}\r\n',
        "indicator": b"wn  1.234kg\r\n",
    }
    slow = LineWeightDevice(pan.weigh, board=replace(Board(), boot_s=2.0))
    assert slow.tick(0).endswith(b"Tare done...\r\n")
    assert slow.tick(1_900_000_000) == slow.feed(b"hello", 0) == b""
    assert slow.tick(2_000_000_000) == b"1234.50\r\n"
    slow.reset()
    assert slow.tick(3_000_000_000).startswith(b"HX711 scale\r\n")
