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
from readers.mercury.records import KNOWN, Metadata, parse_record
from simulators.gen2 import crc16
from simulators.mercury.frames import crc
from tests.readers.vectors import load

PUBLISHED = {vector.raw.hex() for vector in load("mercury") if vector.valid}
TAG = bytes.fromhex("ff2822000010001b01ff0101c4110e16400000012700000500000f00803000000000000000000000001545e94a561d")
EPC = bytes.fromhex("000000000000000000001545")


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


def record_of(flags: int, *, data: bytes = b"", data_bits: int | None = None, tag: bytes) -> bytes:
    """A record, flag by flag."""
    values = {
        Metadata.READ_COUNT: b"\x02",
        Metadata.RSSI: b"\xb0",
        Metadata.ANTENNA: b"\x32",
        Metadata.FREQUENCY: (865_700).to_bytes(3, "big"),
        Metadata.TIMESTAMP: (70_000).to_bytes(4, "big"),
        Metadata.PHASE: (135).to_bytes(2, "big"),
        Metadata.PROTOCOL: b"\x05",
        Metadata.DATA: (len(data) * 8 if data_bits is None else data_bits).to_bytes(2, "big") + data,
        Metadata.GPIO: b"\x0c",
        Metadata.GEN2_Q: b"\x04",
        Metadata.GEN2_LINK: b"\x02",
        Metadata.GEN2_TARGET: b"\x01",
    }
    told = b"".join(value for flag, value in values.items() if flags & flag)
    return told + (len(tag) * 8).to_bytes(2, "big") + tag


def sent(pc: int, body: bytes) -> bytes:
    """What a tag sends: PC, XPC and EPC, CRC."""
    head = pc.to_bytes(2, "big") + body
    return head + crc16(head).to_bytes(2, "big")


@given(st.integers(0, KNOWN), st.binary(max_size=6), st.integers(1, 31), st.data())
def test_a_record_is_read_by_its_flags(flags, data, words, draw):
    epc = draw.draw(st.binary(min_size=2 * words, max_size=2 * words))
    payload = b"head" + record_of(flags, data=data, tag=sent(words << 11, epc))
    record, end = parse_record(payload, 4, flags)
    seen = record.sighting
    expected = (2, -80, 3, 2, 865_700, 70_000, 135, 5, len(data) * 8, 12, 4, 2, 1)
    which = (1, 2, 4, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
    told = (
        seen.read_count, seen.rssi_dbm, seen.antenna_tx, seen.antenna_rx, seen.frequency_khz, seen.timestamp_ms,
        seen.phase_deg, seen.tag_protocol, seen.data_bits, seen.gpio, seen.gen2_q, seen.gen2_link, seen.gen2_target,
    )  # fmt: skip
    assert told == tuple(value if flags & flag else None for value, flag in zip(expected, which, strict=True))
    assert seen.data == (data if flags & Metadata.DATA else b"")
    assert (record.epc, record.pc, record.xpc, record.crc_ok, end) == (epc, words << 11, b"", True, len(payload))


def test_a_failed_embedded_command_leaves_two_bytes_of_error_code():
    payload = record_of(KNOWN, data=b"\x04\x2b", data_bits=0x8000, tag=sent(0x3000, EPC))
    record, end = parse_record(payload, 0, KNOWN)
    assert (record.sighting.data_bits, record.sighting.data, record.epc, end) == (
        0x8000,
        b"\x04\x2b",
        EPC,
        len(payload),
    )


def test_embedded_bits_that_fill_no_byte_take_one():
    payload = record_of(KNOWN, data=b"\xab\xc0", data_bits=12, tag=sent(0x3000, EPC))
    record, _ = parse_record(payload, 0, KNOWN)
    assert (record.sighting.data_bits, record.sighting.data, record.epc) == (12, b"\xab\xc0", EPC)


@pytest.mark.parametrize(("xpc", "pc"), [(b"\x00\x80", 0x3A00), (b"\x80\x00\x12\x34", 0x4200)])
def test_xpc_words_are_no_part_of_the_epc(xpc, pc):
    record, _ = parse_record(record_of(Metadata.RSSI, tag=sent(pc, xpc + EPC)), 0, Metadata.RSSI)
    assert (record.xpc, record.epc, record.crc_ok) == (xpc, EPC, True)


CONTRADICTIONS = {
    "PC longer than the record": (sent(0x3800, EPC), "announces 14 bytes of XPC and EPC, the record carries 12"),
    "PC shorter": (sent(0x2800, EPC), "announces 10 bytes"),
    "XPC without room": (bytes.fromhex("02000000"), "announces 1 words of XPC, the record carries 0 bytes"),
    "second XPC without room": (sent(0x0A00, b"\x80\x00"), "announces 2 words of XPC, the record carries 2 bytes"),
    "no CRC": (b"\x30\x00", "2 bytes are too few for PC and CRC"),
}


@pytest.mark.parametrize(("tag", "why"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_length_that_contradicts_pc_or_xpc_is_no_tag(tag, why):
    with pytest.raises(FrameError, match=why):
        parse_record(record_of(Metadata.RSSI, tag=tag), 0, Metadata.RSSI)


def test_records_of_other_protocols_unknown_flags_or_cut_off_are_no_tags():
    whole = record_of(KNOWN, tag=sent(0x3000, EPC))
    with pytest.raises(FrameError, match="0x1000 are unknown"):
        parse_record(whole, 0, 0x1001)
    with pytest.raises(FrameError, match="a tag of protocol 3, not of Gen2"):
        parse_record(whole.replace(b"\x00\x87\x05", b"\x00\x87\x03"), 0, KNOWN)
    for end in range(len(whole)):
        with pytest.raises(FrameError):
            parse_record(whole[:end], 0, KNOWN)


def test_antenna_16_goes_as_0():
    record, _ = parse_record(b"\x01" + record_of(0, tag=sent(0x3000, EPC)), 0, Metadata.ANTENNA)
    assert (record.sighting.antenna_tx, record.sighting.antenna_rx) == (16, 1)


def test_the_tag_buffer_is_a_list_of_records():
    records = [record_of(0x01FF, tag=sent(0x3000, EPC)), record_of(0x01FF, data=b"abc", tag=sent(0x0800, b"\x12\x34"))]
    answer = Answer(0x29, 0, b"\x01\xff\x00\x02" + b"".join(records))
    metadata, option, found = answers.parse_tag_buffer(answer)
    assert (metadata, option) == (0x01FF, 0)
    assert [record.epc for record in found] == [EPC, b"\x12\x34"]
    assert [tag["epc"] for tag in describe_answer(answer)["tags"]] == [EPC.hex(), "1234"]
    with pytest.raises(FrameError):
        answers.parse_tag_buffer(Answer(0x29, 0, answer.payload[:-1]))
    with pytest.raises(FrameError):
        answers.parse_tag_buffer(Answer(0x29, 0, b"\x01\xff\x00"))


def test_a_multi_select_report_has_a_second_option_byte():
    [captured] = AnswerDecoder().feed(TAG)
    shifted = Answer(0x22, 0, b"\x88" + captured.payload)
    assert answers.parse_tag(shifted) == answers.parse_tag(captured)
    assert answers.parse_tag(captured).epc == EPC


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
