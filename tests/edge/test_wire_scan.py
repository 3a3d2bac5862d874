"""A stream's bytes into the ring: as the codec would have read them, whatever the room."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import wire_scan
from edge.health import Tally
from edge.read_ring import ReadRing
from edge.wire_scan import WireScan
from hotpath import scan
from hotpath._jit import COMPILES
from hotpath.warm import ENTRY_POINTS, _steps
from readers.magicrf_m100.scan import NOTICE
from readers.model import Chunk
from tests.edge.test_read_ring import a_read
from tests.support.m100_streams import M100, NO_TAG, notice
from tests.support.wire_oracle import Expected, chunked

EPC = bytes.fromhex("3034257bf400cb0000000001")


def rows(ring: ReadRing) -> list[tuple[int, tuple[bytes, int, float, bool]]]:
    """What waits, taken out, with the index of its antenna."""
    taken = []
    while len(ring):
        columns = ring.front(1000)
        taken += [
            (int(t), (row.tobytes()[:size], int(antenna), cdbm / 100, bool(crc_ok)))
            for t, row, size, antenna, cdbm, crc_ok in zip(
                columns.t_ns,
                columns.epc,
                columns.epc_len,
                columns.antenna,
                columns.rssi_cdbm,
                columns.crc_ok,
                strict=True,
            )
        ]
        ring.done(len(columns))
    return taken


@given(chunked(M100), st.integers(1, 40))
@settings(deadline=None)
def test_a_chunk_is_what_the_codec_finds_and_too_many_reads_drop_the_oldest(chunks: list[bytes], room: int) -> None:
    ring, tally, expected = ReadRing(room), Tally(), Expected(M100)
    stream, discarded, dropped = WireScan(NOTICE, {1: 1}, ring, tally), 0, 0
    for at_ns, data in enumerate(chunks):
        before = len(expected.rows), len(expected.others), expected.bad_frames
        expected.feed(data, at_ns)
        found = stream.take(Chunk(data, at_ns))
        new = expected.rows[before[0] :]
        assert found.reads == len(new)
        assert list(found.others) == expected.others[before[1] :]
        assert found.bad_frames == expected.bad_frames - before[2]
        discarded += found.discarded_bytes
        assert discarded == expected.decoder.discarded_bytes
        assert rows(ring) == new[-room:]
        dropped += max(len(new) - room, 0)
    assert tally.dropped_reads == dropped


def test_more_answers_than_there_is_room_for_at_once_are_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_scan, "MAX_OTHERS", 2)
    ring = ReadRing(3)
    found = WireScan(NOTICE, {1: 0}, ring, Tally()).take(Chunk((NO_TAG + notice(EPC)) * 7 + NO_TAG, 5))
    assert found.others == (NO_TAG,) * 8
    assert (found.reads, len(ring)) == (7, 3)


def test_an_antenna_nobody_configured_is_a_sign_of_life_and_counted() -> None:
    ring, tally = ReadRing(3), Tally()
    found = WireScan(NOTICE, {2: 0, 900: 1}, ring, tally, "r-door").take(Chunk(notice(EPC) * 4, 5))
    assert (found.reads, len(ring), tally.unknown_antenna, tally.unnamed) == (4, 0, 4, {"r-door"})
    WireScan(NOTICE, {1: 0}, ring, tally, "r-well").take(Chunk(notice(EPC), 5))
    assert tally.unnamed == {"r-door"}


def test_scanned_and_single_reads_wait_in_one_line() -> None:
    ring = ReadRing(5)
    stream = WireScan(NOTICE, {1: 0}, ring, Tally())
    ring.put(a_read(b"\x01", 1), 0)
    stream.take(Chunk(notice(EPC), 2))
    ring.put(a_read(b"\x02", 3), 0)
    assert [(at_ns, epc) for at_ns, (epc, *_) in rows(ring)] == [(1, b"\x01"), (2, EPC), (3, b"\x02")]


@pytest.mark.skipif(not COMPILES, reason="nothing is compiled")
def test_the_warm_up_has_compiled_just_what_a_stream_calls() -> None:
    dict(_steps())["wire scan"]()
    before = list(scan.scan.signatures)
    WireScan(NOTICE, {1: 0}, ReadRing(3), Tally()).take(Chunk(notice(EPC), 5))
    assert list(scan.scan.signatures) == before
    assert scan.scan in ENTRY_POINTS
