"""Recorded read logs: CSV rows in, arrays out, every row that cannot be read named.

The header names at least t, reader, antenna, epc, rssi_dbm, in any order; further columns are ignored.
"""

import csv
import gzip
import io
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from broker_config.errors import ConfigError
from edge.columns import CRC_UNKNOWN, MAX_EPC_BYTES, MAX_EPC_WORDS, Columns

COLUMNS = ("t", "reader", "antenna", "epc", "rssi_dbm")
NS_PER_S = 1_000_000_000
AHEAD_NS = 3600 * NS_PER_S
"""A row further ahead of the newest accepted one is not believed by itself."""
AGREEING_ROWS = 3
_HIGHEST_T_S = 1 << 33
_STRONGEST_DBM = 327.0
_MOST_ANTENNAS = 1 << 16
_GZIP_MAGIC = b"\x1f\x8b"


class AntennaName(NamedTuple):
    """An antenna as a log names it."""

    reader: str
    number: int


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read.

    Args:
        row: counted from 1 after the header.
        line: in the file, counted from 1.
    """

    row: int
    line: int
    why: str


@dataclass(slots=True)
class Recording:
    """A whole log, in file order: per row a time and indices into the tables of antennas and tags.

    Args:
        epc_texts: each EPC as the log first wrote it.
    """

    antennas: list[AntennaName] = field(default_factory=list)
    epcs: list[bytes] = field(default_factory=list)
    epc_texts: list[str] = field(default_factory=list)
    bad_rows: list[BadRow] = field(default_factory=list)
    t_ns: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    antenna: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(0, np.uint16))
    tag: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    rssi_cdbm: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))

    def __len__(self) -> int:
        return len(self.t_ns)

    def batches(self, t_ns: NDArray[np.int64], size: int = 1 << 16) -> Iterator[Columns]:
        """The rows as the engine takes them, `size` at a time, with the times that are believed."""
        padded = b"".join(epc.ljust(8 * MAX_EPC_WORDS, b"\0") for epc in self.epcs)
        table = np.frombuffer(padded, np.uint64).reshape(-1, MAX_EPC_WORDS)
        lengths = np.array([len(epc) for epc in self.epcs], np.uint8)
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            tags = self.tag[rows]
            unknown = np.full(len(tags), CRC_UNKNOWN, np.int8)
            yield Columns(t_ns[rows], self.antenna[rows], table[tags], lengths[tags], self.rssi_cdbm[rows], unknown)


@contextmanager
def open_log(name: str) -> Iterator[IO[str]]:
    """The text of a log; `-` is standard input; gzip is recognised by its first bytes.

    Raises:
        ConfigError: it cannot be opened, or is no text.
    """
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as raw:
            source = io.BufferedReader(cast(io.RawIOBase, raw))  # a test may hand in a stream that cannot peek
            zipped = source.peek(2)[:2] == _GZIP_MAGIC
            plain: IO[bytes] = gzip.open(source) if zipped else source  # type: ignore[assignment]  # noqa: SIM115
            with io.TextIOWrapper(plain, encoding="utf-8-sig", newline="") as text:
                yield text
    except FileNotFoundError as error:
        raise ConfigError(f"{name}: no such file") from error
    except (OSError, EOFError) as error:
        raise ConfigError(f"{name}: cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: is no UTF-8 text; a read log is CSV, gzipped or plain") from error


def read_recording(lines: Iterable[str], name: str) -> Recording:
    """The log in `lines`; rows that cannot be read are left out and named in `bad_rows`.

    Raises:
        ConfigError: the header is missing or lacks a column.
    """
    rows = csv.reader(lines)
    try:
        header = [each.strip().lower() for each in next(rows, [])]
    except csv.Error as error:
        raise ConfigError(f"{name}: is no CSV: {error}") from error
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise ConfigError(
            f"{name}: the header lacks {', '.join(missing)}; a read log begins with the line {','.join(COLUMNS)}"
        )
    return _RowReader([header.index(column) for column in COLUMNS]).read(rows)


class Rows(Protocol):
    """What `csv.reader` makes."""

    @property
    def line_num(self) -> int: ...
    def __next__(self) -> list[str]: ...


class _RowReader:
    """Turns rows into a recording; each text is looked at once, however often it comes."""

    def __init__(self, positions: list[int]) -> None:
        self._positions = positions
        self._recording = Recording()
        self._antenna_of: dict[tuple[str, str], int] = {}
        self._tag_of: dict[str, int] = {}
        self._tag_of_epc: dict[bytes, int] = {}

    def read(self, rows: Rows) -> Recording:
        at_t, at_reader, at_antenna, at_epc, at_rssi = self._positions
        t_ns: list[int] = []
        antenna: list[int] = []
        tag: list[int] = []
        rssi: list[int] = []
        number = 0
        while (row := self._next_row(rows, number + 1)) is not None:
            number += 1
            if not row:
                continue
            try:
                fields = (
                    parse_t_ns(row[at_t]),
                    self._antenna(row[at_reader], row[at_antenna]),
                    self._tag(row[at_epc]),
                    parse_cdbm(row[at_rssi]),
                )
            except IndexError:
                self._bad(number, rows.line_num, f"has {len(row)} fields, fewer than the header")
            except ValueError as error:
                self._bad(number, rows.line_num, str(error))
            else:
                t_ns.append(fields[0])
                antenna.append(fields[1])
                tag.append(fields[2])
                rssi.append(fields[3])
        done = self._recording
        done.t_ns, done.antenna = np.array(t_ns, np.int64), np.array(antenna, np.uint16)
        done.tag, done.rssi_cdbm = np.array(tag, np.int32), np.array(rssi, np.int16)
        return done

    def _next_row(self, rows: Rows, number: int) -> list[str] | None:
        while True:
            try:
                return next(rows, None)
            except csv.Error as error:
                self._bad(number, rows.line_num, f"is no CSV: {error}")

    def _bad(self, number: int, line: int, why: str) -> None:
        self._recording.bad_rows.append(BadRow(number, line, why))

    def _antenna(self, reader: str, number: str) -> int:
        known = self._antenna_of.get((reader, number))
        if known is not None:
            return known
        name = AntennaName(reader.strip(), parse_antenna(number))
        names = self._recording.antennas
        index = names.index(name) if name in names else len(names)
        if index == _MOST_ANTENNAS:
            raise ValueError(f"antenna {number!r} of {reader!r} is one too many: {_MOST_ANTENNAS} are known")
        if index == len(names):
            names.append(name)
        self._antenna_of[reader, number] = index
        return index

    def _tag(self, text: str) -> int:
        known = self._tag_of.get(text)
        if known is not None:
            return known
        epc = parse_epc(text)
        index = self._tag_of_epc.setdefault(epc, len(self._recording.epcs))
        if index == len(self._recording.epcs):
            self._recording.epcs.append(epc)
            self._recording.epc_texts.append(text.strip())
        self._tag_of[text] = index
        return index


def parse_t_ns(text: str) -> int:
    """Decimal seconds as exact ns.

    Raises:
        ValueError: not a number, or one that is no time.
    """
    try:
        t_s = Decimal(text.strip())
    except InvalidOperation as error:
        raise ValueError(f"t {text!r} is not a number of seconds") from error
    if not t_s.is_finite() or abs(t_s) > _HIGHEST_T_S:
        raise ValueError(f"t {text!r} is no time")
    return round(t_s * NS_PER_S)


def parse_antenna(text: str) -> int:
    """An antenna's number.

    Raises:
        ValueError: not a whole number from 0 to 65535.
    """
    if not text.strip().isascii() or not text.strip().isdigit() or not 0 <= int(text) < 1 << 16:
        raise ValueError(f"antenna {text!r} is not a whole number from 0 to 65535")
    return int(text)


def parse_epc(text: str) -> bytes:
    """An EPC.

    Raises:
        ValueError: no hex text of 1 to 62 bytes.
    """
    try:
        epc = bytes.fromhex(text.strip())
    except ValueError as error:
        raise ValueError(f"epc {text!r} is not hex text") from error
    if not 1 <= len(epc) <= MAX_EPC_BYTES:
        raise ValueError(f"epc of {len(epc)} bytes; it has 1 to {MAX_EPC_BYTES}")
    return epc


def parse_cdbm(text: str) -> int:
    """A signal in hundredths of a dBm.

    Raises:
        ValueError: not a number between -327 and 327.
    """
    try:
        dbm = float(text)
    except ValueError as error:
        raise ValueError(f"rssi_dbm {text!r} is not a number") from error
    if math.isnan(dbm) or abs(dbm) > _STRONGEST_DBM:
        raise ValueError(f"rssi_dbm {text!r} is no signal")
    return round(dbm * 100)


def clamp_leaps(t_ns: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Times as the engine may believe them, and how many were clamped.

    A row more than an hour ahead of the newest accepted one is held.  Three such rows in a row that agree, each within an
    hour of the first, are believed: the log has a gap.  Otherwise they are clamped to the newest accepted time.
    """
    highest_before = np.maximum.accumulate(t_ns)[:-1]
    if len(t_ns) < 2 or not (t_ns[1:] - highest_before > AHEAD_NS).any():
        return t_ns, 0
    believed, clamped = t_ns.copy(), 0
    newest = int(t_ns[0])
    held: list[int] = []
    for row, t in enumerate(t_ns.tolist()):
        if t <= newest + AHEAD_NS:
            clamped += _clamp(believed, held, newest)
            newest = max(newest, t)
            continue
        if held and abs(t - int(t_ns[held[0]])) > AHEAD_NS:
            clamped += _clamp(believed, held, newest)
        held.append(row)
        if len(held) == AGREEING_ROWS:
            newest = int(t_ns[held].max())
            held.clear()
    return believed, clamped + _clamp(believed, held, newest)


def _clamp(believed: NDArray[np.int64], held: list[int], newest: int) -> int:
    count = len(held)
    believed[held] = newest
    held.clear()
    return count
