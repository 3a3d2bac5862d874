"""Rows out of the pages of a damaged SQLite file, page by page, whatever became of its trees.

What is found may be old or wrong: whoever asks must be able to tell a right row, by a checksum in it.
Source: sqlite.org/fileformat2.html, sections 1.6 (b-tree pages), 1.7 (overflow), 2.1 (records), 4 (write-ahead log).
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LEAF_TABLE = 0x0D
LEAF_HEADER = 8
WAL_HEADER, FRAME_HEADER = 32, 24
MAX_RECORD = 1 << 24
Value = int | str | bytes | None


class PageError(ValueError):
    """These bytes are no row."""


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row of some table.

    Args:
        values: its columns; that which is the rowid is None.
    """

    rowid: int
    values: tuple[Value, ...]


def find_rows(path: Path, page_bytes: int, columns: int) -> Iterator[FoundRow]:
    """Rows of at least `columns` columns in the file and its write-ahead log, in no order, possibly more than once.

    Args:
        page_bytes: as the file was made with; no bytes reserved at a page's end.
    """
    pages = _pages(path.read_bytes(), page_bytes)
    log = path.with_name(path.name + "-wal")
    frames = _frames(log.read_bytes(), page_bytes) if log.exists() else []
    newest = dict(enumerate(pages, 1)) | dict(frames)
    for page in [*pages, *(page for _, page in frames)]:
        if page[0] == LEAF_TABLE:
            yield from _rows_of(page, newest, columns)


def _pages(data: bytes, page_bytes: int) -> list[bytes]:
    return [data[at : at + page_bytes] for at in range(0, len(data) - page_bytes + 1, page_bytes)]


def _frames(data: bytes, page_bytes: int) -> list[tuple[int, bytes]]:
    """Page number and page of each whole frame."""
    size = FRAME_HEADER + page_bytes
    starts = range(WAL_HEADER, len(data) - size + 1, size)
    return [(int.from_bytes(data[at : at + 4], "big"), data[at + FRAME_HEADER : at + size]) for at in starts]


def _rows_of(page: bytes, newest: dict[int, bytes], columns: int) -> Iterator[FoundRow]:
    count = int.from_bytes(page[3:5], "big")
    if LEAF_HEADER + 2 * count > len(page):
        return
    for at in struct.unpack_from(f">{count}H", page, LEAF_HEADER):
        with suppress(PageError):
            row = _row_at(page, at, newest)
            if len(row.values) >= columns:
                yield row


def _row_at(page: bytes, at: int, newest: dict[int, bytes]) -> FoundRow:
    size, at = _varint(page, at)
    rowid, at = _varint(page, at)
    if size > MAX_RECORD:
        raise PageError("too long")
    return FoundRow(rowid, _values(_record(page, at, size, newest)))


def _record(page: bytes, at: int, size: int, newest: dict[int, bytes]) -> bytes:
    """A record, from its page and, where it is too long for that, from the pages it flows over to."""
    usable = len(page)
    longest = usable - 35
    if size <= longest:
        return _slice(page, at, size)
    least = (usable - 12) * 32 // 255 - 23
    here = least + (size - least) % (usable - 4)
    if here > longest:
        here = least
    record = bytearray(_slice(page, at, here))
    following = int.from_bytes(_slice(page, at + here, 4), "big")
    while len(record) < size:
        if following not in newest:
            raise PageError("it flows over to a page that is not there")
        more = newest[following]
        following = int.from_bytes(more[:4], "big")
        record += more[4 : 4 + size - len(record)]
    return bytes(record)


def _values(record: bytes) -> tuple[Value, ...]:
    end, at = _varint(record, 0)
    kinds: list[int] = []
    while at < end:
        kind, at = _varint(record, at)
        kinds.append(kind)
    values: list[Value] = []
    at = end
    for kind in kinds:
        size = _size_of(kind)
        values.append(_value(kind, _slice(record, at, size)))
        at += size
    return tuple(values)


def _size_of(kind: int) -> int:
    fixed: Sequence[int] = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
    if kind in (10, 11):
        raise PageError("a reserved type")
    return fixed[kind] if kind < len(fixed) else (kind - 12) // 2


def _value(kind: int, data: bytes) -> Value:
    if kind >= 12:
        try:
            return data.decode() if kind % 2 else data
        except UnicodeDecodeError as error:
            raise PageError("no text") from error
    if kind == 7:
        raise PageError("no table of ours holds fractions")
    return {0: None, 8: 0, 9: 1}.get(kind, int.from_bytes(data, "big", signed=True))


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to nine bytes, most significant first, and where it ends; the ninth counts whole."""
    value = 0
    for index in range(9):
        if at >= len(data):
            raise PageError("cut short")
        byte = data[at]
        at += 1
        if index == 8:
            return value << 8 | byte, at
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, at


def _slice(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise PageError("cut short")
    return data[at : at + size]
