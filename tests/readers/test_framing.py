"""What every codec owes its caller, on the golden frames: any slicing, noise anywhere, truncation, flipped bits."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.capture import describe_capture, find_protocol
from readers.framing import Found
from tests.readers.vectors import CHECKED, DEVICES, VALID, Vector, wire_direction

NOISE_OF = {  # bytes of which no part can begin a frame, so that what follows is what was meant
    "magicrf-m100": bytes(range(0xBB)),
    "hlk-ld2410": bytes(range(0xF4)),
    "tfmini": bytes(set(range(256)) - set(b"\x59\x5a\x42-0123456789")),
    "mt-sics": b"\x00\x01\x80\xff\r\n #xyz0.g",
    "lcus-relay": bytes(range(0xA0)),
    "mercury": bytes(range(0xFF)),
    "modbus-relay": bytes(range(0x20, 0x80)),
    "modbus-rtu": bytes(range(0x20, 0x80)),
    "r2000-a0": bytes(range(0xA0)),
    "pn532-hsu": bytes(range(1, 256)),
    "rdm6300": bytes(b for b in range(256) if b not in b"\x02\r\n"),
    "uhfreader18": bytes(range(4)),
}


def new_decoder(vector: Vector):
    return find_protocol(vector.protocol, wire_direction(vector)).decoder


def frames_of(vector: Vector, *pieces: bytes) -> list[bytes]:
    decoder = new_decoder(vector)
    frames = [frame for piece in pieces for frame in decoder.feed(piece)] + decoder.flush()
    return [frame.to_bytes() for frame in frames]


@given(vectors=st.lists(st.sampled_from(VALID), min_size=1, max_size=5), data=st.data())
def test_any_slicing_gives_the_same_frames(vectors, data):
    first = vectors[0]
    same = [v for v in vectors if (v.protocol, wire_direction(v)) == (first.protocol, wire_direction(first))]
    stream = b"".join(v.raw for v in same)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert frames_of(first, *pieces) == [v.raw for v in same]


@given(vector=st.sampled_from(VALID), data=st.data())
def test_noise_before_between_and_after_costs_no_frame_and_is_located(vector, data):
    noise = st.lists(st.sampled_from(NOISE_OF[vector.protocol]), max_size=30).map(bytes)
    before, between, after = data.draw(noise), data.draw(noise), data.draw(noise)
    stream = before + vector.raw + between + vector.raw + after
    protocol = find_protocol(vector.protocol, wire_direction(vector))
    records = list(describe_capture(protocol, [bytes([b]) for b in stream]))
    sound = [record for record in records if record["valid"]]
    first, second = len(before), len(before) + len(vector.raw) + len(between)
    assert [record["offset"] for record in sound] == [first, second]
    assert protocol.decoder.discarded_bytes == len(before) + len(between) + len(after)
    assert_covers(records, len(stream))


@given(st.sampled_from(DEVICES), st.lists(st.binary(max_size=40), max_size=20))
def test_every_byte_of_garbage_is_accounted_for_once(name, chunks):
    protocol = find_protocol(name, "from_reader")
    assert_covers(list(describe_capture(protocol, chunks)), sum(map(len, chunks)))


def assert_covers(records, size):
    """Records follow each other without gap or overlap, and no two broken stretches touch."""
    at = 0
    for record in records:
        assert record["offset"] == at
        at += record["length"]
    assert at == size
    assert all(a["valid"] or b["valid"] for a, b in pairwise(records))


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_a_truncated_frame_is_noise_and_the_next_frame_is_found(vector):
    for cut in range(1, len(vector.raw)):
        if vector.decoded.get("format") == "text" and vector.raw[cut - 1 : cut].isdigit():
            continue  # nothing tells 11.21 from a line cut off behind a 1 and 1.21
        assert frames_of(vector, vector.raw[:cut]) == []
        assert frames_of(vector, vector.raw[:cut] + vector.raw)[-1:] == [vector.raw], cut


@pytest.mark.parametrize("vector", CHECKED, ids=str)
def test_no_single_flipped_bit_is_accepted(vector):
    for bit in range(len(vector.raw) * 8):
        flipped = bytearray(vector.raw)
        flipped[bit // 8] ^= 1 << bit % 8
        assert frames_of(vector, bytes(flipped)) == [], bit


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_a_byte_lost_or_added_inside_is_noise_and_the_next_frame_is_found(vector):
    if vector.protocol == "mt-sics" and b'"' in vector.raw:
        return  # free text may lose a letter unnoticed
    for at in range(1, len(vector.raw)):
        lost = vector.raw[:at] + vector.raw[at + 1 :]
        assert frames_of(vector, lost + vector.raw)[-1:] == [vector.raw], at
        if vector.protocol == "mt-sics" and "weight" in vector.decoded:
            assert frames_of(vector, lost) == [], at  # a lost digit must not become another weight
        added = vector.raw[:at] + b"\x00" + vector.raw[at:]
        assert frames_of(vector, added + vector.raw)[-1:] == [vector.raw], at


@pytest.mark.parametrize("name", DEVICES)
def test_what_a_peer_can_make_us_keep_is_bounded(name):
    decoder = find_protocol(name, "from_reader").decoder
    rng = random.Random(1)
    starts = b"\xbb\x00\x22\x02\x00S A0\xa0\x01\xff"
    for _ in range(200):
        decoder.feed(bytes(rng.choices(starts, k=997)))
        assert len(decoder._buffer) <= 1024


def test_places_count_from_the_start_of_the_stream():
    vector = CHECKED[0]
    decoder = new_decoder(vector)
    found = [item for _ in range(3) for item in decoder.scan(vector.raw)]
    assert [item.offset for item in found if isinstance(item, Found)] == [i * len(vector.raw) for i in range(3)]
