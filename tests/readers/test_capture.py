"""`tacet decode` says the right thing about every golden frame."""

import pytest

from readers.capture import PROTOCOLS, describe_capture, find_protocol
from readers.errors import UnknownDevice
from tests.readers.vectors import ALL, DEVICES, INVALID, NO_VECTORS, VALID, wire_direction

TAG = bytes.fromhex("bb02220011c9340030751feb705c5904e3d50d703a76ef7e")
WHY = {
    "fdfcfbfa0200fe0004040201": "ends in 04040201, not 04030201",
    "fdfcfbfa0200fe00f8f7f6f5": "ends in f8f7f6f5, not 04030201",
    "0231303030323646343434323603": "checksum 26, computed 86",
    "1500010301010c0000000000000000000003136bb1a6": "CRC b1a6, computed b1a5",
    "1100ee00fed7383354314cba00001590a284": "CRC a284, computed 9f4c",
    "bb01030010004d31303020323664426d2056312e30227e": "checksum 22, computed 92",
    "bb011a0003000401227e": "checksum 22, computed 23",
    "bb01d300120e3000e20030166606006911609f70010700cd7e": "checksum cd, computed a9",
    "ff0197024bbe": "CRC 4bbe, computed 4bbf",
    "011000080001020009a333": "CRC a333, computed 671e",
    "010300160002040f18": "CRC 040f, computed 25cf",
    "a0030174038a": "check 03, computed e8",
    "a004018911bd": "check bd, computed c1",
}


def records_of(protocol: str, raw: bytes, direction: str = "from_reader"):
    return list(describe_capture(find_protocol(protocol, direction), [raw]))


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_a_golden_frame_is_decoded_as_published(vector):
    [record] = records_of(vector.protocol, vector.raw, wire_direction(vector))
    assert (record["offset"], record["length"], record["valid"]) == (0, len(vector.raw), True)
    assert record["decoded"].items() >= vector.decoded.items()


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_a_golden_frame_is_built_as_published(vector):
    [frame] = find_protocol(vector.protocol, wire_direction(vector)).decoder.feed(vector.raw)
    assert frame.to_bytes() == vector.raw


@pytest.mark.parametrize("vector", INVALID, ids=str)
def test_a_published_mistake_is_refused_with_its_reason_and_the_next_frame_found(vector):
    kin = [v.raw for v in VALID if (v.protocol, v.direction) == (vector.protocol, vector.direction)]
    for sound in kin:
        broken, after = records_of(vector.protocol, vector.raw + sound, wire_direction(vector))
        assert broken == {"offset": 0, "length": len(vector.raw), "valid": False, "why": WHY[vector.raw.hex()]}
        assert (after["valid"], after["length"]) == (True, len(sound))


def test_sound_frame_with_impossible_contents_is_one_broken_stretch():
    wrong_pc = bytes.fromhex("bb02220011c9280030751feb705c5904e3d50d703a76e37e")
    [before, broken, after] = records_of("magicrf-m100", TAG + wrong_pc + b"\x00\x01" + TAG)
    assert before["valid"]
    assert after["valid"]
    assert broken == {
        "offset": 24,
        "length": 26,
        "valid": False,
        "why": "PC 2800 announces 10 bytes of EPC, the frame carries 12",
    }


def test_a_frame_cut_off_at_the_end_says_so():
    [record] = records_of("magicrf-m100", TAG[:10])
    assert record == {"offset": 0, "length": 10, "valid": False, "why": "cut off: only 10 bytes of a frame"}


@pytest.mark.parametrize(
    ("protocol", "text", "why"),
    [
        ("magicrf-m100", "bb03270000 2a 7e", "no frame type 0x03"),
        ("magicrf-m100", "bb00270400 2b 7e", "length 1024, more than any frame has"),
        ("magicrf-m100", "bb00280000 28 7f", "ends in 0x7f, not 0x7e"),
        ("lcus-relay", "a00001a1", "channel 0, state 1: channels count from 1, states are 0 and 1"),
        ("lcus-relay", "a00102a3", "channel 1, state 2: channels count from 1, states are 0 and 1"),
        ("modbus-rtu", "0141 0000", "function 41 is none of 01 to 06, 0f, 10"),
        ("modbus-rtu", "0103 0300", "function 03 with 3 bytes of values"),
        ("modbus-rtu", "01c1 02 00", "function 41 is none of 01 to 06, 0f, 10"),
        ("mt-sics", b"S S    100.00 g\r\n".hex(), "'S S    100.00 g' is no line of this protocol"),
        ("mt-sics", b"S +\n".hex(), "a line must end in CR LF, once"),
        ("mt-sics", b"S \xff+\r\n".hex(), "byte 0xff inside a line"),
        ("mt-sics", (b'I2 A "' + b"x" * 200).hex(), "no line end within 128 bytes"),
    ],
)
def test_what_no_device_sends_is_refused_with_its_reason(protocol, text, why):
    [record] = records_of(protocol, bytes.fromhex(text))
    assert (record["valid"], record["why"]) == (False, why)


def test_nothing_in_nothing_out():
    assert records_of("mt-sics", b"") == []


def test_an_unknown_protocol_is_named_with_those_there_are():
    with pytest.raises(
        UnknownDevice,
        match=r"'foo'; known: .*lcus-relay, ",
    ):
        find_protocol("foo", "from_reader")


def test_the_vectors_cover_every_protocol():
    assert {vector.protocol for vector in ALL} == set(DEVICES) == set(PROTOCOLS) - set(NO_VECTORS)
