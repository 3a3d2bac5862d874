"""What the outbox gave up for want of space: which numbers, of which class, and how many since the file was made."""

import logging
import sqlite3
from collections.abc import Iterable

from edge.outbox_rows import CLASSES, DropRange, EventClass, join_touching

log = logging.getLogger(__name__)
MANY = 4096
"""Beyond so many ranges neighbours of different classes become one: between two ranges there is then a row at least, so that
what declares the drops can never fill the file by itself."""


class Drops:
    """The declared drops, in the outbox's own transactions.

    Args:
        counts: by class, since the file was made.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        known = dict(db.execute("SELECT key, value FROM meta WHERE key GLOB 'dropped_*'"))
        self.counts: dict[EventClass, int] = {each: int(known[_key(each)]) for each in CLASSES}
        self._before = int(known["dropped_events"]) - sum(
            self.counts.values()
        )  # by a version that did not tell classes
        self._ranges = db.execute("SELECT count(*) FROM dropped").fetchone()[0]
        self._many = max(MANY, 2 * self._ranges)

    @property
    def total(self) -> int:
        """Of all classes."""
        return self._before + sum(self.counts.values())

    def declare(self, drops: Iterable[DropRange]) -> None:
        """These will never be sent."""
        changed: set[EventClass] = set()
        for drop in drops:
            self._add(drop)
            self._count(drop)
            changed.add(drop.event_class)
        if self._ranges > self._many:
            self._join()
        for event_class in changed:
            self._db.execute(
                "UPDATE meta SET value = ? WHERE key = ?", (str(self.counts[event_class]), _key(event_class))
            )
        if changed:
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'dropped_events'", (str(self.total),))

    def declare_again(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Numbers that a server restored from its backup lacks, and that are long gone here: no new loss, so not counted."""
        values = [(first, last) for first, last in ranges]
        self._db.executemany("INSERT OR REPLACE INTO dropped VALUES (?, ?, 'A')", values)
        self._ranges += len(values)

    def after(self, seq: int) -> list[DropRange]:
        """Ranges that end above `seq`, in order."""
        rows = self._db.execute("SELECT first, last, class FROM dropped WHERE last > ? ORDER BY first", (seq,))
        return [DropRange(*row) for row in rows]

    def forget(self, upto: int) -> None:
        """The server has known of these for long."""
        self._ranges -= self._db.execute("DELETE FROM dropped WHERE last <= ?", (upto,)).rowcount

    def remembered(self) -> tuple[dict[EventClass, int], int, int]:
        """What is kept in memory, for `recall` after a transaction that failed."""
        return dict(self.counts), self._ranges, self._many

    def recall(self, remembered: tuple[dict[EventClass, int], int, int]) -> None:
        """As it was."""
        self.counts, self._ranges, self._many = remembered

    def _add(self, drop: DropRange) -> None:
        previous = "SELECT first FROM dropped WHERE last = ? AND class = ?"
        row = self._db.execute(previous, (drop.first - 1, drop.event_class)).fetchone()
        self._ranges += row is None
        first = drop.first if row is None else row[0]
        self._db.execute("INSERT OR REPLACE INTO dropped VALUES (?, ?, ?)", (first, drop.last, drop.event_class))

    def _count(self, drop: DropRange) -> None:
        before = self.counts[drop.event_class]
        self.counts[drop.event_class] = now = before + len(drop)
        if before.bit_length() != now.bit_length():  # a full outbox drops all the time
            log.warning("outbox: %s events of class %s given up so far", now, drop.event_class)

    def _join(self) -> None:
        joined = join_touching(self.after(0))
        self._db.execute("DELETE FROM dropped")
        values = [(each.first, each.last, each.event_class) for each in joined]
        self._db.executemany("INSERT INTO dropped VALUES (?, ?, ?)", values)
        self._ranges = len(joined)
        self._many = max(MANY, 2 * self._ranges)


def _key(event_class: EventClass) -> str:
    return f"dropped_{event_class.lower()}"
