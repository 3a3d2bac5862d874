"""The member table on the agent's disk: sealed, replaced whole, opened into memory and searched there.

The file is the server's table, sealed by `edge.at_rest`: whoever has it without the agent's credential finds neither hash nor
handle in it.  Its name tells the match key, since a table made under another key would recognise nobody.  All of it is checked
whenever it is opened.  The directory of a look-up is not kept but made anew: one pass over what was just opened.
"""

import hmac
import os
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from broker_config.errors import MessageError
from broker_config.member_table import HEAD_BYTES, RECORD_BYTES, MemberTable, check_table
from edge.at_rest import AtRest, SealedFileError, SealedWriter

PREFIX = "members"
OWN = ("*.sealed", ".*.part", "*.bin")
"""Names of our files; the last is how earlier versions kept a table, in plain."""
_WORDS = RECORD_BYTES // 8
_KEY_NAME = b"tacet member table"


@dataclass(frozen=True, slots=True)
class OpenedMembers:
    """A table as the engine searches it, see `hotpath.members`.

    Args:
        rows: uint64[n, 4], hash and handle.
        slots: uint32[n + 1], the directory.
        leased_until_ns: UTC; after it nobody is a member.
    """

    rows: NDArray[np.uint64]
    slots: NDArray[np.uint32]
    leased_until_ns: int
    version: int

    def __len__(self) -> int:
        return len(self.rows)


def member_path(folder: Path, match_key: bytes) -> Path:
    """Where the table for this key is kept."""
    return folder / f"{PREFIX}-{hmac.digest(match_key, _KEY_NAME, 'sha256').hex()[:16]}.sealed"


def open_members(path: Path, at_rest: AtRest) -> OpenedMembers:
    """The table in a file, opened into memory, checked and ready.

    Raises:
        MessageError: foreign, cut short, altered, or not in order.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            data = at_rest.open_file(file, os.fstat(file.fileno()).st_size)
        except SealedFileError as error:
            raise MessageError(str(error)) from error
    head = check_table(memoryview(data))
    rows = np.frombuffer(data, np.uint64, head.count * _WORDS, HEAD_BYTES).reshape(-1, _WORDS)
    return _with_slots(rows, head.leased_until_ns, head.version)


def index_members(table: MemberTable | None) -> OpenedMembers:
    """A table in memory, ready; of None, nobody's.

    Raises:
        MessageError: not in order.
    """
    if table is None:
        return _with_slots(np.zeros((0, _WORDS), np.uint64), 0, 0)
    rows = np.frombuffer(table.records, np.uint64).copy().reshape(-1, _WORDS)
    return _with_slots(rows, table.leased_until_ns, table.version)


def known_handles(members: OpenedMembers, wanted: Collection[bytes]) -> frozenset[bytes]:
    """Which of these handles are in the table.  Looks at every row: to be done in a thread."""
    if not wanted or not len(members):
        return frozenset()
    each = np.frombuffer(b"".join(sorted(wanted)), np.uint64).reshape(-1, 2)
    first_half_fits = np.isin(members.rows[:, 2], each[:, 0])
    found = {row.tobytes() for row in members.rows[first_half_fits, 2:]}
    return frozenset(found & set(wanted))


def _with_slots(rows: NDArray[np.uint64], leased_until_ns: int, version: int) -> OpenedMembers:
    from hotpath import members  # numba comes with the kernels, so only where an engine is made

    slots = members.make_slots(len(rows))
    if not members.fill_slots(rows, slots):
        raise MessageError("member table is not in the order of its hashes")
    return OpenedMembers(rows, slots, leased_until_ns, version)


class IncomingTable:
    """A table on its way: written beside its place, under a name of its own and for its owner only; gone unless `accept`ed."""

    def __init__(self, path: Path, at_rest: AtRest) -> None:
        self._path, self._at_rest, self._writer = path, at_rest, SealedWriter(at_rest)
        descriptor, name = tempfile.mkstemp(prefix=f"{PREFIX}.", suffix=".part", dir=path.parent)
        self._part, self._file = Path(name), os.fdopen(descriptor, "wb")
        self._file.write(self._writer.head)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Add the next bytes."""
        self._file.writelines(self._writer.add(data))

    def accept(self) -> OpenedMembers:
        """Put the table in the place of the one before and open it, once it is safe on the disk and found sound.

        Raises:
            MessageError: foreign, cut short, altered, or not in order; the one before stays.
        """
        self._file.write(self._writer.end())
        self._file.flush()
        members = open_members(self._part, self._at_rest)
        os.fsync(self._file.fileno())
        self._part.replace(self._path)
        return members


def remove_others(path: Path) -> None:
    """Remove tables made under other keys, and what an agent that died left half written."""
    for other in (each for end in OWN for each in path.parent.glob(f"{PREFIX}{end}")):
        if other != path:
            other.unlink(missing_ok=True)
