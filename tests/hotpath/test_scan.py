"""The wire scan is the sans-IO codec and its notice parser, byte for byte, however the stream is cut."""

import os
import random
import subprocess
import sys
from binascii import crc_hqx

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.columns import make_columns
from edge.wire_scan import make_wire
from hotpath import scan
from readers.magicrf_m100.scan import NOTICE
from tests.readers.vectors import VALID, load
from tests.support.m100_streams import NO_TAG, Expected, Row, chunked, notice

WIRE = make_wire(NOTICE)
EPC = bytes.fromhex("3034257bf400cb0000000001")
DIRTY = 0xA5
"""What rows hold before they are written."""


def changed(**fields: int) -> np.ndarray:
    """The M100's constants with some others."""
    wire = WIRE.copy()
    for name, value in fields.items():
        wire[name] = value
    return wire


class Scanner:
    """The kernel as its contract says to call it, with next to no room."""

    def __init__(self, rows: int = 3, others: int = 2, wire: np.ndarray = WIRE) -> None:
        self.wire, self.capacity = wire, rows
        columns = make_columns(rows)
        self.columns = scan.Rows(
            columns.t_ns, columns.antenna, columns.epc, columns.epc_len, columns.rssi_cdbm, columns.crc_ok
        )
        self.found = np.zeros((others, 2), np.int64)
        self.antennas = np.full(257, scan.NO_ANTENNA, np.int32)
        self.antennas[1] = 7
        self.tally = np.zeros(scan.TALLIES, np.int64)
        self.rest, self.rows, self.others = b"", [], []

    def feed(self, data: bytes, at_ns: int) -> None:
        final, data = int(not data), self.rest + data
        view, at, more = np.frombuffer(data, np.uint8), 0, True
        while more:
            self.columns.epc[:] = DIRTY
            at, row, found = scan.scan(
                self.wire, view, at, final, at_ns, self.antennas, self.columns, 0, self.capacity, self.found, self.tally
            )
            self.rows += [self.row(i) for i in range(row)]
            self.others += [data[begin : begin + size] for begin, size in self.found[:found].tolist()]
            more = row == self.capacity or found == len(self.found)
        self.rest = data[at:]

    def row(self, i: int) -> Row:
        columns, size = self.columns, int(self.columns.epc_len[i])
        epc = columns.epc[i].tobytes()
        assert epc[size:] == bytes(64 - size), "zeroes behind the EPC, whatever was there"
        assert columns.antenna[i] == 7
        return int(columns.t_ns[i]), epc[:size], int(columns.rssi_cdbm[i]) / 100, bool(columns.crc_ok[i])


def check(chunks: list[bytes]) -> Expected:
    """Scan and codec agree after every chunk, also on what still waits."""
    scanner, expected = Scanner(), Expected()
    for at_ns, chunk in enumerate(chunks):
        scanner.feed(chunk, at_ns)
        expected.feed(chunk, at_ns)
        assert scanner.rows == expected.rows
        assert scanner.others == expected.others
        assert scanner.tally.tolist() == [expected.bad_frames, expected.decoder.discarded_bytes, 0]
        assert scanner.rest == bytes(expected.decoder._buffer)
    return expected


@given(chunked())
@example([notice(b""), b""])
@example([b"\xbb", b"\x02", notice(EPC)[2:], b""])
@example([b"\xbb\x02\x22\x02\x00" + notice(EPC) * 3, b""])
@example([b"\xbb\x02\x22\x02\x01" + notice(EPC) * 3, b""])
@settings(deadline=None, max_examples=400)
def test_any_stream_cut_anywhere(chunks: list[bytes]) -> None:
    check(chunks)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 24, 25, 4096])
def test_every_slicing_of_the_golden_captures(size: int) -> None:
    stream = b"".join(each.raw for each in load("magicrf-m100"))
    found = check([stream[at : at + size] for at in range(0, len(stream), size)] + [b""])
    sound = [each for each in VALID if each.protocol == "magicrf-m100"]
    assert len(found.rows) + len(found.others) + found.bad_frames >= len(sound)
    assert any(len(epc) == 12 and crc_ok for _, epc, _, crc_ok in found.rows)


def test_no_single_flipped_bit_is_read_as_something_else() -> None:
    stream = notice(EPC) + NO_TAG
    for bit in range(8 * len(stream)):
        hurt = bytearray(stream)
        hurt[bit // 8] ^= 1 << bit % 8
        found = check([bytes(hurt), b""])
        assert found.rows in ([], [(0, EPC, -55, True)])


@given(words=st.integers(0, 31), seed=st.integers(0, 1 << 32))
@settings(deadline=None)
def test_the_tags_crc_is_the_published_one(words: int, seed: int) -> None:
    epc = random.Random(seed).randbytes(2 * words)
    right = crc_hqx((words << 11).to_bytes(2, "big") + epc, 0xFFFF) ^ 0xFFFF
    scanner = Scanner(rows=20)
    scanner.feed(notice(epc) + b"".join(notice(epc, crc=right ^ 1 << bit) for bit in range(16)), 0)
    assert [crc_ok for *_, crc_ok in scanner.rows] == [True] + [False] * 16


def test_a_tag_crc_that_is_not_reported_is_unknown() -> None:
    scanner = Scanner(wire=changed(tag_crc=0))
    scanner.feed(notice(EPC), 0)
    assert scanner.columns.crc_ok[0] == -1


def test_antennas_are_numbered_by_the_format_and_strangers_counted() -> None:
    """With the low bits of the signal as the antenna, as other protocols have them in a byte of their own."""
    scanner = Scanner(rows=9, wire=changed(antenna_at=5, antenna_mask=3, antenna_first=1))
    scanner.antennas[1:5] = [40, scan.NO_ANTENNA, 42, 43]
    scanner.row = lambda i: int(scanner.columns.antenna[i])
    scanner.feed(b"".join(notice(EPC, rssi_dbm=-64 + number) for number in (0, 3, 1, 2, 1)), 0)
    assert scanner.rows == [40, 43, 42]
    assert scanner.tally[scan.UNKNOWN_ANTENNA] == 2


def test_a_length_of_one_byte_and_no_first_or_last_byte() -> None:
    """The shape of protocols without a header: only length and check say where a frame is."""
    wire = changed(
        header=scan.NONE, trailer=scan.NONE, kind_at=1, kind_max=0xFF, length_at=0, length_size=1, length_max=40,
        overhead=4, check_from=0, after_check=0, report_at=1, report=0x22EE, report_min=9, rssi_at=3, pc_at=4, after_epc=3,
    )  # fmt: skip

    def frame(body: bytes) -> bytes:
        data = bytes([len(body) - 2]) + body
        return data + bytes([sum(data) & 0xFF])

    m100 = notice(EPC)
    report, answer = frame(b"\x22\xee" + m100[5:-2]), frame(b"\x01\x02\x03")
    noise = b"\xff\xfe\x29"
    for size in (1, 7, 100):
        scanner, stream = Scanner(wire=wire), noise + report + answer + noise + report * 2
        for at in range(0, len(stream), size):
            scanner.feed(stream[at : at + size], 5)
        assert scanner.rows == [(5, EPC, -55, True)] * 3
        assert scanner.others == [answer]
        assert scanner.tally.tolist() == [0, 2 * len(noise), 0]


def busy() -> int:
    """A long random stream with everything in it; how many reads it holds."""
    rng = random.Random(5)
    stream = bytearray()
    for _ in range(500):
        frame = notice(rng.randbytes(2 * rng.randrange(32)), rng.randrange(-90, -20))
        stream += rng.choice(
            [frame, frame, NO_TAG, rng.randbytes(9), frame[: rng.randrange(20)], b"\xbb\x02\x22\x01\x00"]
        )
    chunks, at = [], 0
    while at < len(stream):
        size = rng.choice([1, 7, 100, 4096])
        chunks.append(bytes(stream[at : at + size]))
        at += size
    return len(check([*chunks, b""]).rows)


def test_the_same_without_the_compiler() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", "from tests.hotpath.test_scan import busy; print(busy())"],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) == busy() > 100
