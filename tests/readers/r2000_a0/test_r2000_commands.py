"""What the driver can say and understand, against the published frames."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import FrameError
from readers.r2000_a0 import answers, commands
from readers.r2000_a0.answers import BufferedTag, Failure, RoundEnd, TagReport
from readers.r2000_a0.codec import BROADCAST, Frame, FrameDecoder
from readers.r2000_a0.commands import INVENTORIES, Command
from readers.r2000_a0.describe import describe_answer, describe_command
from tests.readers.vectors import load

TAG = bytes.fromhex("a0130189043000e200301666130121155074ef45bf")
END = bytes.fromhex("a00a018900001100000005b6")
PUBLISHED = [
    (commands.reset(1), "a0030170ec"),
    (commands.get_firmware(1), "a0030172ea"),
    (commands.realtime_inventory(1, 1), "a004018901d1"),
    (commands.fast_switch_inventory(1, [1, 2, 3, 4], repeat=2), "a00d018a00010101020103010002bc"),
]
ALL_COMMANDS = [
    *(built for built, _ in PUBLISHED),
    commands.set_baud(1, 38400),
    commands.set_address(1, 7),
    commands.get_identifier(1),
    commands.set_identifier(1, bytes(12)),
    commands.get_antenna(1),
    commands.set_antenna(1, 2),
    commands.get_power(1),
    commands.get_power(1, ports=8),
    commands.set_power(1, [30]),
    commands.set_power(1, [30, 29, 28, 27]),
    commands.set_temporary_power(1, 22),
    commands.get_region(1),
    commands.set_region(1, "europe", 0, 6),
    commands.set_beeper(1, "round"),
    commands.get_temperature(1),
    commands.get_return_loss(1, 33),
    commands.get_detector(1),
    commands.set_detector(1, 3),
    commands.get_profile(1),
    commands.set_profile(1, 0xD1),
    commands.read_gpio(1),
    commands.write_gpio(1, 3, high=True),
    commands.session_inventory(1, 2, "B", 1),
    commands.fast_switch_inventory(1, [8, 1], ports=8),
    commands.buffered_inventory(1, 1),
    commands.get_buffer(1),
    commands.get_buffer(1, and_reset=True),
    commands.get_buffer_count(1),
    commands.reset_buffer(1),
    commands.set_epc_match(1, bytes(12)),
    commands.clear_epc_match(1),
    commands.get_epc_match(1),
    commands.read_memory(1, 2, 0, 6),
    commands.write_memory(1, 3, 0, b"\x12\x34"),
]


@pytest.mark.parametrize(("built", "published"), PUBLISHED)
def test_a_command_is_built_as_published(built, published):
    assert published in {vector.raw.hex() for vector in load("r2000-a0") if vector.valid}
    assert built.to_bytes().hex() == published


@pytest.mark.parametrize("built", ALL_COMMANDS, ids=lambda frame: frame.to_bytes().hex())
def test_every_command_we_build_can_be_described_and_has_a_name(built):
    assert describe_command(built)["name"] == Command(built.command).name.lower()


@pytest.mark.parametrize(
    ("built", "said"),
    [
        (commands.set_antenna(1, 2), {"antenna_index": 1}),
        (commands.session_inventory(1, 2, "B", 9), {"session": 2, "target": "B", "repeat": 9}),
        (commands.set_region(1, "china", 43, 53), {"region": "china", "first_channel": 43, "last_channel": 53}),
        (commands.set_power(1, [30, 29, 28, 27]), {"power_dbm": [30, 29, 28, 27]}),
        (commands.write_gpio(1, 3, high=True), {"pin": 3, "level": 1}),
        (
            commands.fast_switch_inventory(1, [8, 1], ports=8, stay=2, interval_ms=5, repeat=3),
            {"stays": [[7, 2], [0, 2], *[[255, 0]] * 6], "interval_ms": 5, "repeat": 3},
        ),
        (commands.fast_switch_inventory(255, [3]), {"stays": [[2, 1], *[[255, 0]] * 3], "addr": 255}),
    ],
)
def test_what_is_said_is_what_was_meant(built, said):
    assert describe_command(built).items() >= said.items()


@pytest.mark.parametrize(("ports", "length"), [(4, 0x0D), (8, 0x15)])
def test_a_fast_switch_order_has_a_place_for_every_port(ports, length):
    assert commands.fast_switch_inventory(1, [1], ports=ports).to_bytes()[1] == length


@pytest.mark.parametrize(
    ("command", "data", "said"),
    [
        (0x72, "0802", {"firmware": "8.2"}),
        (0x74, "10", {"result": "0x10 ok"}),
        (0x74, "22", {"result": "0x22 antenna_missing"}),
        (0x76, "48", {"result": "0x48 power_out_of_range"}),
        (0x76, "99", {"result": "0x99 unknown"}),
        (0x75, "02", {"antenna_index": 2}),
        (0x77, "1e", {"power_dbm": [30]}),
        (0x97, "1e1e1e1e1d1d1d1d", {"power_dbm": [30, 30, 30, 30, 29, 29, 29, 29]}),
        (0x79, "01073b", {"region": "us", "first_channel": 7, "last_channel": 59}),
        (0x79, "04190a0dfa68", {"region": "custom", "start_khz": 916072, "interval_khz": 250, "channels": 10}),
        (0x7B, "0129", {"temperature_c": 41}),
        (0x7B, "0005", {"temperature_c": -5}),
        (0x7E, "0c", {"return_loss_db": 12}),
        (0x7E, "ee", {"error": "0xee"}),
        (0x63, "03", {"return_loss_db": 3}),
        (0x68, "00112233445566778899aabb", {"identifier": "00112233445566778899aabb"}),
        (0x80, "00 0002 0011 00000005", {"antenna_index": 0, "kept": 2, "read_rate": 17, "total_read": 5}),
        (0x80, "22", {"error": "0x22", "meaning": "antenna_missing"}),
        (0x92, "0003", {"kept": 3}),
        (0x90, "38", {"error": "0x38", "meaning": "buffer_empty"}),
        (0x8A, "00002a 000001f4", {"kind": "round_end", "total_read": 42, "duration_ms": 500}),
        (0x8B, "01 0011 00000005", {"kind": "round_end", "antenna_index": 1, "read_rate": 17, "total_read": 5}),
        (0x89, "22", {"kind": "failure", "error": "0x22", "meaning": "antenna_missing"}),
        (0x8A, "0222", {"kind": "failure", "antenna_index": 2, "meaning": "antenna_missing"}),
        (0x99, "aabb", {"data": "aabb"}),
    ],
)
def test_answers_in_words(command, data, said):
    assert describe_answer(Frame(1, command, bytes.fromhex(data))).items() >= said.items()


@pytest.mark.parametrize(
    ("command", "data"),
    [
        (0x72, "08"),
        (0x79, "0107"),
        (0x7B, "29"),
        (0x77, "1e1e"),
        (0x68, "00"),
        (0x90, "0001"),
        (0x80, "0001"),
        (0x89, ""),
        (0x89, "043000"),
        (0x89, "042800e200301666130121155074ef45"),
    ],
)
def test_contents_that_do_not_fit_are_refused(command, data):
    with pytest.raises(FrameError):
        describe_answer(Frame(1, command, bytes.fromhex(data)))


@pytest.mark.parametrize(("command", "data"), [(0x89, ""), (0x74, "0001"), (0x8A, "0001"), (0x72, "00"), (0x8B, "00")])
def test_commands_that_make_no_sense_are_refused(command, data):
    with pytest.raises(FrameError, match="do not fit command"):
        describe_command(Frame(1, command, bytes.fromhex(data)))


FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=252))


@given(FRAMES)
def test_any_frame_goes_there_and_back(frame):
    data = frame.to_bytes()
    assert FrameDecoder().feed(data) == [frame]
    assert data[1] == len(data) - 2
    assert sum(data) % 256 == 0


@given(FRAMES, st.sampled_from([describe_command, describe_answer]))
def test_any_frame_is_described_or_refused(frame, describe):
    with suppress(FrameError):
        assert describe(frame)["addr"] == frame.address


@given(
    st.sampled_from(INVENTORIES),
    st.integers(0, 63),
    st.integers(1, 8),
    st.integers(0, 127),
    st.binary(max_size=62).filter(lambda epc: len(epc) % 2 == 0),
)
def test_a_report_says_who_where_and_how_loud(command, channel, antenna, rssi_raw, epc):
    pc = len(epc) // 2 << 11
    high = 0x80 if antenna > 4 else 0
    data = bytes([channel << 2 | (antenna - 1) & 3]) + pc.to_bytes(2, "big") + epc + bytes([rssi_raw | high])
    report = answers.parse_inventory(Frame(1, command, data))
    assert report == TagReport(channel, antenna, pc, epc, rssi_raw)
    assert report.rssi_dbm == rssi_raw - 129


def test_a_published_report_and_end():
    [tag, end] = map(answers.parse_inventory, FrameDecoder().feed(TAG + END))
    assert tag == TagReport(1, 1, 0x3000, bytes.fromhex("e200301666130121155074ef"), 69)
    assert tag.rssi_dbm == -60
    assert end == RoundEnd(1, 17, 5, None)


def test_length_alone_tells_reports_from_ends_and_failures():
    assert answers.parse_inventory(Frame(1, 0x8A, b"\x00\x00\x05\x00\x00\x01\x00")) == RoundEnd(None, None, 5, 256)
    assert answers.parse_inventory(Frame(1, 0x8A, b"\x01\x22")) == Failure(0x22, 2)
    assert answers.parse_inventory(Frame(1, 0x8B, b"\x22")) == Failure(0x22)
    assert answers.parse_inventory(Frame(1, 0x72, b"\x22")) is None


def test_a_buffered_tag_and_its_crc():
    tag = bytes.fromhex("340030751feb705c5904e3d50d703a76")  # a captured tag with its own CRC
    data = b"\x00\x02" + bytes([len(tag)]) + tag + bytes([69 | 0x80, 35 << 2 | 1, 200])
    kept = answers.parse_buffered_tag(Frame(1, 0x90, data))
    assert kept == BufferedTag(2, 0x3400, tag[2:14], 0x3A76, True, 69, 35, 6, 200)
    wrong = data.replace(b"\x3a\x76", b"\x3a\x77")
    assert answers.parse_buffered_tag(Frame(1, 0x91, wrong)).crc_ok is False
    assert answers.parse_buffered_tag(Frame(1, 0x89, data)) is None
    assert describe_answer(Frame(1, 0x90, data)).items() >= {"kept": 2, "antenna_index": 5, "reads": 200}.items()


@pytest.mark.parametrize("data", ["0002", "00020f340030751feb705c5904e3d50d703a76458e05", "000204200012344545458e"])
def test_a_buffered_tag_whose_lengths_disagree_is_refused(data):
    with pytest.raises(FrameError):
        answers.parse_buffered_tag(Frame(1, 0x90, bytes.fromhex(data)))


def test_frequencies_are_those_of_the_manual_s_table():
    assert [commands.frequency_mhz(channel) for channel in (0, 6, 7, 59)] == [865.0, 868.0, 902.0, 928.0]
    assert [commands.frequency_mhz(channel) for channel in commands.REGION_CHANNELS["china"]] == [920.0, 925.0]


def test_an_error_where_a_longer_answer_was_due_is_said_in_words():
    with pytest.raises(FrameError, match="error 0x41, invalid_parameter"):
        answers.parse_firmware(Frame(1, 0x72, b"\x41"))


@pytest.mark.parametrize("data", ["a00060", "a0015f", "a002015d"])
def test_a_length_without_room_for_a_command_is_no_frame(data):
    assert sum(bytes.fromhex(data)) % 256 == 0
    assert FrameDecoder().feed(bytes.fromhex(data) + TAG) == FrameDecoder().feed(TAG)


def test_the_broadcast_address_is_the_one_nobody_has():
    assert commands.get_firmware(BROADCAST).to_bytes()[2] == 0xFF
