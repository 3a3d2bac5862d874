"""Rows out of the pages of a damaged SQLite file and its log, page by page, whatever became of its trees.

What is found may be old or wrong: whoever asks must be able to tell a right row, by a checksum in it.  One page is held at
a time, and each row can be read again by its place, so that a file of any size takes little memory.
Source: sqlite.org/fileformat2.html, sections 1.6 (b-tree pages), 1.7 (overflow), 2.1 (records), 4 (write-ahead log).
"""

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from edge.sqlite_records import FoundRow, PageError, read_row

LEAF_TABLE = 0x0D
LEAF_HEADER = 8
WAL_HEADER, FRAME_HEADER = 32, 24
SALTS = slice(8, 16)


class DamagedPages:
    """The pages of a file and of its write-ahead log.  Use as `with DamagedPages(...) as pages`; nobody writes to either.

    Args:
        log: the log; it need not be there.
        page_bytes: as the file was made with; no bytes reserved at a page's end.
    """

    def __init__(self, path: Path, log: Path, page_bytes: int) -> None:
        self._page_bytes = page_bytes
        self._file = _open(path)
        self._log = _open(log)

    def __enter__(self) -> Self:
        self._file_pages = _size(self._file) // self._page_bytes
        self._frames = max(_size(self._log) - WAL_HEADER, 0) // (FRAME_HEADER + self._page_bytes)
        self._newest = self._find_newest()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for each in (self._file, self._log):
            if each is not None:
                os.close(each)

    def rows(self, columns: int) -> Iterator[tuple[int, FoundRow]]:
        """Place and row of all that have at least so many columns, in no order, possibly more than once."""
        for index in range(self._file_pages + self._frames):
            page = self._page(index)
            if page[:1] != bytes([LEAF_TABLE]):
                continue
            for at in _cells(page):
                with suppress(PageError):
                    row = read_row(page, at, self._overflow)
                    if len(row.values) >= columns:
                        yield index * self._page_bytes + at, row

    def row(self, place: int) -> FoundRow:
        """The row at a place that `rows` gave."""
        index, at = divmod(place, self._page_bytes)
        return read_row(self._page(index), at, self._overflow)

    def _page(self, index: int) -> bytes:
        """A page of the file or, beyond them, of a frame of the log."""
        if index < self._file_pages:
            return _read(self._file, self._page_bytes, index * self._page_bytes)
        return _read(self._log, self._page_bytes, self._frame_at(index - self._file_pages) + FRAME_HEADER)

    def _frame_at(self, frame: int) -> int:
        return WAL_HEADER + frame * (FRAME_HEADER + self._page_bytes)

    def _find_newest(self) -> dict[int, int]:
        """By page number, the index of its newest copy in the log; what an earlier round left there counts less."""
        salts = _read(self._log, 8, 16) if self._frames else b""
        newest: dict[int, int] = {}
        for of_this_round in (False, True):
            for frame in range(self._frames):
                header = _read(self._log, FRAME_HEADER, self._frame_at(frame))
                if (header[SALTS] == salts) == of_this_round:
                    newest[int.from_bytes(header[:4], "big")] = self._file_pages + frame
        return newest

    def _overflow(self, number: int) -> bytes:
        index = self._newest.get(number, number - 1)
        if not 0 <= index < self._file_pages + self._frames:
            raise PageError("it flows over to a page that is not there")
        return self._page(index)


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None


def _size(file: int | None) -> int:
    return 0 if file is None else os.fstat(file).st_size


def _read(file: int | None, size: int, at: int) -> bytes:
    return b"" if file is None else os.pread(file, size, at)


def _cells(page: bytes) -> tuple[int, ...]:
    count = int.from_bytes(page[3:5], "big")
    if LEAF_HEADER + 2 * count > len(page):
        return ()
    return struct.unpack_from(f">{count}H", page, LEAF_HEADER)
