"""What a row of a recorded log means.  This decides; the kernel that takes most rows agrees with it on those."""

import math
import secrets
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.clock import NS_PER_S
from edge.columns import MAX_EPC_BYTES
from edge.recording import AntennaName
from hotpath.csv_rows import LogTables, make_scratch
from hotpath.json_lines import Texts
from hotpath.key_table import NO_ROOM, find_or_add, grow, make_key_table

_HIGHEST_T_S = 1 << 33
_STRONGEST_DBM = 327.0
_MOST_ANTENNAS = 1 << 16
_LONGEST_NAME_BYTES = 255
_SOURCES, _SOURCE_BYTES = 64, 1 << 12
_TAGS, _TAG_BYTES = 1 << 12, 1 << 16

Number = TypeVar("Number", bound=np.integer[Any])


def parse_t_ns(text: str) -> int:
    """Decimal seconds as exact ns.

    Raises:
        ValueError: not a number, or one that is no time.
    """
    try:
        t_s = Decimal(text.strip())
    except InvalidOperation as error:
        raise ValueError(f"t {text!r} is not a number of seconds") from error
    if not t_s.is_finite() or not -_HIGHEST_T_S <= t_s <= _HIGHEST_T_S:
        raise ValueError(f"t {text!r} is no time")
    t_ns = round(t_s * NS_PER_S)
    if t_ns < 0:
        raise ValueError(f"t {text!r} is before 1970")
    return t_ns


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


class LogIndex:
    """The antennas and tags of a log, numbered in the order in which they first come.

    Args:
        positions: of t, reader, antenna, epc and rssi_dbm in a row.
    """

    def __init__(self, positions: list[int]) -> None:
        self.antennas: list[AntennaName] = []
        self._positions = positions
        self._number_of: dict[AntennaName, int] = {}
        self._antenna_of: dict[tuple[str, str], int] = {}
        self._tag_of: dict[str, int] = {}
        sources = make_key_table(_SOURCES, _SOURCE_BYTES, secrets.randbits(62))
        tags = make_key_table(_TAGS, _TAG_BYTES, secrets.randbits(62))
        texts = (np.zeros(_TAGS + 1, np.int64), np.zeros(2 * _TAG_BYTES, np.uint8))
        self.tables = LogTables(sources, np.zeros(_SOURCES, np.uint16), tags, *texts, *make_scratch())

    def take(self, row: list[str]) -> tuple[int, int, int, int]:
        """Time in ns, antenna, tag and signal in hundredths of a dBm of a row.

        Raises:
            ValueError: the row cannot be read; says why.
        """
        at_t, at_reader, at_antenna, at_epc, at_rssi = self._positions
        try:
            return (
                parse_t_ns(row[at_t]),
                self._antenna(row[at_reader], row[at_antenna]),
                self._tag(row[at_epc]),
                parse_cdbm(row[at_rssi]),
            )
        except IndexError as error:
            raise ValueError(f"has {len(row)} fields, fewer than the header") from error

    def grow_tags(self) -> None:
        """Make room for twice as many tags."""
        old = self.tables
        self.tables = old._replace(
            tags=grow(old.tags), text_ends=_doubled(old.text_ends), text_pool=_doubled(old.text_pool)
        )

    def epc_texts(self) -> Texts:
        """Each EPC as the log first wrote it."""
        return Texts(self.tables.text_ends, self.tables.text_pool)

    def _antenna(self, reader: str, number: str) -> int:
        known = self._antenna_of.get((reader, number))
        if known is not None:
            return known
        name = AntennaName(reader.strip(), parse_antenna(number))
        index = self._number_of.get(name, len(self.antennas))
        if index == _MOST_ANTENNAS:
            raise ValueError(f"antenna {number!r} of {reader!r} is one too many: {_MOST_ANTENNAS} are known")
        if index == len(self.antennas):
            self.antennas.append(name)
            self._number_of[name] = index
        self._antenna_of[reader, number] = index
        self._tell_kernel(reader.encode(), number.encode(), index)
        return index

    def _tell_kernel(self, reader: bytes, number: bytes, antenna: int) -> None:
        if max(len(reader), len(number)) > _LONGEST_NAME_BYTES:
            return  # the kernel does not take such rows
        key = np.frombuffer(bytes([len(reader)]) + reader + number, np.uint8)
        while (source := find_or_add(self.tables.sources, key)) == NO_ROOM:
            old = self.tables
            self.tables = old._replace(sources=grow(old.sources), antenna_of=_doubled(old.antenna_of))
        self.tables.antenna_of[source] = antenna

    def _tag(self, text: str) -> int:
        known = self._tag_of.get(text)
        if known is not None:
            return known
        epc = np.frombuffer(parse_epc(text), np.uint8)
        before = int(self.tables.tags.held[0])
        while (tag := find_or_add(self.tables.tags, epc)) == NO_ROOM:
            self.grow_tags()
        if tag == before:
            self._keep_text(tag, msgspec.json.encode(text.strip())[1:-1])
        self._tag_of[text] = tag
        return tag

    def _keep_text(self, tag: int, text: bytes) -> None:
        at = int(self.tables.text_ends[tag])
        while at + len(text) > len(self.tables.text_pool):
            self.tables = self.tables._replace(text_pool=_doubled(self.tables.text_pool))
        self.tables.text_pool[at : at + len(text)] = np.frombuffer(text, np.uint8)
        self.tables.text_ends[tag + 1] = at + len(text)


def _doubled(array: NDArray[Number]) -> NDArray[Number]:
    larger = np.zeros(2 * len(array), array.dtype)
    larger[: len(array)] = array
    return larger
