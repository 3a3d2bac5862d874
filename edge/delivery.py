"""Which events to send next: live ones at once, a backlog in order and paced, again what the server misses.

Pure logic with injected monotonic seconds; `edge.uplink` does the sending.  A broker's acknowledgement counts for nothing
here: only the server's word after its commit moves the cursor.
"""

from collections import deque
from collections.abc import Sequence

from edge.outbox_rows import Row
from edge.runs import FAR, Range, Word, index_of

IN_FLIGHT = 200  # published, not yet acknowledged by the broker
MAX_LIVE = 1000  # live events sent or waiting, not acknowledged by the server: beyond it they join the backlog
MAX_BACKLOG = 400  # of the backlog likewise: beyond it the rest waits, so that a live event is soon the server's next
BUSY_LIVE = 250  # live events under way at which the backlog all but stops: the server or the line is slow
MIN_BACKLOG = 20  # it never stops altogether, or a line of long delay would never drain it
RESEND_MISSING_S = 1.0  # a gap younger than this may still be under way
PATIENCE_S = 5.0  # without progress for so long, everything unacknowledged is sent again
MAX_PATIENCE_S = 60.0


class Delivery:
    """The state of sending one outbox over one connection after another."""

    def __init__(self) -> None:
        self.connected = False
        self.backlog_due = False
        self.resent = 0
        self._live: deque[Row] = deque()
        self._sent_at_s: dict[int, float] = {}  # by seq, in the order of sending
        self._sent_live: set[int] = set()  # those of them that did not come from the backlog
        self._cursor = 0
        self._acked_upto = 0
        self._held: tuple[Range, ...] = ()  # above that
        self._progress_s = 0.0
        self._patience_s = PATIENCE_S

    @property
    def cursor(self) -> int:
        """The backlog has been looked through up to this seq."""
        return self._cursor

    @property
    def held(self) -> tuple[Range, ...]:
        """What the server holds above the contiguous part, as last heard."""
        return self._held

    def link_up(self, acked_upto: int, now_s: float) -> None:
        """A connection stands: everything unacknowledged is due."""
        self.connected, self._acked_upto = True, acked_upto
        self._patience_s = PATIENCE_S
        self.start_over(now_s)

    def link_down(self) -> None:
        """Nothing is sent until the next `link_up`."""
        self.connected = self.backlog_due = False
        self._forget_sent()

    def committed(self, rows: Sequence[Row], now_s: float) -> None:
        """Rows just committed: live while there is room, else backlog."""
        if not self.connected:
            return
        if not self._sent_at_s:
            self._progress_s = now_s  # patience begins with the first that waits
        for row in rows:
            if len(self._sent_live) >= MAX_LIVE:
                self._cursor, self.backlog_due = min(self._cursor, row.seq - 1), True
                return
            self._live.append(row)
            self._sent_at_s[row.seq] = now_s
            self._sent_live.add(row.seq)

    def next_live(self) -> Row | None:
        """The oldest live event that waits."""
        return self._live.popleft() if self._live else None

    def may_send_backlog(self) -> bool:
        """Whether the backlog is due, and the server not too far behind."""
        return self.connected and self.backlog_due and len(self._sent_at_s) - len(self._sent_live) < self.window

    @property
    def window(self) -> int:
        """How much of the backlog may be under way: the less, the longer live events take."""
        return max(MIN_BACKLOG, MAX_BACKLOG - MAX_BACKLOG * len(self._sent_live) // BUSY_LIVE)

    def take_backlog(self, after: int, rows: Sequence[Row], asked: int, now_s: float) -> list[Row]:
        """Of the `asked` rows above `after`, those to send; fewer rows than asked end the backlog.

        Nothing, when the cursor was put back while the rows were fetched.
        """
        if after != self._cursor or not self.connected:
            return []
        due = [
            row
            for row in rows
            if row.seq > self._acked_upto and row.seq not in self._sent_at_s and index_of(row.seq, self._held) is None
        ]
        for row in due:
            self._sent_at_s[row.seq] = now_s
        if rows:
            self._cursor = rows[-1].seq
        self.backlog_due = len(rows) == asked
        return due

    def acknowledged(self, word: Word, now_s: float) -> None:
        """The server's word: it has everything up to `upto` and what it holds above, and lacks what is missing."""
        fell_back = word.upto < self._acked_upto
        moved = word.upto != self._acked_upto
        self._acked_upto, self._held = word.upto, word.held
        if fell_back:
            self.start_over(now_s)
            return
        stored = [seq for seq in self._sent_at_s if seq <= word.upto or index_of(seq, word.held) is not None]
        if moved or stored:
            self._progress_s, self._patience_s = now_s, PATIENCE_S
        self._forget_each(stored)
        gone = [
            seq
            for seq, sent_s in self._sent_at_s.items()
            if now_s - sent_s >= RESEND_MISSING_S and index_of(seq, word.missing) is not None
        ]
        self._forget_each(gone)
        self.resent += len(gone)
        if gone or self._has_passed(word.missing):
            self._rewind()

    def check_overdue(self, now_s: float) -> bool:
        """Whether patience ended, in which case everything unacknowledged is due again; patience grows each time."""
        if not self.connected or not self._sent_at_s or now_s - self._progress_s < self._patience_s:
            return False
        self.resent += len(self._sent_at_s)
        self._patience_s = min(self._patience_s * 2, MAX_PATIENCE_S)
        self.start_over(now_s)
        return True

    def _has_passed(self, missing: Sequence[Range]) -> bool:
        """Whether something is missing that nobody is about to send: the server held it once, and has lost it."""
        limit = self._cursor if self.backlog_due else FAR
        under_way = [0] * len(missing)
        for seq in self._sent_at_s:
            index = index_of(seq, missing)
            if index is not None and seq <= limit:
                under_way[index] += 1
        spans = zip(missing, under_way, strict=True)
        return any(min(last, limit) - first + 1 > sent for (first, last), sent in spans)

    def start_over(self, now_s: float) -> None:
        """Everything unacknowledged is due again."""
        self._forget_sent()
        self._progress_s = now_s
        self._rewind()

    def _forget_sent(self) -> None:
        self._live.clear()
        self._sent_at_s.clear()
        self._sent_live.clear()

    def _forget_each(self, seqs: Sequence[int]) -> None:
        for seq in seqs:
            del self._sent_at_s[seq]
        self._sent_live.difference_update(seqs)

    def _rewind(self) -> None:
        self._cursor, self.backlog_due = self._acked_upto, True
