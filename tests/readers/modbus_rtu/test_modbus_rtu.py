"""Modbus RTU frames against pymodbus's own framer, and what answers say in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import DecodePDU, ReadCoilsRequest, ReadHoldingRegistersRequest
from pymodbus.pdu.bit_message import ReadCoilsResponse, WriteMultipleCoilsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersResponse,
    ReadInputRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterRequest,
)

from readers.capture import describe_capture, find_protocol
from readers.modbus_rtu.codec import Frame, FrameDecoder, crc16

ADDRESSES, WORDS, UNITS = st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(1, 247)
REQUESTS = st.one_of(
    st.builds(ReadCoilsRequest, address=ADDRESSES, count=st.integers(1, 2000)),
    st.builds(ReadHoldingRegistersRequest, address=ADDRESSES, count=st.integers(1, 125)),
    st.builds(WriteSingleCoilRequest, address=ADDRESSES, bits=st.lists(st.booleans(), min_size=1, max_size=1)),
    st.builds(WriteSingleRegisterRequest, address=ADDRESSES, registers=st.lists(WORDS, min_size=1, max_size=1)),
    st.builds(WriteMultipleCoilsRequest, address=ADDRESSES, bits=st.lists(st.booleans(), min_size=1, max_size=1968)),
    st.builds(WriteMultipleRegistersRequest, address=ADDRESSES, registers=st.lists(WORDS, min_size=1, max_size=123)),
)
ANSWERS = st.one_of(
    st.builds(ReadCoilsResponse, bits=st.lists(st.booleans(), min_size=8, max_size=2000)),
    st.builds(ReadHoldingRegistersResponse, registers=st.lists(WORDS, min_size=1, max_size=125)),
    st.builds(ReadInputRegistersResponse, registers=st.lists(WORDS, min_size=1, max_size=125)),
    st.builds(WriteMultipleRegistersResponse, address=ADDRESSES, count=st.integers(1, 123)),
)


def decoded(raw: str, direction: str = "from_reader") -> dict[str, object]:
    body = bytes.fromhex(raw)
    stream = body + crc16(body).to_bytes(2, "little")
    [record] = describe_capture(find_protocol("modbus-rtu", direction), [stream])
    assert record["valid"], record
    return record["decoded"]


@given(REQUESTS, UNITS)
def test_requests_are_framed_as_pymodbus_frames_them(request, unit):
    request.dev_id = unit
    wire = FramerRTU(DecodePDU(is_server=True)).buildFrame(request)
    frame = Frame(unit, request.function_code, request.encode())
    assert frame.to_bytes() == wire
    assert FrameDecoder("to_reader").feed(wire) == [frame]


@given(ANSWERS, UNITS)
def test_answers_are_framed_as_pymodbus_frames_them(answer, unit):
    answer.dev_id = unit
    wire = FramerRTU(DecodePDU(is_server=False)).buildFrame(answer)
    assert FrameDecoder("from_reader").feed(wire) == [Frame(unit, answer.function_code, answer.encode())]


@pytest.mark.parametrize(
    ("raw", "direction", "said"),
    [
        ("01 03 04 0001 fffe", "from_reader", {"unit": 1, "function": 3, "values": [1, 65534]}),
        ("01 01 02 cd01", "from_reader", {"unit": 1, "function": 1, "data": "cd01"}),
        ("01 0f 0013 000a", "from_reader", {"unit": 1, "function": 15, "address": 19, "count": 10}),
        ("01 05 0002 5500", "to_reader", {"unit": 1, "function": 5, "coil": 2, "value": 0x5500}),
        ("01 06 0001 0003", "from_reader", {"unit": 1, "function": 6, "address": 1, "value": 3}),
        ("01 04 0000 0001", "to_reader", {"unit": 1, "function": 4, "address": 0, "count": 1}),
    ],
)
def test_frames_that_nobody_published(raw, direction, said):
    assert decoded(raw, direction) == said


@pytest.mark.parametrize(("code", "words"), [(2, "illegal data address: "), (6, "device busy"), (0x42, "code 66, ")])
def test_refusals_are_told_in_words(code, words):
    said = decoded(f"01 83 {code:02x}")
    assert (said["unit"], said["function"], said["exception"]) == (1, 3, code)
    assert said["text"].startswith(words)


@pytest.mark.parametrize(
    ("raw", "direction"),
    [
        ("01 03 0000 007e", "to_reader"),
        ("01 03 0000 0000", "to_reader"),
        ("01 01 0000 07d1", "to_reader"),
        ("01 10 0000 0001 04 00000000", "to_reader"),
        ("01 0f 0000 0009 01 00", "to_reader"),
        ("01 10 0000 0000 00", "to_reader"),
        ("01 03 00", "from_reader"),
        ("01 03 03 000000", "from_reader"),
        ("01 03 fc" + "00" * 252, "from_reader"),
    ],
)
def test_a_right_check_does_not_save_a_wrong_structure(raw, direction):
    body = bytes.fromhex(raw)
    decoder = FrameDecoder(direction)
    assert decoder.feed(body + crc16(body).to_bytes(2, "little")) + decoder.flush() == []


@pytest.mark.parametrize(
    ("head", "direction"),
    [("01 03 fc", "from_reader"), ("01 01 fb", "from_reader"), ("01 10 0000 007c f8", "to_reader")],
)
def test_a_length_that_no_frame_has_is_not_waited_for(head, direction):
    decoder = FrameDecoder(direction)
    decoder.feed(bytes.fromhex(head))
    assert decoder.discarded_bytes
