"""Records of tags, by their flags: what is a tag, what is none, and where everything lies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import FrameError
from readers.mercury import answers
from readers.mercury.codec import Answer, AnswerDecoder
from readers.mercury.describe import describe_answer
from readers.mercury.records import KNOWN, Metadata, parse_record
from simulators.gen2 import crc16
from tests.readers.mercury.vectors import EPC, TAG, record_of


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
