"""The TFmini family: frames, meanings, and the opinion whether somebody is there."""

from importlib.metadata import EntryPoint, EntryPoints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers import plugins
from readers.capture import describe_capture, find_protocol
from readers.errors import FrameError, SettingsError, UnknownDevice
from readers.model import Proximity
from readers.registry import GROUP, check_sensor, settings_for
from readers.sensor_driver import Decimator
from readers.tfmini import commands
from readers.tfmini.codec import Command, FrameDecoder, Measurement, Setup, Text
from readers.tfmini.occupancy import UNSURE_NS, Occupancy

MS, S = 1_000_000, 1_000_000_000
FRAME = Measurement(120, 600, 2380)


def records_of(data: bytes, direction: str = "from_reader"):
    return list(describe_capture(find_protocol("tfmini", direction), [data]))


measurements = st.builds(Measurement, *[st.integers(0, 0xFFFF)] * 3)
answers = st.builds(Command, st.integers(0, 0xFF), st.binary(max_size=28))
echoes = st.builds(Setup, st.integers(0, 0xFF), st.binary(min_size=3, max_size=3), st.just(True))
texts = st.integers(0, 9999).map(lambda cm: Text(f"{cm / 100:.2f}")) | st.sampled_from([Text("-1"), Text("-1.00")])


@given(st.lists(measurements | answers, max_size=8) | st.lists(texts | echoes, max_size=8), st.data())
def test_frames_come_back_whole_however_they_are_cut(frames, data):
    stream = b"".join(frame.to_bytes() for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=9)))
    decoder = FrameDecoder()
    edges = zip([0, *cuts], [*cuts, len(stream)], strict=True)
    assert [frame for a, b in edges for frame in decoder.feed(stream[a:b])] + decoder.flush() == frames


@given(st.builds(Command, st.integers(0, 255), st.binary(max_size=28)) | echoes.map(lambda e: Setup(e.code, e.value)))
def test_commands_come_back_whole(command):
    assert FrameDecoder("to_reader").feed(command.to_bytes()) == [command]


def test_no_flipped_bit_makes_another_measurement():
    raw = FRAME.to_bytes()
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        decoder = FrameDecoder()
        assert decoder.feed(bytes(flipped) + raw) + decoder.flush() == [FRAME], bit


def test_a_right_sum_is_not_enough_out_of_step():
    """The middle of a stream whose distances look like headers: 59 59 and a right sum, but no frame behind it."""
    false = FRAME.to_bytes()
    decoder = FrameDecoder()
    assert decoder.feed(false + b"\x00" + FRAME.to_bytes() * 2) == [FRAME, FRAME]
    assert decoder.discarded_bytes == 10


def test_in_step_a_measurement_is_told_at_once_and_out_of_step_with_the_next():
    decoder = FrameDecoder()
    assert decoder.feed(FRAME.to_bytes()) == []
    assert decoder.feed(FRAME.to_bytes()[:2]) == [FRAME]
    assert decoder.feed(FRAME.to_bytes()[2:]) == [FRAME]
    assert decoder.feed(b"\x00" + FRAME.to_bytes()) == []
    assert decoder.flush() == [FRAME]


@given(st.lists(st.sampled_from([b"YY", b"Z ", b"BW\x02", b"1.2", b"-", b"\r", b"\n", b"Y", b"\x00"]), max_size=300))
def test_what_waits_is_never_more_than_one_command(pieces):
    decoder = FrameDecoder()
    for piece in pieces:
        decoder.feed(piece)
        assert len(decoder._buffer) <= 32


@pytest.mark.parametrize(
    ("measurement", "said"),
    [
        (Measurement(120, 600, 2380), {"distance_cm": 120, "reliable": True, "temperature_c": 41.5}),
        (Measurement(120, 600, 7), {"distance_cm": 120, "reliable": True, "mode": 7}),
        (Measurement(0xFFFF, 12, 7), {"distance_cm": 65535, "reliable": False, "mode": 7}),
        (Measurement(120, 19, 7), {"strength": 19, "reliable": False}),
        (Measurement(120, 0xFFFF, 2380), {"reliable": False}),
        (Measurement(0, 600, 2380), {"reliable": False}),
        (Measurement(0xFFFC, 600, 2380), {"reliable": False}),
        (Measurement(1500, 600, 2380), {"reliable": True}),
        (Measurement(1501, 600, 2380), {"reliable": False}),
    ],
)
def test_measurements_in_words(measurement, said):
    [record] = records_of(measurement.to_bytes())
    assert record["decoded"].items() >= {"format": "binary", **said}.items()


@pytest.mark.parametrize(
    ("data", "direction", "said"),
    [
        ("5a0701060901 72", "from_reader", {"id": 1, "name": "get_version", "version": "1.9.6"}),
        ("5a050501 65", "to_reader", {"id": 5, "name": "set_format", "payload": "01"}),
        ("5a050700 66", "to_reader", {"id": 7, "name": "set_output", "payload": "00"}),
        ("5a0411 6f", "to_reader", {"id": 17, "name": "save"}),
        ("5a0603e803 4e", "to_reader", {"id": 3, "name": "set_frame_rate", "payload": "e803"}),
        ("4257020000000102", "to_reader", {"setup": 2, "name": "setup", "value": "000001"}),
        ("4257020100000106", "from_reader", {"setup": 6, "name": "set_format", "value": "000001"}),
        (b"-1\r\n".hex(), "from_reader", {"format": "text", "distance_m": None}),
        (b"12.00\r\n".hex(), "from_reader", {"format": "text", "distance_m": 12.0}),
    ],
)
def test_commands_and_text_in_words(data, direction, said):
    [record] = records_of(bytes.fromhex(data), direction)
    assert record["decoded"] == said


@pytest.mark.parametrize(
    ("data", "direction", "why"),
    [
        ("5959780058024c0900", "from_reader", "checksum 00, computed d9"),
        ("5a04015e", "to_reader", "checksum 5e, computed 5f"),
        ("5a21", "to_reader", "length 33, a command has 4 to 32"),
        ("4257020100000102", "to_reader", "fourth byte 0x01, not 0x00"),
        ("425703", "to_reader", "no whole header"),
        (b"1.2\r\n".hex(), "from_reader", "no line of text mode"),
        (b"1.2100\r\n".hex(), "from_reader", "no line of text mode"),
        ("59005a", "from_reader", "one 59, not two"),
    ],
)
def test_what_no_range_finder_says_is_refused_with_its_reason(data, direction, why):
    record = records_of(bytes.fromhex(data), direction)[0]
    assert (record["valid"], record["why"]) == (False, why)


def test_orders_are_built_as_published_and_impossible_ones_refused():
    assert commands.GET_VERSION.to_bytes().hex() == "5a04015f"
    assert commands.frame_rate(1000).to_bytes().hex() == "5a0603e8034e"
    assert commands.BEGIN_SETUP.to_bytes().hex() == "4257020000000102"
    with pytest.raises(ValueError, match="1000 / n"):
        commands.frame_rate(300)
    with pytest.raises(FrameError, match="three bytes"):
        commands.parse_version(Command(1, b"\x01"))
    assert commands.parse_text(Text("1.21")).distance_cm == 121
    assert commands.parse_text(Text("-1")).distance_cm is None


def test_somebody_at_the_border_does_not_come_and_go():
    opinion = Occupancy(100, 20)
    said = []
    for cm in (110, 101, 100, 110, 120, 121, 110, 100):
        opinion.measured(cm, 0)
        said.append(opinion.occupied)
    assert said == [False, False, True, True, True, False, False, True]


def test_what_cannot_be_measured_is_neither_near_nor_far():
    opinion = Occupancy(100, 20)
    opinion.measured(80, 0)
    assert not opinion.blinded(UNSURE_NS - 1)
    assert opinion.occupied
    assert opinion.blinded(UNSURE_NS)
    assert opinion.occupied is None
    assert not opinion.blinded(UNSURE_NS + 1), "told once"
    opinion.measured(110, UNSURE_NS + 2)
    assert opinion.occupied is False
    assert not opinion.blinded(UNSURE_NS + 3)
    assert not Occupancy(100, 20).blinded(5 * S), "it has just begun"


def test_changes_pass_at_once_and_the_rest_ten_times_a_second():
    decimator = Decimator()
    told = [
        decimator.passes(Proximity("p", 300 <= at_ms < 305, None, at_ms, at_ms * MS)) for at_ms in range(0, 1000, 10)
    ]
    assert sum(told) in (11, 12, 13)
    assert told[30:32] == [True, True]
    assert sum(told[:10]) <= 2


def test_the_distance_must_be_given():
    with pytest.raises(SettingsError, match="occupied_within_cm"):
        check_sensor("tfmini", {})


def test_a_distance_beyond_which_nobody_could_be_gone_is_refused():
    check_sensor("tfmini", {"occupied_within_cm": 1100, "hysteresis_cm": 99})
    with pytest.raises(SettingsError, match="less than 1200 together"):
        check_sensor("tfmini", {"occupied_within_cm": 1100, "hysteresis_cm": 100})


def test_a_plug_in_that_senses_nothing_is_no_sensor(monkeypatch):
    points = EntryPoints([EntryPoint("third-party", "readers.mt_sics.reader:MtSicsScale", GROUP)])
    monkeypatch.setattr(plugins, "entry_points", lambda **wanted: points.select(**wanted))
    with pytest.raises(UnknownDevice, match="'third-party' is no sensor; known: hlk-ld2410, tfmini"):
        check_sensor("third-party", {})


def test_the_keys_of_a_sensors_stanza_are_known_by_its_type():
    assert "occupied_within_cm" in settings_for("tfmini").__struct_fields__
    assert "hold_s" in settings_for("hlk-ld2410").__struct_fields__
