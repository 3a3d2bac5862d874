"""Mercury frames, commands and records: against the published frames, the simulator's own reckoning, and at random."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import FrameError
from readers.framing import Noise
from readers.mercury import answers, commands, statuses
from readers.mercury.answers import Power
from readers.mercury.codec import Answer, AnswerDecoder, Command, CommandDecoder, checksum
from readers.mercury.describe import describe_answer, describe_command
from simulators.mercury.frames import crc
from tests.readers.mercury.vectors import TAG
from tests.readers.vectors import load

PUBLISHED = {vector.raw.hex() for vector in load("mercury") if vector.valid}


@given(st.binary(min_size=2, max_size=255))
def test_the_checksum_is_the_vendor_s_nibble_by_nibble(body):
    assert checksum(body) == crc(body)


@given(st.integers(0, 255), st.binary(max_size=250))
def test_commands_survive_the_wire(opcode, payload):
    command = Command(opcode, payload)
    assert CommandDecoder().feed(command.to_bytes()) == [command]


@given(st.integers(0, 255), st.integers(0, 0x7FFF), st.binary(max_size=248))
def test_answers_survive_the_wire(opcode, status, payload):
    answer = Answer(opcode, status, payload)
    assert AnswerDecoder().feed(answer.to_bytes()) == [answer]


@given(st.integers(0, 255), st.integers(0, 0x7FFF), st.binary(max_size=60))
def test_a_stray_header_costs_itself_and_no_delay(opcode, status, payload):
    answer = Answer(opcode, status, payload)
    decoder = AnswerDecoder()
    assert decoder.feed(b"\xff" + answer.to_bytes()) == [answer]
    assert decoder.discarded_bytes == 1


@pytest.mark.parametrize(
    ("noise", "why"),
    [("fff9", "length 249, more than any frame has"), ("ff012280", "no status 0x80..")],
)
def test_what_no_module_sends_is_told_before_its_end(noise, why):
    decoder = AnswerDecoder()
    assert decoder.scan(bytes.fromhex(noise) + b"\x00" * 8) == []
    [found] = decoder.finish()
    assert isinstance(found, Noise)
    assert found.why == why


BUILT = {
    "version": commands.get_version(),
    "boot": commands.boot(),
    "set_baud": commands.set_baud(115200),
    "program": commands.current_program(),
    "buffer": commands.get_tag_buffer(0x01FF),
    "clear": commands.clear_tag_buffer(),
    "stream": commands.start_stream(0x01FF, temperature=False),
    "stop": commands.stop_stream(),
    "power": commands.set_read_power(1200),
    "protocol": commands.set_protocol(),
    "region": commands.set_region("eu"),
    "filter": commands.set_reader_option(commands.ReaderOption.READ_FILTER, 0),
}


@pytest.mark.parametrize("command", BUILT.values(), ids=BUILT)
def test_commands_are_built_as_published(command):
    assert command.to_bytes().hex() in PUBLISHED


def test_the_stream_with_temperature_is_ordered_as_drivers_in_the_field_do():
    order = commands.start_stream(0x01FF, temperature=True)
    assert order.payload.hex() == "00000122000005092210011b03e801ff0100"


@pytest.mark.parametrize(
    ("command", "payload"),
    [
        (commands.get_serial_number(), "0040"),
        (commands.detect_antennas(), "05"),
        (commands.set_antennas((1, 3)), "0201010303"),
        (commands.get_read_power(), "01"),
        (commands.set_hop_table((865_700, 867_500)), "000d35a4000d3cac"),
        (commands.set_session(2), "050002"),
        (commands.set_target("A"), "05010100"),
        (commands.set_target("BA"), "05010001"),
        (commands.set_q(None), "051200"),
        (commands.set_q(4), "05120104"),
    ],
)
def test_commands_without_a_published_frame_are_built_as_the_vendor_s_library_does(command, payload):
    assert command.payload.hex() == payload


def test_regions_have_one_name_each():
    assert len(commands.REGION_NAMES) == len(commands.REGIONS)


KINDS = {
    "keep-alive": (Answer(0x22, statuses.NO_TAGS), True),
    "keep-alive of other protocols": (Answer(0x22), True),
    "tag": (AnswerDecoder().feed(TAG)[0], True),
    "ended search": (Answer(0x22, 0, bytes.fromhex("00001b0000000003")), True),
    "own state": (Answer(0x22, 0, bytes.fromhex("8800011b0282008200011c")), False),
    "own state, ten bytes": (Answer(0x22, 0, bytes.fromhex("00011b0282008200011c")), False),
    "too hot": (Answer(0x22, 0x0504), False),
    "empty poll of a single read": (Answer(0x21, statuses.NO_TAGS), False),
    "unknown type": (Answer(0x22, 0, bytes.fromhex("00001b0700000003")), False),
    "too short": (Answer(0x22, 0, b"\x10\x00"), False),
}


@pytest.mark.parametrize(("answer", "lives"), KINDS.values(), ids=KINDS)
def test_signs_of_life(answer, lives):
    assert answers.is_sign_of_life(answer) == lives


@pytest.mark.parametrize(
    ("contents", "temperature_c"),
    [
        ("82008200011c", 28),
        ("8200820001fb", -5),
        ("82048204020102820001 1c", 28),  # something else before it
        ("82048204020102", None),
        ("0882", None),
    ],
)
def test_the_temperature_is_found_among_what_the_module_tells_of_itself(contents, temperature_c):
    answer = Answer(0x22, 0, bytes.fromhex("00011b02") + bytes.fromhex(contents))
    if contents == "0882":
        with pytest.raises(FrameError, match="cut off"):
            answers.parse_streamed_temperature(answer)
    else:
        assert answers.parse_streamed_temperature(answer) == temperature_c
    without_statistics = Answer(0x22, 0, bytes.fromhex("00001b02") + bytes.fromhex(contents))
    assert answers.parse_streamed_temperature(without_statistics) is None


def test_states_and_tags_are_never_taken_for_each_other():
    state = Answer(0x22, 0, bytes.fromhex("00011b0282008200011c"))
    assert answers.parse_tag(state) is None
    assert answers.parse_streamed_temperature(AnswerDecoder().feed(TAG)[0]) is None
    with pytest.raises(FrameError, match="without metadata flags"):
        answers.parse_tag(Answer(0x22, 0, bytes.fromhex("00001b01") + b"\x00" * 20))


def test_a_state_that_says_more_than_it_holds_is_cut_off():
    with pytest.raises(FrameError, match="cut off"):
        answers.parse_streamed_temperature(Answer(0x22, 0, bytes.fromhex("00011b0282008200021c")))


def test_what_the_driver_asks_is_understood():
    assert (
        answers.parse_version(Answer(0x03, 0, bytes(4) + b"\x20" + bytes(15))).model
        == "M6e Micro, firmware 00.00.00.00"
    )
    unknown = answers.parse_version(Answer(0x03, 0, bytes(4) + b"\x77" + bytes(15)))
    assert unknown.model == "Mercury module 0x77, firmware 00.00.00.00"
    assert answers.parse_in_bootloader(Answer(0x0C, 0, b"\x11"))
    assert not answers.parse_in_bootloader(Answer(0x0C, 0, b"\x12"))
    assert answers.parse_power(Answer(0x62, 0, bytes.fromhex("0108fc0a8c03e8"))) == Power(2300, 2700, 1000)
    assert answers.parse_power(Answer(0x62, 0, bytes.fromhex("0008fc"))) == Power(2300, None, None)
    assert answers.parse_antennas(Answer(0x61, 0, b"\x05\x01\x01\x02\x00")) == {1: True, 2: False}
    assert answers.parse_temperature(Answer(0x72, 0, b"\xf6")) == -10
    assert answers.parse_serial_number(Answer(0x10, 0, b"\x00\x40\x40\x04A123")) == "A123"


@pytest.mark.parametrize(
    "parse",
    [
        answers.parse_version, answers.parse_in_bootloader, answers.parse_power, answers.parse_antennas,
        answers.parse_temperature, answers.parse_serial_number, answers.parse_tag_buffer,
    ],
)  # fmt: skip
def test_answers_of_the_wrong_size_break_the_protocol(parse):
    with pytest.raises(FrameError):
        parse(Answer(0x00, 0, b"\x01\x02\x03\x04\x05\x06"[: 2 if parse is answers.parse_antennas else 6]))


@given(st.sampled_from([*commands.Opcode, 0x99]), st.binary(max_size=40))
def test_any_command_is_described_or_refused_in_words(opcode, payload):
    with suppress(FrameError):
        json.dumps(describe_command(Command(opcode, payload)))


@given(st.sampled_from([*commands.Opcode, 0x99]), st.sampled_from([0, 0x0400, 0x0901]), st.binary(max_size=60))
def test_any_answer_is_described_or_refused_in_words(opcode, status, payload):
    with suppress(FrameError):
        json.dumps(describe_answer(Answer(opcode, status, payload)))


@pytest.mark.parametrize(
    "payload",
    ["03", "00001303", "0000130003", "00001300000003", "0000130000000003", "00001b0000000003"],
)
def test_an_ended_search_tells_what_it_found(payload):
    """Plain ones, as an M5e is polled, with and without many tags; the last in the stream."""
    answer = Answer(0x22, 0, bytes.fromhex(payload))
    assert describe_answer(answer) | {"opcode": 0, "status": 0} == {
        "opcode": 0, "status": 0, "kind": "search_ended", "tags_found": 3
    }  # fmt: skip


@pytest.mark.parametrize("payload", ["00011b0200000003", "0000", "00001b01"])
def test_what_is_no_ended_search_has_found_nothing(payload):
    assert answers.parse_found(Answer(0x22, 0, bytes.fromhex(payload))) is None
    assert answers.parse_found(Answer(0x22, 0x0400)) is None


def test_a_serial_number_and_a_status_in_words():
    assert describe_answer(Answer(0x10, 0, b"\x00\x40\x40\x04A123"))["serial_number"] == "A123"
    assert describe_answer(Answer(0x22, 0x0505))["name"] == "high_return_loss"
    assert describe_answer(Answer(0x22, 0x0999))["name"] == "unknown"
