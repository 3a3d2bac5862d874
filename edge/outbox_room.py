"""How much room the outbox has: its quota, of it a share per class, and what the disk has left; and how room is made.

Acknowledged rows go first, then the oldest of the least class.  A class beyond its own share makes room among itself, so
that a flood of goods takes neither the place of members' events nor the two days for which acknowledged ones are kept.
"""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge import outbox_sql as sql
from edge.outbox_drops import Drops
from edge.outbox_rows import CLASSES, EventClass, Row, as_ranges

PAGE_BYTES = 4096
MIN_QUOTA_PAGES = 64
SPARE_PAGES = 16  # what SQLite needs beside the rows: inner pages of the trees, the small tables
DROP_ROWS = 64  # rows given up at a time, or fewer of few
DROP_PART = 20
ROW_BYTES = 32  # a row's own, beside its topic and payload
MIN_WAL_PAGES, MAX_WAL_PAGES = 64, 1000
SHARES: Mapping[EventClass, float] = {"A": 1.0, "B": 0.6, "C": 0.1}
"""Of the quota, at most.  What B and C do not take is A's, and what they do take is dropped where A needs it."""


def quota_pages(quota_bytes: int) -> int:
    """A quota in pages; less than a minimum would hold nothing."""
    return max(quota_bytes // PAGE_BYTES, MIN_QUOTA_PAGES)


def wal_pages(quota: int, folder: Path) -> int:
    """The log is written back to the file beyond this: a part of the quota, or of what the disk has, so that both fit on it."""
    disk = os.statvfs(folder)
    fitting = min(quota, disk.f_bavail * disk.f_frsize // PAGE_BYTES // 2)
    return min(max(fitting // 4, MIN_WAL_PAGES), MAX_WAL_PAGES)


class Room:
    """The space of one outbox file.

    Args:
        quota: pages of the file, at most.
        acked_upto: of what is there, how far the server has acknowledged it.
    """

    def __init__(
        self, db: sqlite3.Connection, path: Path, quota: int, shares: Mapping[EventClass, float], acked_upto: int
    ) -> None:
        self._db, self._folder, self._quota = db, path.parent, quota
        self._most_bytes = {each: round(quota * PAGE_BYTES * shares[each]) for each in CLASSES}
        # The log may grow, and be written back to pages that the file does not have yet.
        self._reserve_bytes = (2 * self._pragma("wal_autocheckpoint") + SPARE_PAGES) * PAGE_BYTES
        self.rows: dict[EventClass, int] = {}
        self.bytes: dict[EventClass, int] = {}
        self.unacked = 0
        for each in CLASSES:
            count, size, unacked = db.execute(sql.SIZE[each], (acked_upto,)).fetchone()
            self.rows[each], self.bytes[each] = count, int(size) + count * ROW_BYTES
            self.unacked += int(unacked)

    def make(self, rows: Sequence[Row], acked_upto: int, drops: Drops) -> list[Row]:
        """Free pages for `rows`, and return those that then fit; what goes for them is declared, what does not fit is not."""
        kept = list(rows)
        for event_class in ("C", "B"):
            kept = self._keep_to_share(event_class, kept, acked_upto, drops)
        while kept and self._free_pages() < _pages_for(kept):
            if self._delete_acked(CLASSES, acked_upto):
                continue
            least = max([row.event_class for row in kept] + [each for each in CLASSES if self.rows[each]])
            if self.rows[least]:
                self._drop_oldest(least, drops)
            else:
                kept.remove(next(row for row in kept if row.event_class == least))
        for row in kept:
            self.rows[row.event_class] += 1
            self.bytes[row.event_class] += _bytes_of(row)
        return kept

    def delete_upto(self, event_class: EventClass, upto: int) -> int:
        """Delete a class's rows up to a number; how many there were."""
        count, size = self._db.execute(sql.SIZE_UPTO[event_class], (upto,)).fetchone()
        if count:
            self._db.execute(sql.DELETE_UPTO[event_class], (upto,))
            self.rows[event_class] -= count
            self.bytes[event_class] -= int(size) + count * ROW_BYTES
        return int(count)

    def delete(self, row: Row) -> None:
        """Delete a row of which nothing can be believed, its size neither."""
        self._db.execute(sql.DELETE[row.event_class], (row.seq,))
        self.rows[row.event_class] -= 1

    def delete_each(self, event_class: EventClass, seqs: Sequence[int]) -> list[int]:
        """Delete these rows of a class; those that were still there."""
        deleted: list[int] = []
        for seq in seqs:
            found = self._db.execute(sql.SIZE_OF[event_class], (seq,)).fetchone()
            if found is not None:
                self._db.execute(sql.DELETE[event_class], (seq,))
                self.rows[event_class] -= 1
                self.bytes[event_class] -= found[0] + ROW_BYTES
                deleted.append(seq)
        return deleted

    def filled(self, waiting: int) -> float:
        """The share of what there is room for that unacknowledged events take, in the fullest class or all together.

        Those that are acknowledged make room when it is needed.
        """
        rows = sum(self.rows.values())
        shares = [self.bytes[each] / self._most_bytes[each] for each in CLASSES]
        whole = self._used_pages() / max(self._most_pages() - SPARE_PAGES, 1)
        return min(1.0, max(whole, *shares) * min(1.0, waiting / rows)) if rows else 0.0

    def disk_filled(self) -> float:
        """The share of the disk that is taken, as `df` counts it."""
        disk = os.statvfs(self._folder)
        taken = disk.f_blocks - disk.f_bfree
        return taken / max(taken + disk.f_bavail, 1)

    def disk_is_short(self) -> bool:
        """Whether the disk will be full before the outbox has had its quota."""
        return self._most_pages() < self._quota

    def remembered(self) -> tuple[dict[EventClass, int], dict[EventClass, int]]:
        """What is kept in memory, for `recall` after a transaction that failed."""
        return dict(self.rows), dict(self.bytes)

    def recall(self, remembered: tuple[dict[EventClass, int], dict[EventClass, int]]) -> None:
        """As it was."""
        self.rows, self.bytes = remembered

    def _keep_to_share(self, event_class: EventClass, rows: list[Row], acked_upto: int, drops: Drops) -> list[Row]:
        mine = [row for row in rows if row.event_class == event_class]
        wanted, most = sum(map(_bytes_of, mine)), self._most_bytes[event_class]
        while mine and self.bytes[event_class] + wanted > most:
            if self._delete_acked([event_class], acked_upto):
                continue
            if self.rows[event_class]:
                self._drop_oldest(event_class, drops)
            else:
                wanted -= _bytes_of(mine[0])
                rows.remove(mine.pop(0))
        return rows

    def _delete_acked(self, classes: Sequence[EventClass], acked_upto: int) -> bool:
        """Delete the oldest acknowledged rows before their time, these classes alike; whether there were any."""
        limits = [self._db.execute(sql.NTH_OLDEST[each], (self._some(each),)).fetchone() for each in classes]
        upto = min([acked_upto, *(limit[0] for limit in limits if limit is not None)])
        return sum(self.delete_upto(each, upto) for each in classes) > 0

    def _drop_oldest(self, event_class: EventClass, drops: Drops) -> None:
        upto = self._db.execute(sql.NTH_OLDEST[event_class], (self._some(event_class),)).fetchone()[0]
        gone = self._db.execute(sql.SEQS_UPTO[event_class], (upto,)).fetchall()
        self.delete_upto(event_class, upto)
        drops.declare(as_ranges(Row(seq, event_class, "", b"") for (seq,) in gone))

    def _some(self, event_class: EventClass) -> int:
        """How many of its rows go at a time: enough to be worth it, and no great part of them."""
        return min(DROP_ROWS, 1 + self.rows[event_class] // DROP_PART)

    def _free_pages(self) -> int:
        return self._most_pages() - self._used_pages() - SPARE_PAGES

    def _used_pages(self) -> int:
        return self._pragma("page_count") - self._pragma("freelist_count")

    def _most_pages(self) -> int:
        """The quota, or less where the disk does not have that: what it lacks must not be found out in the middle of a write."""
        disk = os.statvfs(self._folder)
        growth = max(0, disk.f_bavail * disk.f_frsize - self._reserve_bytes) // PAGE_BYTES
        return min(self._quota, self._pragma("page_count") + growth)

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])


def _bytes_of(row: Row) -> int:
    return len(row.payload) + len(row.topic) + ROW_BYTES


def _pages_for(rows: Sequence[Row]) -> int:
    # Half-filled leaves are what ascending inserts leave at worst.
    return 1 + 2 * sum(map(_bytes_of, rows)) // PAGE_BYTES
