"""What a killed process had promised: a log that it writes line by line, and that the kernel keeps when it is gone."""

import os
import re
import time
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

TORN = "(torn)"
"""Ends a line that a kill cut short: whatever it was to say was not said."""
WHO = re.compile(rb'"who":"[^"]*"')


def sum_of(payload: bytes) -> int:
    """A checksum of what an event says; of whom it speaks the server forgets, and what the sender adds around it may differ."""
    return zlib.crc32(WHO.sub(b"", payload.partition(b'"data":')[2]))


class TruthWriter:
    """In the process: a line as soon as something is known, and on the way to nobody's buffer."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, f"{TORN}\n".encode())

    def promised(self, rows: Iterable[tuple[str, int, int, bytes]]) -> None:
        """These events are on the disk: generation and number of their ids, their place in the file, and what they say."""
        now_ns = time.monotonic_ns()
        lines = [f"p {own} {number} {seq} {sum_of(payload)} {now_ns}\n" for own, number, seq, payload in rows]
        os.write(self._file, "".join(lines).encode())

    def note(self, word: str, *values: object) -> None:
        """Anything else, with the instant."""
        os.write(self._file, f"{word} {' '.join(map(str, values))} {time.monotonic_ns()}\n".encode())


@dataclass(slots=True)
class TruthReader:
    """Outside: what has been written so far.

    Args:
        promised: by generation and number: the payload's sum, and when it was promised.
        seqs: of each, its place in the file.
        acked: the server's words as they came: upto, and when.
        notes: other lines: word, values, when.
        born: how many lives have begun.
        upto: how far the server said that it has everything.
        last_seq: the newest place promised.
        first_s: of each life that promised anything: from its birth to its first promise.
    """

    path: Path
    promised: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    seqs: dict[tuple[str, int], int] = field(default_factory=dict)
    acked: list[tuple[int, int]] = field(default_factory=list)
    notes: list[tuple[str, list[str], int]] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    born: int = 0
    upto: int = 0
    last_seq: int = 0
    _at: int = 0
    _counts: Counter[str] = field(default_factory=Counter)
    _born_ns: int | None = None

    def read(self) -> "TruthReader":
        """Take in what is new; itself."""
        if not self.path.exists():
            return self
        with self.path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.decode().splitlines():
            if line.endswith(TORN):
                continue
            word, *values, now_ns = line.split(" ")
            if word == "p":
                self._promised(values, int(now_ns))
            elif word == "a":
                self.acked.append((int(values[0]), int(now_ns)))
                self.upto = max(self.upto, int(values[0]))
            elif word == "born":
                self.born, self._born_ns = self.born + 1, int(now_ns)
            else:
                self._counts[word] += 1
                self.notes.append((word, values, int(now_ns)))
        return self

    def _promised(self, values: list[str], now_ns: int) -> None:
        if self._born_ns is not None:
            self.first_s.append((now_ns - self._born_ns) / 1e9)
            self._born_ns = None
        key, seq = (values[0], int(values[1])), int(values[2])
        self.promised[key], self.seqs[key] = (int(values[3]), now_ns), seq
        self.last_seq = max(self.last_seq, seq)

    def count(self, word: str) -> int:
        """How often something was noted."""
        return self.read()._counts[word]
