"""A small file beside the outbox that says how far it had come: what a log that was cut short, or a file gone empty, does not tell.

It is written after each commit and never synced, so it costs next to nothing.  A power cut may leave it behind the outbox,
which is harmless; ahead of it, it can only be where the outbox lost what it had.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

_FORM = struct.Struct(">16s16sQQQ")
_SUM = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Mark:
    """How far an outbox had come.

    Args:
        file_id: of the outbox's file.
        generation, base: of the run that was writing: its events are numbered from `base`.
        last_seq: the last number that was committed.
        commits: how many there have been, since some bring no event.
    """

    file_id: str
    generation: str
    base: int
    last_seq: int
    commits: int


class MarkFile:
    """The mark beside one outbox."""

    def __init__(self, outbox: Path) -> None:
        self._file = os.open(mark_path(outbox), os.O_RDWR | os.O_CREAT, 0o600)

    def write(self, mark: Mark) -> None:
        """Keep it; a full disk takes it all the same, since the bytes are there, but for the first time.

        Raises:
            OSError: it could not be written.
        """
        body = _FORM.pack(mark.file_id.encode(), mark.generation.encode(), mark.base, mark.last_seq, mark.commits)
        os.pwrite(self._file, body + _SUM.pack(zlib.crc32(body)), 0)

    def close(self) -> None:
        """Let go of the file; it stays."""
        os.close(self._file)


def mark_path(outbox: Path) -> Path:
    """Where an outbox's mark lies."""
    return outbox.with_name(outbox.name + ".mark")


def read_mark(outbox: Path) -> Mark | None:
    """The mark beside an outbox; None where there is none, or none that can be believed."""
    try:
        data = mark_path(outbox).read_bytes()
    except FileNotFoundError:
        return None
    body, kept_sum = data[: _FORM.size], data[_FORM.size :]
    if len(data) != _FORM.size + _SUM.size or _SUM.pack(zlib.crc32(body)) != kept_sum:
        return None
    file_id, generation, *numbers = _FORM.unpack(body)
    return Mark(file_id.decode(), generation.decode(), *numbers)
