"""What has been handed to the outbox and is not on its disk yet: a moment's worth, or all of it while the disk is full.

Whole calls are committed together, their events with the state that these change.  While the disk refuses, what is
waiting stays in memory up to a limit; beyond it the least class goes first, oldest first, to be declared once the disk
is back.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from edge.outbox_room import ROW_BYTES
from edge.outbox_rows import CLASSES, DropRange, Row, as_ranges, join_ranges

BATCH_ROWS, BATCH_BYTES = 1000, 512 << 10
"""One transaction, so that the log beside the file stays small."""
HOLD_BYTES = 16 << 20


@dataclass(slots=True)
class Batch:
    """What goes into one transaction.

    Args:
        drops: given up before, declared now.
        calls: how many handings-over it makes good.
    """

    rows: list[Row] = field(default_factory=list)
    state: dict[str, bytes] = field(default_factory=dict)
    drops: list[DropRange] = field(default_factory=list)
    calls: int = 0


class Queue:
    """Rows and states in the order in which they were handed over.

    Args:
        handed, done: calls so far, and those of them that are on the disk.
    """

    def __init__(self, hold_bytes: int = HOLD_BYTES) -> None:
        self.handed = self.done = 0
        self._hold_bytes = hold_bytes
        self._calls: deque[Batch] = deque()
        self._lost: list[DropRange] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def put(self, rows: list[Row], state: Mapping[str, bytes]) -> None:
        """Hand over; the rows' seqs follow on those before."""
        self.handed += 1
        self._calls.append(Batch(rows, dict(state), calls=1))

    def take(self) -> Batch:
        """The oldest calls, as many as go into one transaction."""
        batch, size = Batch(), 0
        while self._calls and (not batch.calls or (len(batch.rows) < BATCH_ROWS and size < BATCH_BYTES)):
            call = self._calls.popleft()
            batch.rows += call.rows
            batch.state |= call.state
            batch.calls += call.calls
            size += _bytes_of(call.rows)
        waiting = next((call.rows[0].seq for call in self._calls if call.rows), None)
        batch.drops = [drop for drop in self._lost if waiting is None or drop.last < waiting]
        self._lost = self._lost[len(batch.drops) :]
        return batch

    def settle(self, batch: Batch) -> None:
        """It is on the disk."""
        self.done += batch.calls

    def put_back(self, batch: Batch) -> None:
        """The disk refused it: it goes first again, but for what is too much to hold."""
        self._lost = [*batch.drops, *self._lost]
        self._calls.appendleft(Batch(batch.rows, batch.state, calls=batch.calls))
        excess = sum(_bytes_of(call.rows) for call in self._calls) - self._hold_bytes
        if excess > 0:
            self._give_up(excess)

    @property
    def rows(self) -> int:
        """Events that are not on the disk yet."""
        return sum(len(call.rows) for call in self._calls)

    def _give_up(self, excess: int) -> None:
        given_up: list[Row] = []
        for event_class in reversed(CLASSES):
            for call in self._calls:
                kept: list[Row] = []
                for row in call.rows:
                    goes = excess > 0 and row.event_class == event_class
                    (given_up if goes else kept).append(row)
                    excess -= _bytes_of([row]) if goes else 0
                call.rows = kept
        ranges = [*self._lost, *as_ranges(sorted(given_up, key=lambda row: row.seq))]
        self._lost = join_ranges(sorted(ranges, key=lambda drop: drop.first))


def _bytes_of(rows: Iterable[Row]) -> int:
    return sum(len(row.payload) + len(row.topic) + ROW_BYTES for row in rows)
