"""What can be saved of a damaged outbox: the events whose checksum holds, under the ids they had.

A salvaged event keeps its id, and is sent under it, so that the server, which may hold it already, takes it once at most.
What cannot be read is declared as dropped in its own generation, which closes the gap there.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.outbox_index import EventIndex, LostRange, SalvagedEvent
from edge.outbox_mark import Mark, mark_path
from edge.outbox_rows import CLASSES
from edge.outbox_sums import SALVAGED, row_sum, state_sum
from edge.sqlite_pages import DamagedPages
from edge.sqlite_records import FoundRow

GENERATION = re.compile(r"[0-9a-f]{16}")
SEQ = re.compile(r"[1-9][0-9]{0,15}")
LETTERS = (*CLASSES, SALVAGED)
COLUMNS = 4
CORRUPT = ".corrupt-"
KEEP_ASIDE = 2


@dataclass(frozen=True, slots=True)
class Salvage:
    """What a damaged file still gives.

    Args:
        events: in the order in which they happened, read from the file one by one.
    """

    events: Iterator[SalvagedEvent]
    count: int
    lost: list[LostRange]
    state: list[tuple[str, bytes]]


class _Place(msgspec.Struct, frozen=True):
    """What a payload says of itself."""

    generation: str
    seq: str


_place = msgspec.json.Decoder(_Place)


@contextmanager
def salvage(path: Path, log: Path, page_bytes: int, mark: Mark | None, room_bytes: int) -> Iterator[Salvage]:
    """Everything in a damaged file, and its log, that is certainly right; the newest of it, where room is short.

    Args:
        path: nobody else has it open.
        log: its write-ahead log, as it was before SQLite read it.
        mark: how far the file had come, where that is known.
    """
    last, state = _read_tables(path)
    if mark is not None and mark.last_seq > mark.base:
        last[mark.generation] = max(last.get(mark.generation, 0), mark.last_seq - mark.base)
    with DamagedPages(path, log, page_bytes) as pages:
        found = EventIndex()
        for place, row in pages.rows(COLUMNS):
            if (read := event_in(row)) is not None:
                event, letter = read
                found.add(event, place, row.rowid, saved_before=letter == SALVAGED)
        kept = found.newest(room_bytes)
        events = (_event_at(pages, place) for place in kept.places())
        yield Salvage(events, len(kept), kept.lost(last), state)


def _event_at(pages: DamagedPages, place: int) -> SalvagedEvent:
    read = event_in(pages.row(place))
    assert read is not None, "it was read a moment ago"
    return read[0]


def quarantined(path: Path) -> list[Path]:
    """What was set aside of this file, oldest first."""
    return sorted(each for each in path.parent.glob(f"{path.name}{CORRUPT}*") if each.name[-1].isdecimal())


def set_aside(path: Path, log_file: Path, now_ns: int) -> Path:
    """Move a file and its log away, so that they can be read together; of older ones only the newest is kept.

    Args:
        log_file: the log, or the copy that was kept of it.
    """
    for old in quarantined(path)[: 1 - KEEP_ASIDE]:
        for part in (old, *beside(old)):
            part.unlink(missing_ok=True)
    aside = path.with_name(f"{path.name}{CORRUPT}{now_ns}")
    if log_file.exists():
        log_file.rename(beside(aside)[0])
    if path.exists():
        path.rename(aside)
    for part in (*beside(path), mark_path(path)):
        part.unlink(missing_ok=True)
    return aside


def kept_log(path: Path) -> Path:
    """The copy of the log that a crash left."""
    return path.with_name(path.name + ".log")


def beside(path: Path) -> tuple[Path, Path]:
    """What SQLite puts next to a file: its log, and the index of that."""
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def event_in(row: FoundRow) -> tuple[SalvagedEvent, str] | None:
    """The event in a row whose checksum holds, and the letter of the table it is of; None where it is no such row."""
    _, topic, payload, kept_sum = row.values[:COLUMNS]
    if not isinstance(topic, str) or not isinstance(payload, bytes):
        return None
    letter = next((each for each in LETTERS if row_sum(row.rowid, each, topic, payload) == kept_sum), None)
    place = None if letter is None else place_of(payload)
    return None if letter is None or place is None else (SalvagedEvent(*place, topic, payload), letter)


def place_of(payload: bytes) -> tuple[str, int] | None:
    """Generation and number that an event says it has; None where it does not say."""
    try:
        place = _place.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not GENERATION.fullmatch(place.generation) or not SEQ.fullmatch(place.seq):
        return None
    return place.generation, int(place.seq)


def _read_tables(path: Path) -> tuple[dict[str, int], list[tuple[str, bytes]]]:
    """The last number of each of the file's runs, and its states, as far as they are readable."""
    meta: dict[str, str] = {}
    runs: list[tuple[int, str]] = []
    state: list[tuple[str, bytes]] = []
    with suppress(sqlite3.Error, UnicodeDecodeError), closing(sqlite3.connect(path, isolation_level=None)) as db:
        meta.update((str(key), str(value)) for key, value in db.execute("SELECT key, value FROM meta"))
        for key, value, kept_sum in db.execute("SELECT key, value, crc FROM state"):
            if isinstance(key, str) and isinstance(value, bytes) and state_sum(key, value) == kept_sum:
                state.append((key, value))
        runs += db.execute("SELECT base, generation FROM run ORDER BY base")
    return _last_numbers(meta, runs), state


def _last_numbers(meta: dict[str, str], runs: list[tuple[int, str]]) -> dict[str, int]:
    """By generation; none where the file's account of itself cannot be right."""
    runs, last = runs or [(0, meta.get("generation", ""))], meta.get("last_seq", "")
    is_sound = all(isinstance(base, int) and GENERATION.fullmatch(str(each)) for base, each in runs)
    if not is_sound or not SEQ.fullmatch(last):
        return {}
    ends = [*(base for base, _ in runs[1:]), int(last)]
    return {each: end - base for (base, each), end in zip(runs, ends, strict=True) if end > base}
