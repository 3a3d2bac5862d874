"""What the sans-IO codec makes of a stream, beside what the wire scan makes of it: the one is the other's oracle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from edge.columns import make_columns
from edge.wire_scan import make_wire
from hotpath import scan, wire_layout
from readers.errors import FrameError
from readers.framing import StreamDecoder
from readers.wire_format import WireFormat

DIRTY = 0xA5
"""What rows hold before they are written."""
ANTENNAS = {number: 100 + number for number in range(1, 17)}

Tag = tuple[bytes, int, int, bool | None]
"""EPC, antenna, dBm, whether the tag's CRC is right."""


@dataclass(frozen=True, eq=False)
class Spoken:
    """A protocol as the codec has it.

    Args:
        name: of its golden frames.
        tags: what a frame reports; None for a frame that reports none; raises FrameError.
        frames: sound ones of every kind, and those that are nearly.
        awkward: bytes that are likelier in the noise than others.
    """

    name: str
    wire: WireFormat
    new_decoder: Callable[[], StreamDecoder[Any]]
    tags: Callable[[Any], Sequence[Tag] | None]
    frames: st.SearchStrategy[bytes]
    awkward: bytes

    def __str__(self) -> str:
        return self.name


@dataclass
class Expected:
    """What the codec found so far."""

    spoken: Spoken
    rows: list[tuple[int, Tag]] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)
    bad_frames: int = 0

    def __post_init__(self) -> None:
        self.decoder = self.spoken.new_decoder()

    def feed(self, data: bytes, at_ns: int) -> None:
        """Bytes that came at `at_ns`; none at all means that the line is quiet."""
        for frame in self.decoder.feed(data) if data else self.decoder.flush():
            self.take(frame, at_ns)

    def take(self, frame: Any, at_ns: int) -> None:
        try:
            tags = self.spoken.tags(frame)
        except FrameError:
            self.bad_frames += 1
            return
        self.rows += [(at_ns, tag) for tag in tags or ()]
        if not tags:
            self.others.append(frame.to_bytes())


class Scanner:
    """The kernel as its contract says to call it, with next to no room.

    What it leaves to the driver is parsed as the driver would: frames of which the codec makes nothing are bad ones.
    """

    def __init__(self, spoken: Spoken, rows: int = 3, others: int = 2, antennas: dict[int, int] = ANTENNAS) -> None:
        self.spoken, self.capacity = spoken, rows
        self.wire = make_wire(spoken.wire, antennas)
        columns = make_columns(rows)
        self.columns = wire_layout.Rows(
            columns.t_ns, columns.antenna, columns.epc, columns.epc_len, columns.rssi_cdbm, columns.crc_ok
        )
        self.found = np.zeros((others, 2), np.int64)
        self.tally = np.zeros(wire_layout.TALLIES, np.int64)
        self.rest, self.rows, self.told = b"", [], []

    def feed(self, data: bytes, at_ns: int) -> None:
        final, data = int(not data), self.rest + data
        view = np.frombuffer(data + bytes([DIRTY]) * wire_layout.PADDING, np.uint8)
        at, done, more = 0, 0, True
        while more:
            self.columns.epc[:] = DIRTY
            at, row, found, done = scan.scan(
                self.wire, view, at, done, len(data), final, at_ns, self.columns, 0, self.capacity, self.found, self.tally
            )  # fmt: skip
            self.rows += [self.row(i) for i in range(row)]
            self.told += [data[begin : begin + size] for begin, size in self.found[:found].tolist()]
            more = row == self.capacity or found == len(self.found)
        self.rest = data[at:]

    def row(self, i: int) -> tuple[int, Tag]:
        columns, size, crc_ok = self.columns, int(self.columns.epc_len[i]), int(self.columns.crc_ok[i])
        epc = columns.epc[i].tobytes()
        assert epc[size:] == bytes(64 - size), "zeroes behind the EPC, whatever was there"
        tag = (
            epc[:size],
            int(columns.antenna[i]) - 100,
            int(columns.rssi_cdbm[i]) // 100,
            None if crc_ok < 0 else bool(crc_ok),
        )
        return int(columns.t_ns[i]), tag

    def judged(self) -> tuple[int, list[bytes]]:
        """Bad frames, and the others, as the driver counts them that gets what the scan leaves."""
        bad, others = int(self.tally[wire_layout.BAD_FRAMES]), []
        for raw in self.told:
            expected = Expected(self.spoken)
            expected.feed(raw, 0)
            bad += expected.bad_frames
            others += [raw] * (not expected.bad_frames)
        return bad, others


def check(spoken: Spoken, chunks: Sequence[bytes]) -> Expected:
    """Scan and codec agree after every chunk, also on what still waits."""
    scanner, expected = Scanner(spoken), Expected(spoken)
    for at_ns, chunk in enumerate(chunks):
        scanner.feed(chunk, at_ns)
        expected.feed(chunk, at_ns)
        assert scanner.rows == expected.rows
        assert scanner.judged() == (expected.bad_frames, expected.others)
        assert scanner.tally[wire_layout.DISCARDED_BYTES] == expected.decoder.discarded_bytes
        assert scanner.tally[wire_layout.UNKNOWN_ANTENNA] == 0
        assert scanner.rest == bytes(expected.decoder._buffer)
    return expected


def epcs_of(*awkward: bytes) -> st.SearchStrategy[bytes]:
    """EPCs of any length, some that look like these bytes, over and over, or like their beginnings."""
    words = st.integers(0, 31)
    return st.one_of(
        words.flatmap(lambda count: st.binary(min_size=2 * count, max_size=2 * count)),
        st.builds(lambda part, count: (part * 31)[: 2 * count], st.sampled_from(awkward), words),
    )


@st.composite
def chunked(draw: st.DrawFn, spoken: Spoken) -> list[bytes]:
    """Frames, hurt ones and noise, cut anywhere; an empty chunk is a pause, and the last is one."""
    frames = spoken.frames
    noise = st.lists(st.sampled_from(spoken.awkward) | st.integers(0, 255), max_size=40).map(bytes)
    cut_off = st.builds(lambda frame, size: frame[:size], frames, st.integers(1, 30))
    pieces = st.one_of(frames, frames, frames, noise, cut_off, st.builds(flip, frames, st.integers(0, 1 << 12)))
    stream = b"".join(draw(st.lists(pieces, max_size=20)))
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=30)))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    pauses = draw(st.sets(st.integers(0, 31), max_size=3))
    return [part for number, part in enumerate(parts) if part or number in pauses] + [b""]


def flip(frame: bytes, bit: int) -> bytes:
    """The frame with one wrong bit."""
    hurt = bytearray(frame)
    hurt[bit // 8 % len(frame)] ^= 1 << bit % 8
    return bytes(hurt)
