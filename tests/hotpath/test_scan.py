"""The wire scan is the sans-IO codec and its parser of tags, byte for byte, however the stream is cut."""

import os
import random
import subprocess
import sys
from binascii import crc_hqx
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hotpath import wire_layout
from readers.magicrf_m100.codec import Frame
from readers.mercury.records import OPERATION_FAILED
from readers.mercury.scan import METADATA
from readers.uhfreader18.commands import Dialect
from readers.uhfreader18.scan import wire_18
from tests.readers.vectors import load
from tests.support import mercury_streams, r2000_streams, uhfreader18_streams
from tests.support.m100_streams import M100, NO_TAG, notice
from tests.support.mercury_streams import MERCURY, streamed
from tests.support.r2000_streams import R2000
from tests.support.uhfreader18_streams import UHFREADER18, UHFREADER288, inventory
from tests.support.wire_oracle import Scanner, Spoken, check, chunked, flip

ALL = (M100, R2000, UHFREADER18, UHFREADER288, MERCURY)
EPC = bytes.fromhex("3034257bf400cb0000000001")
REPORTS = {
    M100: notice(EPC),
    R2000: r2000_streams.report(EPC),
    UHFREADER18: uhfreader18_streams.report(Dialect.OLD, EPC),
    UHFREADER288: uhfreader18_streams.report(Dialect.NEW, EPC),
    MERCURY: streamed(EPC),
}
each_protocol = pytest.mark.parametrize("spoken", ALL, ids=str)


@each_protocol
@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_any_stream_cut_anywhere(spoken: Spoken, data: st.DataObject) -> None:
    check(spoken, data.draw(chunked(spoken)))


@pytest.mark.parametrize(
    "chunks",
    [
        [notice(b""), b""],
        [b"\xbb", b"\x02", notice(EPC)[2:], b""],
        [b"\xbb\x02\x22\x02\x00" + notice(EPC) * 3, b""],
        [b"\xbb\x02\x22\x02\x01" + notice(EPC) * 3, b""],
    ],
)
def test_false_and_divided_headers(chunks: list[bytes]) -> None:
    assert check(M100, chunks).rows


@each_protocol
@pytest.mark.parametrize("size", [1, 2, 3, 5, 24, 25, 4096])
def test_every_slicing_of_the_golden_captures(spoken: Spoken, size: int) -> None:
    golden = [each for each in load(spoken.name) if each.direction != "to_reader"]
    stream = b"".join(each.raw for each in golden)
    found = check(spoken, [stream[at : at + size] for at in range(0, len(stream), size)] + [b""])
    assert len(found.rows) + len(found.others) + found.bad_frames >= sum(each.valid for each in golden)
    assert any(len(epc) == 12 for _, (epc, *_) in found.rows)


@each_protocol
def test_no_single_flipped_bit_is_read_as_something_else(spoken: Spoken) -> None:
    report = REPORTS[spoken]
    sound = check(spoken, [report, b""]).rows
    assert sound[0][1][0] == EPC
    for bit in range(8 * len(report)):
        assert check(spoken, [flip(report, bit), b""]).rows == []


@each_protocol
def test_a_frame_behind_a_false_length_comes_out_when_the_line_is_quiet(spoken: Spoken) -> None:
    """Whatever beginning of a frame noise may be."""
    report = REPORTS[spoken]
    for size in range(1, len(report)):
        for length in (0xFF, 0xC8, 0x40):
            hurt = bytearray(report[:size])
            hurt[min(spoken.wire.length_at + spoken.wire.length_size - 1, size - 1)] = length
            assert len(check(spoken, [bytes(hurt) + report, b""]).rows) == 1


@given(words=st.integers(0, 31), seed=st.integers(0, 1 << 32))
@settings(deadline=None)
def test_the_tags_crc_is_the_published_one(words: int, seed: int) -> None:
    epc = random.Random(seed).randbytes(2 * words)
    right = crc_hqx((words << 11).to_bytes(2, "big") + epc, 0xFFFF) ^ 0xFFFF
    scanner = Scanner(M100, rows=20)
    scanner.feed(notice(epc) + b"".join(notice(epc, crc=right ^ 1 << bit) for bit in range(16)), 0)
    assert [crc_ok for _, (*_, crc_ok) in scanner.rows] == [True] + [False] * 16


def test_antennas_that_nobody_configured_are_counted_read_by_read() -> None:
    scanner = Scanner(UHFREADER288, antennas={1: 101, 3: 103})
    scanner.feed(inventory(Dialect.NEW, [EPC, b"\x30\x31"], mask=0b1110), 5)
    assert scanner.rows == [(5, (EPC, 3, -22, None)), (5, (b"\x30\x31", 3, -22, None))]
    assert scanner.tally[wire_layout.UNKNOWN_ANTENNA] == 4


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 8, 100])
def test_a_frame_of_more_tags_than_there_is_room_for_goes_on_where_it_stopped(rows: int) -> None:
    epcs = [EPC, b"\x30\x31", b"\x30\x32\x33\x34", EPC]
    scanner = Scanner(UHFREADER288, rows=rows, others=1)
    frame = inventory(Dialect.NEW, epcs, mask=0b101)
    scanner.feed(frame * 2, 5)
    assert scanner.rows == [(5, (epc, antenna, -22, None)) for epc in epcs for antenna in (1, 3)] * 2


def test_a_signal_that_is_not_reported_is_the_assumed_one_to_the_hundredth() -> None:
    spoken = replace(UHFREADER18, wire=wire_18(-60.25))
    scanner = Scanner(spoken)
    scanner.feed(REPORTS[UHFREADER18], 0)
    assert scanner.columns.rssi_cdbm[0] == -6025


BAD = {
    "a PC that announces less": (M100, notice(EPC, pc=0x2800)),
    "no room for a PC": (M100, Frame(2, 0x22, b"\xc9").to_bytes()),
    "a PC that announces more": (R2000, r2000_streams.report(EPC, pc=0x3800)),
    "an odd EPC": (UHFREADER18, uhfreader18_streams.report(Dialect.OLD, EPC[:-1])),
    "no EPC": (UHFREADER18, uhfreader18_streams.report(Dialect.OLD, b"")),
    "an EPC of 64 bytes": (UHFREADER288, inventory(Dialect.NEW, [EPC, bytes(64)])),
    "an EPC of one byte": (UHFREADER288, inventory(Dialect.NEW, [b"\x30", EPC])),
    "a tag less than counted": (UHFREADER288, inventory(Dialect.NEW, [EPC], more=EPC)),
    "a tag that is cut off": (UHFREADER18, inventory(Dialect.OLD, [EPC, EPC[:4]], more=b"\x0c\x30")),
    "no antenna": (UHFREADER288, inventory(Dialect.NEW, [EPC], mask=0)),
    "a record cut off in the EPC": (MERCURY, streamed(EPC, pc=0x5000, epc_bits=192)),
    "a record cut off in the CRC": (MERCURY, streamed(EPC, pc=0x3800, epc_bits=144)),
    "a record without a PC": (MERCURY, streamed(b"", epc_bits=16)),
    "embedded data longer than the frame": (MERCURY, streamed(EPC, data_bits=4096)),
    "an XPC that is cut off": (MERCURY, streamed(b"\x80\x00", pc=0x0A00)),
    "a tag that is not Gen2": (MERCURY, streamed(EPC, protocol=3)),
}


@pytest.mark.parametrize(("spoken", "frame"), BAD.values(), ids=BAD)
def test_a_report_that_contradicts_itself_is_a_bad_one(spoken: Spoken, frame: bytes) -> None:
    found = check(spoken, [REPORTS[spoken] + frame + REPORTS[spoken], b""])
    assert (len(found.rows), found.bad_frames) == (2, 1)


@pytest.mark.parametrize("change", [{"metadata": 0x0006}, {"status": 0x0500}, {"status": 0x0004}, {"kind": 2}], ids=str)
def test_what_is_no_record_as_the_scan_knows_it_is_left_to_the_driver(change: dict[str, int]) -> None:
    scanner, strange = Scanner(MERCURY), streamed(EPC, **change)
    scanner.feed(strange + streamed(EPC) + mercury_streams.KEEP_ALIVE, 0)
    assert len(scanner.rows) == 1
    assert scanner.told == [strange, mercury_streams.KEEP_ALIVE]


@example(b"")
@given(st.binary(max_size=64))
@settings(deadline=None, max_examples=50)
def test_data_embedded_in_a_record_is_passed_over(data: bytes) -> None:
    for options in (b"\x10", b"\x88\x10"):
        scanner = Scanner(MERCURY)
        scanner.feed(streamed(EPC, options=options, data=data), 0)
        assert scanner.rows == [(0, (EPC, 1, -60, True))]


ODD_LENGTHS = {
    "an error code instead of data": streamed(EPC, data=b"\x04\x0a", data_bits=OPERATION_FAILED),
    "bits of data that fill no byte": streamed(EPC, data=b"\xab\xc0", data_bits=12),
    "bits of an EPC that fill no byte": streamed(EPC, epc_bits=121),
    "something behind the record": streamed(EPC, more=b"\x01\x02"),
    "two options": streamed(EPC, options=b"\x88\x10"),
    "the short record": streamed(EPC, metadata=METADATA),
    "the short record behind two options": streamed(EPC, options=b"\x88\x10", metadata=METADATA),
    "one word of XPC": streamed(b"\x00\x01" + EPC, pc=0x3A00),
    "two words of XPC": streamed(b"\x80\x01\x00\x02" + EPC, pc=0x4200),
    "the sixteenth antenna": streamed(EPC, ports=0x01),
}


@pytest.mark.parametrize("frame", ODD_LENGTHS.values(), ids=ODD_LENGTHS)
def test_a_record_is_read_whatever_it_holds_besides(frame: bytes) -> None:
    ((_, (epc, *_)),) = check(MERCURY, [frame, b""]).rows
    assert epc == EPC


def busy(number: int) -> int:
    """A long random stream of a protocol with everything in it; how many reads it holds."""
    rng, spoken = random.Random(5), ALL[number]
    report, other = REPORTS[spoken], NO_TAG if spoken is M100 else mercury_streams.KEEP_ALIVE
    stream = bytearray()
    for _ in range(300):
        stream += rng.choice(
            [report, report, other, rng.randbytes(9), report[: rng.randrange(20)], flip(report, rng.randrange(300))]
        )
    chunks, at = [], 0
    while at < len(stream):
        size = rng.choice([1, 7, 100, 4096])
        chunks.append(bytes(stream[at : at + size]))
        at += size
    return len(check(spoken, [*chunks, b""]).rows)


def test_the_same_without_the_compiler() -> None:
    program = "from tests.hotpath.test_scan import ALL, busy; print(*map(busy, range(len(ALL))))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = [int(word) for word in run.stdout.split()]
    assert found == [busy(number) for number in range(len(ALL))]
    assert min(found) > 80
