"""Rows of a recorded log: CSV bytes in, columns out, without an object per row.

It takes the rows that nearly all logs consist of.  Whatever else a row may be (a sign or an exponent in a time, doubled
quotes, a missing field, a NaN) it leaves to the caller, whose reading of it decides; on the rows that it takes, both agree.
Source: RFC 4180, and what Python's csv, Decimal and float make of these texts.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, hot_kernel
from hotpath.csv_fields import NO_SIGNAL, NO_TIME, parse_cdbm, parse_t, unhex
from hotpath.key_table import ABSENT, MAX_KEY_BYTES, NO_ROOM, KeyTable, add, find

T, READER, ANTENNA, EPC, RSSI = range(5)
ROLES = 5
NO_ROLE = -1
# Why `parse_rows` ended: no whole row is left; the next row is none for it; the columns, or the table of tags, are full.
MORE, ODD, ROWS_FULL, TAGS_FULL = range(4)

MAX_FIELD_BYTES = 131_072
"""Python's csv refuses longer fields."""
_LONGEST_NAME = 255
_COMMA, _QUOTE, _SPACE, _TAB, _LF, _CR = 44, 34, 32, 9, 10, 13
_NOTHING, _ODD = -1, -2


class RowColumns(NamedTuple):
    """What the rows become, [n] each: `tag` is a number of the table of tags, `antenna` one that the caller gave."""

    t_ns: NDArray[np.int64]
    antenna: NDArray[np.uint16]
    tag: NDArray[np.int32]
    rssi_cdbm: NDArray[np.int16]


class LogTables(NamedTuple):
    """What the texts of a log stand for.

    Args:
        sources: keys are the length of the reader's text (one byte), the reader's text, the antenna's text.
        antenna_of: u2[sources], the antenna that a source is.
        tags: keys are EPCs.
        text_ends, text_pool: the EPC n as the log first wrote it is `text_pool[text_ends[n] : text_ends[n + 1]]`.
        key: u1[512], scratch.
        fields: i8[ROLES, 2], scratch: where the fields of a row begin and end.
    """

    sources: KeyTable
    antenna_of: NDArray[np.uint16]
    tags: KeyTable
    text_ends: NDArray[np.int64]
    text_pool: NDArray[np.uint8]
    key: NDArray[np.uint8]
    fields: NDArray[np.int64]


def make_row_columns(capacity: int) -> RowColumns:
    """Columns of so many rows."""
    return RowColumns(
        np.zeros(capacity, np.int64),
        np.zeros(capacity, np.uint16),
        np.zeros(capacity, np.int32),
        np.zeros(capacity, np.int16),
    )


def make_scratch() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """`key` and `fields` of LogTables."""
    return np.zeros(MAX_KEY_BYTES, np.uint8), np.zeros((ROLES, 2), np.int64)


@entry_kernel
def parse_rows(
    data: NDArray[np.uint8],
    at: int,
    final: bool,
    roles: NDArray[np.int8],
    tables: LogTables,
    columns: RowColumns,
    row: int,
) -> tuple[int, int, int, int]:
    """Write the rows that begin at `data[at]` to `columns[row:]`, as far as it goes.

    Args:
        final: the log ends with `data`; otherwise a row without a line end waits for the rest of it.
        roles: of each column of the file, up to the last that is wanted: T and so on, or NO_ROLE.

    Returns:
        where the next row begins; the next row of `columns`; lines used, the blank ones too; MORE, ODD and so on.
    """
    lines = 0
    while True:
        end = _split(data, at, final, roles, tables.fields)
        if end == _NOTHING:
            return at, row, lines, MORE
        if end == _ODD:
            return at, row, lines, ODD
        if tables.fields[T, 0] != _NOTHING:
            if row == columns.t_ns.shape[0]:
                return at, row, lines, ROWS_FULL
            outcome = _take_row(data, tables, columns, row)
            if outcome != MORE:
                return at, row, lines, outcome
            row += 1
        lines += 1
        at = end


@hot_kernel
def _split(data: NDArray[np.uint8], at: int, final: bool, roles: NDArray[np.int8], fields: NDArray[np.int64]) -> int:
    """Find the fields of the row at `at`: the next row's beginning, or _NOTHING (no whole row), or _ODD.

    A blank line leaves _NOTHING in `fields[T, 0]`.
    """
    stop = data.shape[0]
    fields[T, 0] = _NOTHING
    if at == stop:
        return _NOTHING
    column, i = 0, at
    while True:
        first = last = i
        if i < stop and data[i] == _QUOTE:
            first = i + 1
            last = _closing_quote(data, first)
            if last == _NOTHING:
                return _ODD if final else _NOTHING
            if last == _ODD:
                return _ODD
            i = last + 1
            if i < stop and data[i] != _COMMA and data[i] != _LF and data[i] != _CR:
                return _ODD
        else:
            while i < stop and data[i] != _COMMA and data[i] != _LF and data[i] != _CR:
                i += 1
            last = i
        if i == stop and not final:
            return _NOTHING
        if last - first > MAX_FIELD_BYTES:
            return _ODD
        if column < roles.shape[0] and roles[column] != NO_ROLE:
            fields[roles[column], 0], fields[roles[column], 1] = first, last
        column += 1
        if i < stop and data[i] == _COMMA:
            i += 1
            continue
        if column == 1 and i == at:  # a blank line is no row, though one of one empty field
            fields[T, 0] = _NOTHING
        elif column < roles.shape[0]:
            return _ODD
        return _after_line(data, i, final)


@hot_kernel
def _closing_quote(data: NDArray[np.uint8], first: int) -> int:
    """Where the quotes that began before `first` close; _NOTHING: not in `data`; _ODD: the line ends before."""
    for i in range(first, data.shape[0]):
        if data[i] == _QUOTE:
            return i
        if data[i] == _LF or data[i] == _CR:
            return _ODD
    return _NOTHING


@hot_kernel
def _after_line(data: NDArray[np.uint8], at: int, final: bool) -> int:
    """Where the line after the one that ends at `at` begins; _NOTHING: a line feed may yet follow the carriage return."""
    stop = data.shape[0]
    if at == stop:
        return at
    if data[at] == _CR:
        if at + 1 == stop and not final:
            return _NOTHING
        if at + 1 < stop and data[at + 1] == _LF:
            return at + 2
    return at + 1


@hot_kernel
def _take_row(data: NDArray[np.uint8], tables: LogTables, columns: RowColumns, row: int) -> int:
    """Write the row whose fields were found: MORE (go on), ODD or TAGS_FULL."""
    for role in (T, ANTENNA, EPC, RSSI):
        if role != ANTENNA:
            _trim(data, tables.fields, role)
    t_ns = parse_t(data, tables.fields[T, 0], tables.fields[T, 1])
    cdbm = parse_cdbm(data, tables.fields[RSSI, 0], tables.fields[RSSI, 1])
    if t_ns == NO_TIME or cdbm == NO_SIGNAL:
        return ODD
    size = _gather_source(data, tables.fields, tables.key)
    source = find(tables.sources, tables.key, size) if size else ABSENT
    if source == ABSENT:
        return ODD
    size = unhex(data, tables.fields[EPC, 0], tables.fields[EPC, 1], tables.key)
    if size == 0:
        return ODD
    tag = find(tables.tags, tables.key, size)
    if tag == ABSENT:
        tag = _new_tag(data, tables, size)
        if tag == NO_ROOM:
            return TAGS_FULL
    columns.t_ns[row], columns.rssi_cdbm[row] = t_ns, cdbm
    columns.antenna[row], columns.tag[row] = tables.antenna_of[source], tag
    return MORE


@hot_kernel
def _trim(data: NDArray[np.uint8], fields: NDArray[np.int64], role: int) -> None:
    first, last = fields[role, 0], fields[role, 1]
    while first < last and (data[first] == _SPACE or data[first] == _TAB):
        first += 1
    while first < last and (data[last - 1] == _SPACE or data[last - 1] == _TAB):
        last -= 1
    fields[role, 0], fields[role, 1] = first, last


@hot_kernel
def _gather_source(data: NDArray[np.uint8], fields: NDArray[np.int64], key: NDArray[np.uint8]) -> int:
    """Write the key of the row's reader and antenna; its size, or 0 when these are too long to be known."""
    size = 1
    for role in (READER, ANTENNA):
        if fields[role, 1] - fields[role, 0] > _LONGEST_NAME:
            return 0
        for i in range(fields[role, 0], fields[role, 1]):
            key[size] = data[i]
            size += 1
    key[0] = fields[READER, 1] - fields[READER, 0]
    return size


@hot_kernel
def _new_tag(data: NDArray[np.uint8], tables: LogTables, size: int) -> int:
    """Number the EPC in `tables.key`, and keep its text; or NO_ROOM."""
    first, last = tables.fields[EPC, 0], tables.fields[EPC, 1]
    number = tables.tags.held[0]
    at = tables.text_ends[number]
    if at + last - first > tables.text_pool.shape[0] or number + 1 == tables.text_ends.shape[0]:
        return NO_ROOM
    tag = add(tables.tags, tables.key, size)
    if tag != NO_ROOM:
        for i in range(first, last):
            tables.text_pool[at + i - first] = data[i]
        tables.text_ends[number + 1] = at + last - first
    return tag
