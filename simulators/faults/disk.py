"""What a disk holds after the power failed: what was synced, and a seeded choice of what was not.

The model, for storage that keeps what it says it has synced:

* A write or a truncation since its file's last sync is kept or dropped by itself, so that what is kept may be out of order.
* A kept write may be torn: any of its 512-byte sectors may be missing.  Bytes that were not written are not harmed
  (SQLite's "powersafe overwrite", which it takes for granted).  Where nothing was ever written there are zeros.
* Files appear and disappear in order.  What is not synced yet may be missing from the end.  The first sync of a new file
  settles all that came before: SQLite syncs the folder with a new log, and journalling file systems do it for any file.

Source: SQLite, "How SQLite Is Tested", crash testing; "Atomic Commit In SQLite", hardware assumptions.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

SECTOR_BYTES = 512
KEPT_SHARES = (0.0, 0.35, 0.65, 1.0)
TORN_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Op:
    """One thing asked of the disk.

    Args:
        file: its name in the folder.
        at: byte offset of a write, the new size of a truncation; 1 for a deletion that syncs the folder.
    """

    kind: Literal["open", "write", "truncate", "sync", "delete"]
    file: str
    at: int = 0
    data: bytes = b""


@dataclass(slots=True)
class Tape:
    """All that was asked of the files of one folder, in order.

    Args:
        start: what the files held, safely, when it began.
    """

    start: dict[str, bytes] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)

    @property
    def position(self) -> int:
        """How much has been asked so far."""
        return len(self.ops)


@dataclass(frozen=True, slots=True)
class Cut:
    """The power fails after `position` operations.

    Args:
        kept_share: how likely each unsynced operation has reached the disk, 0..1.
        torn_share: how likely one that has did so in part only, 0..1.
    """

    position: int
    kept_share: float
    torn_share: float = TORN_SHARE

    @classmethod
    def somewhere(cls, tape: Tape, rng: random.Random) -> "Cut":
        """Anywhere on the tape."""
        return cls(rng.randint(0, tape.position), rng.choice(KEPT_SHARES))


@dataclass(slots=True)
class _File:
    synced: bytearray = field(default_factory=bytearray)
    unsynced: list[Op] = field(default_factory=list)

    def sync(self) -> None:
        for op in self.unsynced:
            _apply(self.synced, op)
        self.unsynced.clear()

    def after(self, cut: Cut, rng: random.Random) -> bytes:
        content = bytearray(self.synced)
        for op in self.unsynced:
            if rng.random() >= cut.kept_share:
                continue
            if op.kind == "write" and rng.random() < cut.torn_share:
                for sector in _sectors(op):
                    if rng.random() < 0.5:
                        _apply(content, sector)
            else:
                _apply(content, op)
        return bytes(content)


class _Folder:
    """The files as programs see them, and as the disk has them."""

    def __init__(self, start: dict[str, bytes]) -> None:
        self._seen = {name: _File(bytearray(content)) for name, content in start.items()}
        self._on_disk = dict(self._seen)
        self._unsettled: list[tuple[str, _File | None]] = []  # appeared, or None: disappeared

    def do(self, op: Op) -> None:
        if op.kind == "open":
            if op.file not in self._seen:
                self._seen[op.file] = _File()
                self._unsettled.append((op.file, self._seen[op.file]))
        elif op.kind == "delete":
            if self._seen.pop(op.file, None) is not None:
                self._unsettled.append((op.file, None))
            if op.at:
                self._settle()
        elif op.kind == "sync":
            self._seen[op.file].sync()
            if any(file is self._seen[op.file] for _, file in self._unsettled):
                self._settle()
        else:
            self._seen[op.file].unsynced.append(op)

    def after(self, cut: Cut, rng: random.Random) -> dict[str, bytes]:
        settled = sum(1 for _ in self._unsettled if rng.random() < cut.kept_share)
        names = dict(self._on_disk)
        for name, file in self._unsettled[:settled]:
            _put(names, name, file)
        return {name: file.after(cut, rng) for name, file in sorted(names.items())}

    def _settle(self) -> None:
        for name, file in self._unsettled:
            _put(self._on_disk, name, file)
        self._unsettled.clear()


def disk_after(tape: Tape, cut: Cut, rng: random.Random) -> dict[str, bytes]:
    """The files as they are found when the power is back."""
    folder = _Folder(tape.start)
    for op in tape.ops[: cut.position]:
        folder.do(op)
    return folder.after(cut, rng)


def _put(names: dict[str, _File], name: str, file: _File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def _apply(content: bytearray, op: Op) -> None:
    if op.kind == "truncate":
        del content[op.at :]
        return
    content.extend(bytes(max(0, op.at - len(content))))
    content[op.at : op.at + len(op.data)] = op.data


def _sectors(op: Op) -> Sequence[Op]:
    """The write in pieces that end where the disk's sectors do."""
    pieces, at, end = [], op.at, op.at + len(op.data)
    while at < end:
        stop = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
        pieces.append(Op("write", op.file, at, op.data[at - op.at : stop - op.at]))
        at = stop
    return pieces
