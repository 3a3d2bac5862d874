"""Room on the disk of the data folder: whether there is any, and a little that is kept back for a start without.

A database with a write-ahead log cannot even be read on a disk without a free byte: its index, 32 KiB beside it, has to be
made first.  So a file of nothing is kept there, and given up when a start needs its place.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

RESERVE = "reserve"
RESERVE_BYTES = 1 << 20
ENOUGH_BYTES = 2 << 20
"""With less than this free, a start that fails is taken to fail for want of room."""
FULL = (errno.ENOSPC, errno.EDQUOT)


def has_room(folder: Path) -> bool:
    """Whether the disk, and its quota, take so much more.

    A disk that is no full disk but refuses for another reason counts as one with room: its own error says more.
    """
    return _take(folder / ".room", ENOUGH_BYTES, keep=False)


def has_reserve(folder: Path) -> bool:
    """Whether something is kept back."""
    return (folder / RESERVE).exists()


def keep_reserve(folder: Path) -> None:
    """Have the reserve lie there, as soon as the disk has plenty of room for it."""
    if not has_reserve(folder) and has_room(folder):
        _take(folder / RESERVE, RESERVE_BYTES, keep=True)


def give_reserve(folder: Path) -> bool:
    """Give its place up; false where it had been given up before."""
    try:
        (folder / RESERVE).unlink()
    except FileNotFoundError:
        return False
    return True


def _take(path: Path, size_bytes: int, *, keep: bool) -> bool:
    """Whether a file of this size could be made, which is there afterwards only where it is to be kept."""
    full = False
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)
        finally:
            os.close(descriptor)
    except OSError as error:
        full, keep = error.errno in FULL, False
    if not keep:
        with suppress(OSError):
            path.unlink()
    return not full
