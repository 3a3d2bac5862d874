"""The outbox on disk: one SQLite file, WAL and `synchronous=FULL`, so that what is committed survives a power cut.

Rows live in one table per class, in the order of `seq`.  Every seq up to `last_seq` is a row, a declared drop, or was
deleted after the server acknowledged it, 48 h later or when room was needed.  Nothing here is asynchronous; `edge.outbox`
calls it from its one thread.
"""

import logging
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from broker_config.file_traces import DatabaseBytes
from edge import outbox_sql as sql
from edge.outbox_drops import Drops
from edge.outbox_erasure import VisitRow, cut_log, erase_salvaged, read_visits, remove_aside
from edge.outbox_file import SET_STATE, open_outbox
from edge.outbox_index import LostRange
from edge.outbox_mark import Mark, MarkFile
from edge.outbox_room import SHARES, Room, quota_pages
from edge.outbox_rows import CLASSES, DropRange, EventClass, Row, as_ranges, fits
from edge.outbox_salvage import quarantined
from edge.outbox_saved import lose_saved, read_saved, saved_generations
from edge.outbox_sums import row_sum, state_sum
from edge.runs import Run, Runs

log = logging.getLogger(__name__)

KEEP_ACKED_NS = 48 * 3600 * 1_000_000_000
ACK_MARK_EVERY_NS = 60 * 1_000_000_000
KEEP_RUNS = 100  # also without a row: an old backup of the server may lack what they said
LOCK_WAIT_S = 5.0  # an agent that is just stopping may still hold the file


class OutboxStore:
    """The file and its transactions.

    Args:
        lock_wait_s: how long another process may hold it.
        quota_bytes: the file's limit; beyond it the oldest rows of the least class are dropped and declared.
        shares: of it, what each class may take at most.
    """

    def __init__(
        self,
        path: Path,
        quota_bytes: int,
        lock_wait_s: float = LOCK_WAIT_S,
        shares: Mapping[EventClass, float] = SHARES,
    ) -> None:
        quota = quota_pages(quota_bytes)
        self._db = open_outbox(path, quota, lock_wait_s)
        self._bytes = DatabaseBytes(path)
        self.quarantined = quarantined(path)
        self.generation = self._meta("generation")
        self.last_seq = int(self._meta("last_seq"))
        self.acked_upto = int(self._meta("acked_upto"))
        self.damaged_events = 0
        self.saved_generations = saved_generations(self._db)
        self._sums_from = int(self._meta("sums_from"))
        self._drops = Drops(self._db)
        self.room = Room(self._db, path, quota, shares, self.acked_upto)
        self._unsaved_runs: list[Run] = []
        self._run = Run(0, self.generation)
        self._commits = int(self._meta("commits"))
        self._mark = MarkFile(path)

    @property
    def dropped_events(self) -> int:
        """Events given up since the file was made, of all classes."""
        return self._drops.total

    @property
    def dropped_by_class(self) -> dict[EventClass, int]:
        """The same by class."""
        return dict(self._drops.counts)

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
        self._run = runs[-1]
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
        with self._transaction():
            kept = self.room.make([row for row in rows if fits(row)], self.acked_upto, self._drops)
            for event_class in CLASSES:
                values = [
                    (row.seq, row.topic, row.payload, row_sum(row.seq, event_class, row.topic, row.payload))
                    for row in kept
                    if row.event_class == event_class
                ]
                self._db.executemany(sql.INSERT[event_class], values)
            if len(kept) < len(rows):
                stored = {row.seq for row in kept}
                drops += as_ranges(row for row in rows if row.seq not in stored)
            self._drops.declare(drops)
            self._db.executemany(SET_STATE, [(k, v, state_sum(k, v)) for k, v in state.items()])
            runs = [(run.base, run.generation) for run in self._unsaved_runs]
            self._db.executemany("INSERT OR REPLACE INTO run VALUES (?, ?)", runs)
            self._set("last_seq", last_seq)
            self._set("acked_upto", self.acked_upto)
            self._set("commits", self._commits + 1)
        self.last_seq, self._unsaved_runs = last_seq, []
        self._commits += 1
        with suppress(OSError):  # it is a help, no more
            self._mark.write(Mark(self.generation, self._run.generation, self._run.base, last_seq, self._commits))
        return kept

    def rows_after(self, seq: int, limit: int) -> list[Row]:
        """The next rows above `seq` in order, acknowledged or not.  One whose checksum is wrong is dropped and declared."""
        while True:
            rows: list[Row] = []
            bad: list[Row] = []
            for number, event_class, topic, payload, kept_sum in self._db.execute(sql.AFTER, (seq, limit)):
                row = Row(number, event_class, topic, payload)
                (rows if self._is_right(row, kept_sum) else bad).append(row)
            if not bad:
                return rows
            self._drop_damaged(bad)

    def salvaged_after(self, number: int, limit: int) -> list[tuple[int, str, bytes]]:
        """Events saved from a damaged file: their number there, topic and payload.  Those damaged since are declared as lost."""
        while True:
            rows, bad = read_saved(self._db, number, limit)
            if not bad:
                return rows
            with self._transaction():
                lose_saved(self._db, bad)
            self.damaged_events += len(bad)

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
        return self._drops.after(self.acked_upto)

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
        if last_mark is not None and last_mark > now_ns:  # a clock that was ahead would keep everything for as long
            self._db.execute("DELETE FROM ack_mark WHERE at_ns > ?", (now_ns,))
            last_mark = None
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
                self.room.delete_upto(event_class, min(upto, self.acked_upto))
            self._drops.forget(min(upto, self.acked_upto))
            self._db.execute("DELETE FROM ack_mark WHERE upto < ?", (upto,))
            gone, newest = (
                "SELECT max(base) FROM run WHERE base <= ?",
                "SELECT base FROM run ORDER BY base DESC LIMIT ?",
            )
            forget = f"DELETE FROM run WHERE base < ({gone}) AND base NOT IN ({newest})"  # noqa: S608 - ours
            self._db.execute(forget, (min(upto, self.acked_upto), KEEP_RUNS))

    def visit_rows(self, after: int, seal_key: bytes, *, salvaged: bool) -> list[VisitRow]:
        """The next few stored events of visits above that number, their own or salvaged."""
        return read_visits(self._db, after, seal_key, salvaged=salvaged)

    def erase(self, rows: Sequence[VisitRow]) -> int:
        """Delete these rows and declare them as dropped; how many the server had not acknowledged."""
        own = sorted(row.number for row in rows if not row.salvaged)
        with self._transaction():
            deleted = self.room.delete_each("A", own)
            unsent = [Row(seq, "A", "", b"") for seq in deleted if seq > self.acked_upto]
            self._drops.declare(as_ranges(unsent))
            salvaged = erase_salvaged(self._db, [row.number for row in rows if row.salvaged])
        return len(unsent) + salvaged

    def leave_no_trace(self, needles: Sequence[bytes]) -> None:
        """See that these bytes are in no file: the log cut off, what was set aside removed, the file written anew if need be."""
        self.quarantined = remove_aside(self.quarantined)
        cut_log(self._db)
        if needles and self._bytes.holds(needles):
            self._db.execute("VACUUM")
            cut_log(self._db)

    def close(self) -> None:
        """Write the last acknowledgement, where there is room for it, and close the file."""
        with suppress(sqlite3.OperationalError):
            self._set("acked_upto", self.acked_upto)
        self._db.close()
        self._bytes.close()
        self._mark.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, in memory as well, and never left open."""
        before = self._drops.remembered(), self.room.remembered()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._drops.recall(before[0])
            self.room.recall(before[1])
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _server_fell_back(self, upto: int) -> None:
        """Declare what the server lacks and we have deleted since; the rest is sent again."""
        log.warning("the server acknowledged event %s, now only %s: sending again what is kept", self.acked_upto, upto)
        self._db.execute("DELETE FROM ack_mark WHERE upto > ?", (upto,))
        gaps: list[tuple[int, int]] = []
        before = upto
        for first, last in [*self._db.execute(sql.COVERED, (upto,)), (self.last_seq + 1, self.last_seq + 1)]:
            if first > before + 1:
                gaps.append((before + 1, first - 1))
            before = max(before, last)
        self._drops.declare_again(gaps)

    def _is_right(self, row: Row, kept_sum: object) -> bool:
        """Whether a row is as it was stored.  SQLite gives a value the type that the row says; a flipped bit may say another."""
        if type(row.payload) is not bytes or type(row.topic) is not str:
            return False
        if kept_sum is None:
            return row.seq <= self._sums_from
        return kept_sum == row_sum(row.seq, row.event_class, row.topic, row.payload)

    def _drop_damaged(self, bad: Sequence[Row]) -> None:
        log.error("outbox: %s events are damaged, and declared as dropped", len(bad))
        with self._transaction():
            for row in bad:
                self.room.delete(row)
            self._drops.declare(as_ranges(bad))
        self.damaged_events += len(bad)

    def _meta(self, key: str) -> str:
        return str(self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0])

    def _set(self, key: str, value: int) -> None:
        self._db.execute("UPDATE meta SET value = ? WHERE key = ?", (str(value), key))
