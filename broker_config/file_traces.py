"""Looking for bytes in a database's file that no row holds any more, while SQLite has it open.

POSIX drops all of a process's locks on a file as soon as any descriptor of it is closed, SQLite's own included; another
program could then cut off the log under our feet.  So the file is opened once and closed after SQLite's last connection.
Source: sqlite.org, How To Corrupt An SQLite Database File, section 2.2.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

CHUNK_BYTES = 1 << 20
LOGS = ("-wal", "-journal")


class DatabaseBytes:
    """The bytes of a database that this process has open.  Close it after the last connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def holds(self, needles: Sequence[bytes]) -> bool:
        """Whether any of them is in the file or its logs.

        Reads in pieces, so that the interpreter is kept for a moment only.
        """
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        if _is_in(self._descriptor, needles):
            return True
        for end in LOGS:  # no lock of SQLite's is on these
            with suppress(FileNotFoundError), self._path.with_name(self._path.name + end).open("rb") as log:
                if _is_in(log.fileno(), needles):
                    return True
        return False

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _is_in(descriptor: int, needles: Sequence[bytes]) -> bool:
    overlap = max((len(needle) for needle in needles), default=1) - 1
    offset, tail = 0, b""
    while chunk := os.pread(descriptor, CHUNK_BYTES, offset):
        piece = tail + chunk
        if any(needle in piece for needle in needles):
            return True
        offset += len(chunk)
        tail = piece[-overlap:] if overlap else b""
    return False
