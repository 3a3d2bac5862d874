"""Recorded read logs: CSV in, arrays out, every row that cannot be read counted.

The header names at least t, reader, antenna, epc, rssi_dbm, in any order; further columns are ignored.  A kernel takes
the rows that it can, whole blocks at a time; the others go, in their turn, through Python's csv and `LogIndex.take`.
"""

import csv
from collections.abc import Iterator

import numpy as np

from broker_config.errors import ConfigError
from edge.recording import BadRow, BadRows, Recording, first_rows, join_rows
from edge.recording_file import LogText
from edge.recording_rows import LogIndex
from hotpath.csv_rows import MORE, NO_ROLE, ROWS_FULL, TAGS_FULL, RowColumns, make_row_columns, parse_rows

COLUMNS = ("t", "reader", "antenna", "epc", "rssi_dbm")
CHUNK_ROWS = 1 << 17
FEW_ROWS, MOST_ODD_ROWS = 8, 1024


def read_recording(blocks: Iterator[bytes], name: str) -> Recording:
    """The log whose text comes in `blocks`; rows that cannot be read are left out and counted.

    Raises:
        ConfigError: the header is missing or lacks a column.
    """
    text = LogText(blocks, name)
    rows = csv.reader(text)
    try:
        header = [each.strip().lower() for each in next(rows, [])]
    except csv.Error as error:
        raise ConfigError(f"{name}: is no CSV: {error}") from error
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise ConfigError(
            f"{name}: the header lacks {', '.join(missing)}; a read log begins with the line {','.join(COLUMNS)}"
        )
    return _LogReader(text, rows, [header.index(column) for column in COLUMNS]).read()


class _LogReader:
    def __init__(self, text: LogText, rows: Iterator[list[str]], positions: list[int]) -> None:
        self._text, self._rows = text, rows
        self._index, self._bad = LogIndex(positions), BadRows()
        self._roles = np.full(max(positions) + 1, NO_ROLE, np.int8)
        self._roles[positions] = range(len(positions))
        self._columns, self._filled = make_row_columns(CHUNK_ROWS), 0
        self._done: list[RowColumns] = []
        self._number = 0
        """Rows so far, the blank ones too."""

    def read(self) -> Recording:
        odd_rows = 1
        while True:
            why, lines = self._take_rows()
            if why == MORE:
                if self._text.final:
                    break
                self._text.pull()
            elif why == ROWS_FULL:
                self._flush()
            elif why == TAGS_FULL:
                self._index.grow_tags()
            else:
                # Where odd rows follow each other, the kernel is not asked again at each of them: a call costs more than a row.
                odd_rows = 1 if lines >= FEW_ROWS else min(2 * odd_rows, MOST_ODD_ROWS)
                self._take_odd_rows(odd_rows)
        self._flush()
        index = self._index
        return Recording(index.antennas, index.tables.tags, index.epc_texts(), join_rows(self._done), self._bad)

    def _take_rows(self) -> tuple[int, int]:
        """Let the kernel take the rows that it can: why it ended, and how many lines it took."""
        text = self._text
        data = np.frombuffer(text.data, np.uint8)
        at, filled, lines, why = parse_rows(
            data, text.at, text.final, self._roles, self._index.tables, self._columns, self._filled
        )
        text.at, self._filled = at, filled
        text.line += lines
        self._number += lines
        return why, lines

    def _take_odd_rows(self, count: int) -> None:
        for _ in range(count):
            try:
                row = next(self._rows, None)
            except csv.Error as error:
                row = []
                self._leave_out(f"is no CSV: {error}", self._number + 1)
            if row is None:
                return
            self._number += 1
            if row:
                self._take_odd_row(row)

    def _take_odd_row(self, row: list[str]) -> None:
        if self._filled == CHUNK_ROWS:
            self._flush()
        try:
            fields = self._index.take(row)
        except ValueError as error:
            self._leave_out(str(error), self._number)
            return
        at, columns = self._filled, self._columns
        columns.t_ns[at], columns.antenna[at], columns.tag[at], columns.rssi_cdbm[at] = fields
        self._filled += 1

    def _leave_out(self, why: str, number: int) -> None:
        self._bad.add(BadRow(number, self._text.line, why))

    def _flush(self) -> None:
        self._done.append(first_rows(self._columns, self._filled))
        self._filled = 0
