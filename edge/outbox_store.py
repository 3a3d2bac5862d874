"""The outbox on disk: one SQLite file, WAL and `synchronous=FULL`, so that what is committed survives a power cut.

Rows live in one table per class, in the order of `seq`, so that dropping a class's oldest rows frees whole pages.  Every
seq up to `last_seq` is a row, a declared drop, or was deleted 48 h after the server acknowledged it: there are no holes.
Nothing here is asynchronous; `edge.outbox` calls it from its one thread.
"""

import logging
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.outbox_file import PAGE_BYTES, SET_STATE, open_outbox
from edge.outbox_rows import DropRange, EventClass, Row, as_ranges
from edge.outbox_salvage import LostRange, quarantined, row_sum, state_sum
from edge.runs import Run, Runs

log = logging.getLogger(__name__)

CLASSES: tuple[EventClass, ...] = ("A", "B", "C")
MIN_QUOTA_PAGES = 64
KEEP_ACKED_NS = 48 * 3600 * 1_000_000_000
ACK_MARK_EVERY_NS = 60 * 1_000_000_000
SPARE_PAGES = 16  # what SQLite needs beside the rows: inner pages of the trees, the small tables
DROP_ROWS = 64  # rows given up at a time
LOCK_WAIT_S = 5.0  # an agent that is just stopping may still hold the file


class OutboxStore:
    """The file and its transactions.

    Args:
        lock_wait_s: how long another process may hold it.
        quota_bytes: the file's limit; beyond it the oldest rows of the least class are dropped and declared.
    """

    def __init__(self, path: Path, quota_bytes: int, lock_wait_s: float = LOCK_WAIT_S) -> None:
        self._quota_pages = max(quota_bytes // PAGE_BYTES, MIN_QUOTA_PAGES)
        self._db = open_outbox(path, self._quota_pages, lock_wait_s)
        self.quarantined = quarantined(path)
        self.generation = self._meta("generation")
        self.last_seq = int(self._meta("last_seq"))
        self.acked_upto = int(self._meta("acked_upto"))
        self.dropped_events = int(self._meta("dropped_events"))
        self._unsaved_runs: list[Run] = []

    def begin_run(self) -> tuple[int, Runs]:
        """Let what comes from now on bear a generation of its own; how many starts there have been, and all runs.

        Also where the last run has no event: another copy of this file may be about to use it.  A run reaches the disk with
        its first event, so that a full disk hinders no start.
        """
        runs = [Run(*row) for row in self._db.execute("SELECT base, generation FROM run ORDER BY base")]
        starts, base = int(self._meta("starts")) + 1, max(self.last_seq, self.acked_upto)
        if not runs:
            runs = self._unsaved_runs = [Run(0, self.generation)]
        if starts > 1 or base > 0:
            self._unsaved_runs = [*self._unsaved_runs, Run(base, secrets.token_hex(8))]
            runs = [*(run for run in runs if run.base < base), self._unsaved_runs[-1]]
        with suppress(sqlite3.OperationalError):
            self._set("starts", starts)
        return starts, Runs(runs, self.acked_upto)

    def commit(self, rows: Sequence[Row], state: Mapping[str, bytes], drops: Iterable[DropRange] = ()) -> list[Row]:
        """Store rows, state and drops in one transaction; the rows that found room come back, the others are declared.

        Args:
            rows, drops: together the seqs directly after `last_seq`.

        Raises:
            sqlite3.Error: nothing was stored.
        """
        drops = list(drops)
        last_seq = max([self.last_seq, *(row.seq for row in rows), *(drop.last for drop in drops)])
        before = self.dropped_events
        try:
            with self._transaction():
                kept = self._make_room(list(rows))
                for row in kept:
                    self._db.execute(_INSERT[row.event_class], (row.seq, row.topic, row.payload, _sum_of(row)))
                stored = {row.seq for row in kept}
                self._declare([*drops, *as_ranges(row for row in rows if row.seq not in stored)])
                self._db.executemany(SET_STATE, [(k, v, state_sum(k, v)) for k, v in state.items()])
                runs = [(run.base, run.generation) for run in self._unsaved_runs]
                self._db.executemany("INSERT OR REPLACE INTO run VALUES (?, ?)", runs)
                self._set("last_seq", last_seq)
                self._set("acked_upto", self.acked_upto)
        except sqlite3.Error:
            self.dropped_events = before
            raise
        self.last_seq, self._unsaved_runs = last_seq, []
        return kept

    def rows_after(self, seq: int, limit: int) -> list[Row]:
        """The next rows above `seq` in order, acknowledged or not.  One whose checksum is wrong is dropped and declared."""
        while True:
            found: list[Row] = []
            bad: list[Row] = []
            for event_class in CLASSES:
                for s, topic, data, kept_sum in self._db.execute(_AFTER[event_class], (seq, limit)):
                    row = Row(s, event_class, topic, data)
                    (found if kept_sum is None or kept_sum == _sum_of(row) else bad).append(row)
            if not bad:
                return sorted(found, key=lambda row: row.seq)[:limit]
            log.error("outbox: %s events are damaged, and declared as dropped", len(bad))
            with self._transaction():
                for row in bad:
                    self._db.execute(_DELETE[row.event_class], (row.seq,))
                self._declare(as_ranges(bad))

    def salvaged_after(self, number: int, limit: int) -> list[tuple[int, str, bytes]]:
        """Events saved from a damaged file: their number there, topic and payload."""
        sql = "SELECT number, topic, payload FROM salvaged WHERE number > ? ORDER BY number LIMIT ?"
        return self._db.execute(sql, (number, limit)).fetchall()

    def salvaged_lost(self) -> list[LostRange]:
        """What could not be saved of damaged files, as far as the server does not know."""
        rows = self._db.execute("SELECT generation, first, last FROM salvaged_lost ORDER BY generation, first")
        return [LostRange(*row) for row in rows]

    def acknowledge_salvaged(self, generation: str, upto: int) -> None:
        """The server holds everything of that damaged file's generation up to there."""
        with self._transaction():
            self._db.execute("DELETE FROM salvaged WHERE generation = ? AND seq <= ?", (generation, upto))
            self._db.execute("DELETE FROM salvaged_lost WHERE generation = ? AND last <= ?", (generation, upto))

    def drops(self) -> list[DropRange]:
        """Declared drops the server has not acknowledged."""
        rows = self._db.execute(
            "SELECT first, last, class FROM dropped WHERE last > ? ORDER BY first", (self.acked_upto,)
        )
        return [DropRange(*row) for row in rows]

    def state(self, key: str) -> bytes | None:
        """What was last committed under `key`."""
        row = self._db.execute("SELECT value, crc FROM state WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        value, kept_sum = row
        if not isinstance(value, bytes) or (kept_sum is not None and kept_sum != state_sum(key, value)):
            log.error("outbox: what was kept of %s is damaged, and counts as never kept", key)
            return None
        return value

    def acknowledge(self, upto: int, now_ns: int) -> None:
        """The server holds everything up to `upto`.  A smaller value than before means it lost data: it gets it again.

        Reaches the disk with the next commit or minute; an acknowledgement lost in a crash costs a repetition, which the
        server drops.
        """
        if upto < self.acked_upto:
            with self._transaction():
                self._server_fell_back(upto)
        self.acked_upto = upto
        last_mark = self._db.execute("SELECT max(at_ns) FROM ack_mark").fetchone()[0]
        if last_mark is None or now_ns - last_mark >= ACK_MARK_EVERY_NS:
            self._db.execute("INSERT OR REPLACE INTO ack_mark VALUES (?, ?)", (now_ns, upto))
            self._set("acked_upto", upto)

    def purge(self, now_ns: int) -> None:
        """Delete what the server acknowledged more than 48 h ago."""
        old = "SELECT max(upto) FROM ack_mark WHERE at_ns <= ?"
        upto = self._db.execute(old, (now_ns - KEEP_ACKED_NS,)).fetchone()[0]
        if upto is None:
            return
        with self._transaction():
            for event_class in CLASSES:
                self._db.execute(_DELETE_UPTO[event_class], (min(upto, self.acked_upto),))
            self._db.execute("DELETE FROM dropped WHERE last <= ?", (min(upto, self.acked_upto),))
            self._db.execute("DELETE FROM ack_mark WHERE upto < ?", (upto,))
            gone = "SELECT max(base) FROM run WHERE base <= ?"
            self._db.execute(f"DELETE FROM run WHERE base < ({gone})", (min(upto, self.acked_upto),))  # noqa: S608 - ours

    def close(self) -> None:
        """Write the last acknowledgement, where there is room for it, and close the file."""
        with suppress(sqlite3.OperationalError):
            self._set("acked_upto", self.acked_upto)
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, and never left open."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _server_fell_back(self, upto: int) -> None:
        """Declare what the server lacks and we have deleted since; the rest is sent again."""
        log.warning("the server acknowledged event %s, now only %s: sending again what is kept", self.acked_upto, upto)
        self._db.execute("DELETE FROM ack_mark WHERE upto > ?", (upto,))
        oldest = [row[0] for c in CLASSES for row in self._db.execute(_OLDEST[c]) if row[0] is not None]
        first_kept = min([*oldest, self.last_seq + 1])
        if upto + 1 < first_kept:
            self._db.execute("DELETE FROM dropped WHERE last < ?", (first_kept,))
            self._db.execute("INSERT INTO dropped VALUES (?, ?, 'A')", (upto + 1, first_kept - 1))

    def _make_room(self, rows: list[Row]) -> list[Row]:
        """Free pages for `rows`: acknowledged rows first, then the least class, oldest first; the rows that then fit."""
        while rows and self._free_pages() < _pages_for(rows):
            if self._delete_acked():
                continue
            least = max([row.event_class for row in rows] + [c for c in CLASSES if self._has_rows(c)])
            if self._has_rows(least):
                self._drop_oldest(least)
            else:
                rows.remove(next(row for row in rows if row.event_class == least))
        return rows

    def _free_pages(self) -> int:
        used = (
            self._db.execute("PRAGMA page_count").fetchone()[0]
            - self._db.execute("PRAGMA freelist_count").fetchone()[0]
        )
        return int(self._quota_pages - used - SPARE_PAGES)

    def _has_rows(self, event_class: EventClass) -> bool:
        return self._db.execute(_OLDEST[event_class]).fetchone()[0] is not None

    def _delete_acked(self) -> bool:
        """Delete the oldest acknowledged rows before their time, all classes alike; whether there were any."""
        limits = [self._db.execute(_NTH_OLDEST[c], (DROP_ROWS,)).fetchone() for c in CLASSES]
        upto = min([self.acked_upto, *(limit[0] for limit in limits if limit is not None)])
        return sum(self._db.execute(_DELETE_UPTO[c], (upto,)).rowcount for c in CLASSES) > 0

    def _drop_oldest(self, event_class: EventClass) -> None:
        limit = self._db.execute(_NTH_OLDEST[event_class], (DROP_ROWS,)).fetchone()
        upto = self.last_seq if limit is None else limit[0]
        gone = self._db.execute(_SEQS_UPTO[event_class], (upto,)).fetchall()
        self._db.execute(_DELETE_UPTO[event_class], (upto,))
        self._declare(as_ranges(Row(seq, event_class, "", b"") for (seq,) in gone))

    def _declare(self, drops: Iterable[DropRange]) -> None:
        for drop in drops:
            self.dropped_events += len(drop)
            log.warning("outbox full: dropped %s events of class %s", len(drop), drop.event_class)
            previous = "SELECT first FROM dropped WHERE last = ? AND class = ?"
            row = self._db.execute(previous, (drop.first - 1, drop.event_class)).fetchone()
            first = drop.first if row is None else row[0]
            self._db.execute("INSERT OR REPLACE INTO dropped VALUES (?, ?, ?)", (first, drop.last, drop.event_class))
        self._set("dropped_events", self.dropped_events)

    def _meta(self, key: str) -> str:
        return str(self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0])

    def _set(self, key: str, value: int) -> None:
        self._db.execute("UPDATE meta SET value = ? WHERE key = ?", (str(value), key))


def _pages_for(rows: Sequence[Row]) -> int:
    # Half-filled leaves are what ascending inserts leave at worst.
    return 1 + 2 * sum(len(row.payload) + len(row.topic) + 32 for row in rows) // PAGE_BYTES


def _sum_of(row: Row) -> int | None:
    if not isinstance(
        row.payload, bytes
    ):  # SQLite gives a value the type that the row says; a flipped bit may say another
        return None
    return row_sum(row.seq, row.event_class, row.topic, row.payload)


_TABLE: dict[EventClass, str] = {"A": "event_a", "B": "event_b", "C": "event_c"}


def _per_class(sql: str) -> dict[EventClass, str]:
    return {event_class: sql.replace("{table}", table) for event_class, table in _TABLE.items()}


_INSERT = _per_class("INSERT INTO {table} (seq, topic, payload, crc) VALUES (?, ?, ?, ?)")
_AFTER = _per_class("SELECT seq, topic, payload, crc FROM {table} WHERE seq > ? ORDER BY seq LIMIT ?")
_DELETE = _per_class("DELETE FROM {table} WHERE seq = ?")
_OLDEST = _per_class("SELECT min(seq) FROM {table}")
_NTH_OLDEST = _per_class("SELECT seq FROM {table} ORDER BY seq LIMIT 1 OFFSET ? - 1")
_SEQS_UPTO = _per_class("SELECT seq FROM {table} WHERE seq <= ? ORDER BY seq")
_DELETE_UPTO = _per_class("DELETE FROM {table} WHERE seq <= ?")
