"""What can be saved of a damaged outbox: the events whose checksum holds, under the ids they had.

A salvaged event keeps its id, and is sent under it, so that the server, which may hold it already, takes it once at most.
What cannot be read is declared as dropped in its own generation, which closes the gap there.
"""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.outbox_rows import CLASSES
from edge.outbox_sums import SALVAGED, row_sum, state_sum
from edge.sqlite_pages import FoundRow, find_rows

GENERATION = re.compile(r"[0-9a-f]{16}")
SEQ = re.compile(r"[1-9][0-9]{0,15}")
COLUMNS = 4
CORRUPT = ".corrupt-"
KEEP_ASIDE = 2


@dataclass(frozen=True, slots=True)
class SalvagedEvent:
    """An event of an earlier file, as it was to be sent."""

    generation: str
    seq: int
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class LostRange:
    """Events of an earlier file that cannot be read any more."""

    generation: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Salvage:
    """What a damaged file still gives."""

    events: tuple[SalvagedEvent, ...] = ()
    lost: tuple[LostRange, ...] = ()
    state: tuple[tuple[str, bytes], ...] = ()


class _Place(msgspec.Struct, frozen=True):
    """What a payload says of itself."""

    generation: str
    seq: str


_place = msgspec.json.Decoder(_Place)


def salvage(path: Path, page_bytes: int) -> Salvage:
    """Everything in a damaged file, and its log, that is certainly right.

    Args:
        path: nobody else has it open.
    """
    found = {event for row in find_rows(path, page_bytes, COLUMNS) if (event := _event_of(row)) is not None}
    last, state = _read_tables(path)
    return Salvage(tuple(sorted(found, key=lambda e: (e.generation, e.seq))), tuple(_lost(found, last)), state)


def quarantined(path: Path) -> list[Path]:
    """What was set aside of this file, oldest first."""
    return sorted(each for each in path.parent.glob(f"{path.name}{CORRUPT}*") if each.name[-1].isdecimal())


def set_aside(path: Path, now_ns: int) -> Path:
    """Move a file and its log away, so that they can be read together; of older ones only the newest is kept."""
    for old in quarantined(path)[: 1 - KEEP_ASIDE]:
        for part in (old, *beside(old)):
            part.unlink(missing_ok=True)
    aside = path.with_name(f"{path.name}{CORRUPT}{now_ns}")
    for part, name in zip((path, *beside(path)), (aside, *beside(aside)), strict=True):
        if part.exists():
            part.rename(name)
    return aside


def beside(path: Path) -> tuple[Path, Path]:
    """What SQLite puts next to a file: its log, and the index of that."""
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def join_lost(ranges: Iterable[LostRange]) -> list[LostRange]:
    """The fewest ranges that say the same: each is a message to the server."""
    joined: list[LostRange] = []
    for each in sorted(ranges, key=lambda r: (r.generation, r.first)):
        if joined and joined[-1].generation == each.generation and joined[-1].last >= each.first - 1:
            joined[-1] = LostRange(each.generation, joined[-1].first, max(joined[-1].last, each.last))
        else:
            joined.append(each)
    return joined


def _event_of(row: FoundRow) -> SalvagedEvent | None:
    """The event in a row whose checksum holds, of whichever of our tables."""
    _, topic, payload, kept_sum = row.values[:COLUMNS]
    if not isinstance(topic, str) or not isinstance(payload, bytes):
        return None
    if not any(row_sum(row.rowid, letter, topic, payload) == kept_sum for letter in (*CLASSES, SALVAGED)):
        return None
    try:
        place = _place.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not GENERATION.fullmatch(place.generation) or not SEQ.fullmatch(place.seq):
        return None
    return SalvagedEvent(place.generation, int(place.seq), topic, payload)


def _lost(found: Iterable[SalvagedEvent], last: dict[str, int]) -> Iterable[LostRange]:
    """The gaps of each generation up to the last number that is known to have been given.

    A number that the server holds, or that was declared before, may be among them: there it changes nothing.
    """
    seqs: dict[str, set[int]] = defaultdict(set)
    for event in found:
        seqs[event.generation].add(event.seq)
    for generation in sorted(seqs.keys() | last.keys()):
        before = 0
        for seq in (*sorted(seqs[generation]), last.get(generation, 0) + 1):
            if seq > before + 1:
                yield LostRange(generation, before + 1, seq - 1)
            before = max(before, seq)


def _read_tables(path: Path) -> tuple[dict[str, int], tuple[tuple[str, bytes], ...]]:
    """The last number of each of the file's runs, and its states, as far as they are readable."""
    meta: dict[str, str] = {}
    runs: list[tuple[int, str]] = []
    state: list[tuple[str, bytes]] = []
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, isolation_level=None)) as db:
        meta.update((str(key), str(value)) for key, value in db.execute("SELECT key, value FROM meta"))
        for key, value, kept_sum in db.execute("SELECT key, value, crc FROM state"):
            if isinstance(key, str) and isinstance(value, bytes) and state_sum(key, value) == kept_sum:
                state.append((key, value))
        runs += db.execute("SELECT base, generation FROM run ORDER BY base")
    return _last_numbers(meta, runs), tuple(state)


def _last_numbers(meta: dict[str, str], runs: list[tuple[int, str]]) -> dict[str, int]:
    """By generation; none where the file's account of itself cannot be right."""
    runs, last = runs or [(0, meta.get("generation", ""))], meta.get("last_seq", "")
    is_sound = all(isinstance(base, int) and GENERATION.fullmatch(str(each)) for base, each in runs)
    if not is_sound or not SEQ.fullmatch(last):
        return {}
    ends = [*(base for base, _ in runs[1:]), int(last)]
    return {each: end - base for (base, each), end in zip(runs, ends, strict=True) if end > base}
