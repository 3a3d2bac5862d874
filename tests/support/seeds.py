"""Looks for what must not be there: seeded identities, in every form that bytes take, in files and in recorded traffic.

    hits = find_seeds([folder], {"River's card": bytes.fromhex("2d14…"), "alias River": b"River"})
    hits += find_in("the broker's traffic", recorder.crossed, seeds)

A folder means every file below it, whatever its name: databases, their logs, files set aside, program logs.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MIN_BYTES = 5
"""A shorter seed is a word like any other: it counts only as a whole JSON or TOML text, a CSV cell or a whole SQLite text."""
HEAD_BYTES = 4  # no form is shorter than that
BLOCK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Hit:
    """One find: of which seed, in which form, where, and how often."""

    where: str
    seed: str
    form: str
    offset: int
    count: int

    def __str__(self) -> str:
        return f"{self.where}: {self.seed} as {self.form}, {self.count} times, first at {self.offset}"


class Finder:
    """Looks for all forms of all seeds in one pass: some ns for a byte, however many they are."""

    def __init__(self, seeds: Mapping[str, bytes]) -> None:
        self._by_head: dict[bytes, list[tuple[str, str, bytes]]] = {}
        self._first, self._second = np.zeros(1 << 16, bool), np.zeros(1 << 16, bool)
        self._longest = HEAD_BYTES
        for seed, form, data in patterns_of(seeds):
            head = data[:HEAD_BYTES]
            self._by_head.setdefault(head, []).append((seed, form, data))
            self._first[int.from_bytes(head[:2])] = self._second[int.from_bytes(head[2:])] = True
            self._longest = max(self._longest, len(data))

    def in_file(self, path: Path) -> list[Hit]:
        """Every find in a file's content and in its path.  One that goes away meanwhile, as databases' logs do, has none."""
        found: dict[tuple[str, str], tuple[int, int]] = {}
        try:
            with path.open("rb") as file:
                start, content = 0, file.read(BLOCK_BYTES)
                while content:
                    more = file.read(BLOCK_BYTES)
                    done = max(len(content) - self._longest, 0) if more else len(content)
                    self._look(content, start, done, found)
                    start, content = start + done, content[done:] + more
        except FileNotFoundError:
            return []
        return [*_as_hits(str(path), found), *self.in_bytes(f"the name of {path}", str(path).encode())]

    def in_bytes(self, where: str, content: bytes) -> list[Hit]:
        """Every find in bytes.

        Args:
            where: what they are, for the report.
        """
        found: dict[tuple[str, str], tuple[int, int]] = {}
        self._look(content, 0, len(content), found)
        return _as_hits(where, found)

    def _look(self, content: bytes, start: int, upto: int, found: dict[tuple[str, str], tuple[int, int]]) -> None:
        """Add what begins in the first `upto` bytes; the content begins at `start` of its file."""
        if len(content) < HEAD_BYTES:
            return
        each = np.frombuffer(content, np.uint8)
        pairs = each[:-1].astype(np.uint16) << 8 | each[1:]
        for offset in np.flatnonzero((self._first[pairs[:-2]] & self._second[pairs[2:]])[:upto]).tolist():
            for seed, form, data in self._by_head.get(content[offset : offset + HEAD_BYTES], ()):
                if content.startswith(data, offset):
                    first, count = found.get((seed, form), (start + offset, 0))
                    found[seed, form] = first, count + 1


def _as_hits(where: str, found: Mapping[tuple[str, str], tuple[int, int]]) -> list[Hit]:
    return [Hit(where, seed, form, offset, count) for (seed, form), (offset, count) in found.items()]


def find_seeds(paths: Iterable[Path], seeds: Mapping[str, bytes]) -> list[Hit]:
    """Every find in files and folders.

    Args:
        seeds: what to look for, by the name under which it is reported.
    """
    finder = Finder(seeds)
    return [hit for path in files_of(paths) for hit in finder.in_file(path)]


def find_in(where: str, content: bytes, seeds: Mapping[str, bytes]) -> list[Hit]:
    """Every find in recorded bytes.

    Args:
        where: what they are, for the report.
    """
    return Finder(seeds).in_bytes(where, content)


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files themselves, and those below the folders."""
    found: list[Path] = []
    for path in paths:
        found += sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return found


def patterns_of(seeds: Mapping[str, bytes]) -> Iterator[tuple[str, str, bytes]]:
    """Seed, form and bytes of all that is looked for."""
    return ((name, form, data) for name, seed in seeds.items() for form, data in forms(seed).items())


def forms(secret: bytes) -> dict[str, bytes]:
    """How bytes may look: as they are, as hex of either case, as either base64 at each alignment, as UTF-16, reversed as a number."""
    if len(secret) < MIN_BYTES:
        return {"JSON": b'"' + secret + b'"', "CSV": b"," + secret + b","}
    found = {
        "raw bytes": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "hex in pairs": secret.hex(" ").encode(),
        "little-endian": secret[::-1],
    }
    for shift in range(3):
        # Whole groups of three only: what stands beside it changes the letters at the rims.
        inner = secret[(3 - shift) % 3 :]
        inner = inner[: len(inner) // 3 * 3]
        if len(inner) >= MIN_BYTES + 1:
            found[f"base64, {shift} off"] = base64.b64encode(inner)
            found[f"base64url, {shift} off"] = base64.urlsafe_b64encode(inner)
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        return found
    found |= {"UTF-16": text.encode("utf-16-le"), "JSON escapes": json.dumps(text)[1:-1].encode()}
    if secret[::-1] == secret or text.isascii():
        del found["little-endian"]
    return found
