"""One row out of the bytes of an SQLite page.

Source: sqlite.org/fileformat2.html, sections 1.6 (b-tree pages), 1.7 (overflow), 2.1 (records).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MAX_RECORD = 1 << 20
Value = int | str | bytes | None
Overflow = Callable[[int], bytes]


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


def read_row(page: bytes, at: int, overflow: Overflow) -> FoundRow:
    """The row whose cell begins there.

    Args:
        overflow: gives a page by its number.

    Raises:
        PageError: there is none.
    """
    size, at = _varint(page, at)
    rowid, at = _varint(page, at)
    if size > MAX_RECORD:
        raise PageError("too long")
    return FoundRow(rowid, _values(_record(page, at, size, overflow)))


def _record(page: bytes, at: int, size: int, overflow: Overflow) -> bytes:
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
        more = overflow(following)
        if len(more) < usable:
            raise PageError("it flows over to a page that is cut short")
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
