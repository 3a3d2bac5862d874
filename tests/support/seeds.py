"""Looks for what must not be there: seeded identities, in every form that bytes take, in files and in recorded traffic.

    hits = find_seeds([folder], {"River's card": bytes.fromhex("2d14…"), "alias River": b"River"})
    hits += find_in("the broker's traffic", recorder.crossed, seeds)

A folder means every file below it, whatever its name: databases, their logs, files set aside, program logs.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MIN_BYTES = 5
"""A shorter seed is a word like any other: it counts only as a whole JSON or TOML text, a CSV cell or a whole SQLite text."""


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


def find_seeds(paths: Iterable[Path], seeds: Mapping[str, bytes]) -> list[Hit]:
    """Every find in files and folders.  A file that goes away meanwhile, as databases' logs do, is passed over.

    Args:
        seeds: what to look for, by the name under which it is reported.
    """
    hits: list[Hit] = []
    patterns = patterns_of(seeds)
    for path in files_of(paths):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        hits += _look(str(path), content, patterns)
        hits += _look(f"the name of {path}", str(path).encode(), patterns)
    return hits


def find_in(where: str, content: bytes, seeds: Mapping[str, bytes]) -> list[Hit]:
    """Every find in recorded bytes.

    Args:
        where: what they are, for the report.
    """
    return _look(where, content, patterns_of(seeds))


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files themselves, and those below the folders."""
    found: list[Path] = []
    for path in paths:
        found += sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return found


def patterns_of(seeds: Mapping[str, bytes]) -> list[tuple[str, str, bytes]]:
    """Seed, form and bytes of all that is looked for."""
    return [(name, form, data) for name, seed in seeds.items() for form, data in forms(seed).items()]


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


def _look(where: str, content: bytes, patterns: Iterable[tuple[str, str, bytes]]) -> list[Hit]:
    return [
        Hit(where, seed, form, content.index(data), content.count(data))
        for seed, form, data in patterns
        if data in content
    ]
