"""A recorded read log in memory: arrays, not an object per row."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.columns import CRC_UNKNOWN, MIN_EPC_WORDS, Columns
from hotpath.csv_rows import RowColumns
from hotpath.json_lines import Texts
from hotpath.key_table import KeyTable

BATCH_ROWS = 1 << 16
NAMED_BAD_ROWS = 5


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
class BadRows:
    """The rows of a log that were left out: how many, and the first of them."""

    count: int = 0
    first: list[BadRow] = field(default_factory=list)

    def add(self, bad: BadRow) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < NAMED_BAD_ROWS:
            self.first.append(bad)


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole log, in file order: per row a time and indices into the tables of antennas and tags, 16 bytes in all.

    Args:
        tags: the EPCs, numbered in the order in which they first came.
        epc_texts: each EPC as the log first wrote it, escaped for JSON.
    """

    antennas: list[AntennaName]
    tags: KeyTable
    epc_texts: Texts
    rows: RowColumns
    bad_rows: BadRows

    def __len__(self) -> int:
        return len(self.rows.t_ns)

    @property
    def tag_count(self) -> int:
        """How many EPCs the log names."""
        return int(self.tags.held[0])

    def batches(self, t_ns: NDArray[np.int64], size: int = BATCH_ROWS) -> Iterator[Columns]:
        """The rows as the engine takes them, `size` at a time, with the times that are believed."""
        table, lengths = self._epc_words()
        unknown = np.full(size, CRC_UNKNOWN, np.int8)
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            tags, cdbm = self.rows.tag[rows], self.rows.rssi_cdbm[rows]
            yield Columns(t_ns[rows], self.rows.antenna[rows], table[tags], lengths[tags], cdbm, unknown[: len(tags)])

    def _epc_words(self) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
        """The EPCs, padded to as many words as the longest wants, and their lengths in bytes."""
        ends = self.tags.ends[: self.tag_count + 1]
        lengths = np.diff(ends)
        words = max(MIN_EPC_WORDS, -(-int(lengths.max(initial=0)) // 8))
        table = np.zeros((self.tag_count, words), np.uint64)
        for length in np.unique(lengths):
            alike = np.flatnonzero(lengths == length)
            table.view(np.uint8)[alike, :length] = self.tags.pool[ends[alike, None] + np.arange(length)]
        return table, lengths.astype(np.uint8)


def first_rows(rows: RowColumns, count: int) -> RowColumns:
    """A copy of the first so many rows."""
    return RowColumns(
        rows.t_ns[:count].copy(), rows.antenna[:count].copy(), rows.tag[:count].copy(), rows.rssi_cdbm[:count].copy()
    )


def join_rows(parts: list[RowColumns]) -> RowColumns:
    """The parts, at least one, as one."""
    return RowColumns(
        np.concatenate([part.t_ns for part in parts]),
        np.concatenate([part.antenna for part in parts]),
        np.concatenate([part.tag for part in parts]),
        np.concatenate([part.rssi_cdbm for part in parts]),
    )
