"""The tombstones, in a file beside the database: a backup that is restored brings the member back, but not this file.

One line of JSON for each erasure, written and on the disk before anything is erased.  A tombstone says nothing of a person:
a random request, a version, a time, and keyed hashes, whose key is in another file, by which the member's row and cards are
known again should they come back.
"""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from broker_config.private_files import sync

log = logging.getLogger(__name__)

FILE = "erasures.log"


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """One erasure.

    Args:
        version: the order of erasures; an agent tells by it what it has applied.
        request: 32 random hex digits; whoever asked follows the erasure by it.
        asked_by: the kind of who asked: `member`, `owner`, `staff`.
        member: keyed hash of the member's id.
        cards: keyed hashes of the cards.
    """

    version: int
    request: str
    at_ns: int
    asked_by: str
    member: bytes
    cards: tuple[bytes, ...] = ()


_decoder = msgspec.json.Decoder(Tombstone)
_encode = msgspec.json.Encoder().encode


class Journal:
    """The file, only ever added to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def read(self) -> list[Tombstone]:
        """Every tombstone, oldest first.  A line cut short by a crash was never acted upon, and is passed over."""
        if not self.path.exists():
            return []
        found: list[Tombstone] = []
        for number, line in enumerate(self.path.read_bytes().splitlines(), 1):
            try:
                found.append(_decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                log.error("%s, line %s cannot be read, and is passed over", self.path, number)  # noqa: TRY400 - one line
        return found

    def add(self, tombstones: Iterable[Tombstone]) -> None:
        """Write them down; when this returns they are on the disk.

        Raises:
            OSError: they are not.
        """
        new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")  # a line that a crash cut short must not spoil this one
            file.writelines(_encode(tombstone) + b"\n" for tombstone in tombstones)
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync(self.path.parent)
