"""What is sent when: live first, the backlog in order, again what the server lacks, and never a deadlock."""

from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.delivery import (
    BUSY_LIVE,
    MAX_BACKLOG,
    MAX_LIVE,
    MAX_PATIENCE_S,
    MIN_BACKLOG,
    PATIENCE_S,
    RESEND_MISSING_S,
    Delivery,
)
from edge.outbox_rows import Row
from edge.runs import Word


def rows(first: int, last: int) -> list[Row]:
    return [Row(seq, "B", "t", b"") for seq in range(first, last + 1)]


def live(delivery: Delivery) -> list[int]:
    sent = []
    while (row := delivery.next_live()) is not None:
        sent.append(row.seq)
    return sent


def backlog(delivery: Delivery, stored: list[Row], now_s: float, chunk: int = 50) -> list[int]:
    """Drain the backlog as far as it may be sent."""
    sent: list[int] = []
    while delivery.may_send_backlog():
        after = delivery.cursor
        found = [row for row in stored if row.seq > after][:chunk]
        sent += [row.seq for row in delivery.take_backlog(after, found, chunk, now_s)]
    return sent


def test_nothing_is_live_without_a_link_and_all_of_it_is_backlog_after() -> None:
    delivery = Delivery()
    delivery.committed(rows(1, 5), 0)
    assert live(delivery) == []
    delivery.link_up(2, 1)
    assert backlog(delivery, rows(1, 5), 1) == [3, 4, 5]


def test_live_events_do_not_wait_for_the_backlog_and_are_not_sent_twice() -> None:
    delivery = Delivery()
    delivery.link_up(0, 0)
    delivery.committed(rows(101, 103), 0)
    assert live(delivery) == [101, 102, 103]
    assert backlog(delivery, rows(1, 103), 0) == list(range(1, 101))


def test_a_gap_the_server_names_is_sent_again_once_it_cannot_be_under_way() -> None:
    delivery = Delivery()
    delivery.link_up(0, 0)
    backlog(delivery, [], 0)
    delivery.committed(rows(1, 9), 0)
    live(delivery)
    word = Word(2, ((5, 6), (8, 9)), ((3, 4), (7, 7)))
    delivery.acknowledged(word, RESEND_MISSING_S / 2)
    assert backlog(delivery, rows(1, 9), 0.5) == []
    delivery.acknowledged(word, RESEND_MISSING_S)
    assert backlog(delivery, rows(1, 9), 1) == [3, 4, 7]
    assert delivery.resent == 3


def test_without_progress_everything_is_sent_again_ever_more_rarely() -> None:
    delivery = Delivery()
    delivery.link_up(0, 0)
    stored = rows(1, 3)
    assert backlog(delivery, stored, 0) == [1, 2, 3]
    now_s, patience = 0.0, PATIENCE_S
    for _ in range(8):
        assert not delivery.check_overdue(now_s + patience - 0.01)
        now_s += patience
        assert delivery.check_overdue(now_s)
        assert backlog(delivery, stored, now_s) == [1, 2, 3]
        patience = min(2 * patience, MAX_PATIENCE_S)


def test_patience_begins_when_something_waits_not_when_the_link_came_up() -> None:
    delivery = Delivery()
    delivery.link_up(0, 0)
    backlog(delivery, [], 0)
    delivery.committed(rows(1, 1), 100)
    live(delivery)
    assert not delivery.check_overdue(100 + PATIENCE_S - 0.01)
    assert delivery.check_overdue(100 + PATIENCE_S)


def test_all_acknowledged_is_never_overdue() -> None:
    delivery = Delivery()
    delivery.link_up(0, 0)
    delivery.committed(rows(1, 3), 0)
    live(delivery)
    delivery.acknowledged(Word(3), 1)
    assert not delivery.check_overdue(1e9)


def test_a_server_that_lost_data_gets_it_again() -> None:
    delivery = Delivery()
    delivery.link_up(9, 0)
    delivery.acknowledged(Word(4), 1)
    assert backlog(delivery, rows(1, 9), 1) == [5, 6, 7, 8, 9]


def test_a_silent_server_bounds_what_is_sent() -> None:
    delivery = Delivery()
    delivery.link_up(0, 0)
    sent = 0
    for seq in range(1, 5001):
        delivery.committed(rows(seq, seq), 0)
        sent += len(live(delivery))
    assert sent == MAX_LIVE
    sent += len(backlog(delivery, rows(1, 5000), 0))
    assert MAX_LIVE < sent <= MAX_LIVE + MAX_BACKLOG + 50


def test_a_live_event_does_not_wait_behind_a_backlog_that_the_server_is_slow_to_take() -> None:
    delivery, stored = Delivery(), rows(1, 9000)
    delivery.link_up(0, 0)
    for turn in range(1, 6):
        backlog(delivery, stored, turn)
        delivery.committed(rows(9000 + turn, 9000 + turn), turn)
        assert live(delivery) == [9000 + turn]
        delivery.acknowledged(Word(100 * turn), turn)


def test_what_was_too_much_to_be_live_is_sent_though_more_keeps_coming() -> None:
    delivery, stored = Delivery(), rows(1, MAX_LIVE)
    delivery.link_up(0, 0)
    assert backlog(delivery, [], 0) == []
    delivery.committed(stored, 0)
    assert len(live(delivery)) == MAX_LIVE
    sent: list[int] = []
    for seq in range(MAX_LIVE + 1, MAX_LIVE + 100):
        stored += rows(seq, seq)
        delivery.committed(stored[-1:], 0)
        after = delivery.cursor
        fetched = [row for row in stored if row.seq > after][:50]
        sent += [row.seq for row in delivery.take_backlog(after, fetched, 50, 0)]
    assert sent


def test_rows_fetched_before_the_cursor_was_put_back_are_not_skipped_over() -> None:
    delivery = Delivery()
    delivery.link_up(0, 0)
    fetched = rows(1, 50)
    delivery.take_backlog(0, fetched, 50, 0)
    delivery.acknowledged(Word(0, ((3, 50),), ((1, 2),)), RESEND_MISSING_S)
    assert delivery.take_backlog(50, rows(51, 60), 50, 1) == []
    assert backlog(delivery, rows(1, 60), 1) == [1, 2, *range(51, 61)]


LISTED = 5


@dataclass
class Server:
    """Takes what arrives, acknowledges as the contract says."""

    seen: set[int] = field(default_factory=set)
    upto: int = 0

    def take(self, seqs: list[int]) -> None:
        self.seen |= set(seqs)
        while self.upto + 1 in self.seen:
            self.upto += 1

    def word(self) -> Word:
        """What it holds above `upto`, and what it lacks in between; the lowest gaps only."""
        held: list[tuple[int, int]] = []
        for seq in sorted(each for each in self.seen if each > self.upto):
            held.append((held.pop()[0] if held and held[-1][1] == seq - 1 else seq, seq))
        lows = [self.upto, *(last for _, last in held)]
        missing = [(low + 1, first - 1) for low, (first, _) in zip(lows, held, strict=False)]
        return Word(self.upto, tuple(held[:LISTED]), tuple(missing[:LISTED]))

    def restore(self, seen: set[int]) -> None:
        """It is given back what it held a while ago."""
        self.seen, self.upto = seen & self.seen, 0
        self.take([])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), loss=st.floats(0, 0.6), ack_loss=st.floats(0, 0.6))
def test_whatever_is_lost_on_the_way_everything_arrives_in_the_end(seed: int, loss: float, ack_loss: float) -> None:
    chance, delivery, server, stored = Random(seed), Delivery(), Server(), rows(1, 30)
    delivery.link_up(0, 0)
    now_s = 0.0
    for _ in range(400):
        now_s += chance.uniform(0.05, 1.0)
        if len(stored) < 120 and chance.random() < 0.5:
            fresh = rows(len(stored) + 1, len(stored) + chance.randrange(1, 6))
            stored += fresh
            delivery.committed(fresh, now_s)
        if chance.random() < 0.05:
            delivery.link_down()
            delivery.link_up(server.upto, now_s)
        delivery.check_overdue(now_s)
        sent = live(delivery) + backlog(delivery, stored, now_s, chunk=7)
        server.take([seq for seq in sent if chance.random() >= loss])
        if chance.random() < 0.02:
            server.restore(set(chance.sample(sorted(server.seen), len(server.seen) // 2)))
        if chance.random() >= ack_loss:
            delivery.acknowledged(server.word(), now_s)
    for _ in range(40):
        now_s += MAX_PATIENCE_S
        delivery.check_overdue(now_s)
        server.take(live(delivery) + backlog(delivery, stored, now_s, chunk=7))
        delivery.acknowledged(server.word(), now_s)
    assert server.upto == len(stored)


def test_live_events_go_out_at_once_though_a_long_backlog_is_under_way() -> None:
    delivery, stored = Delivery(), rows(1, 10 * MAX_LIVE)
    delivery.link_up(0, 0)
    taken: list[int] = []
    for turn in range(1, 3 * MAX_LIVE):
        taken += backlog(delivery, stored, turn)[:1]
        seq = len(stored) + turn
        delivery.committed(rows(seq, seq), turn)
        assert live(delivery) == [seq], "it became backlog itself"
        delivery.acknowledged(Word(turn, ((len(stored) + 1, seq),), ((turn + 1, len(stored)),)), turn)


def test_what_the_server_holds_above_a_gap_is_not_sent_again_with_the_backlog() -> None:
    delivery = Delivery()
    delivery.link_up(0, 0)
    delivery.committed(rows(101, 103), 0)
    live(delivery)
    delivery.acknowledged(Word(0, ((101, 103),), ((1, 100),)), 0.1)
    assert backlog(delivery, rows(1, 103), 0.2) == list(range(1, 101))


def test_the_backlog_makes_room_for_live_events_when_the_server_is_slow() -> None:
    delivery, stored = Delivery(), rows(1, 5000)
    delivery.link_up(0, 0)
    assert len(backlog(delivery, stored, 0, chunk=10)) == MAX_BACKLOG
    delivery.committed(rows(5001, 5000 + BUSY_LIVE), 0)
    assert len(live(delivery)) == BUSY_LIVE
    delivery.acknowledged(Word(MAX_BACKLOG), 0.1)
    assert len(backlog(delivery, stored, 0.1, chunk=10)) == MIN_BACKLOG, "it goes on, a little"
    delivery.acknowledged(Word(MAX_BACKLOG, ((5001, 5000 + BUSY_LIVE),)), 0.2)
    assert len(backlog(delivery, stored, 0.2, chunk=10)) == MAX_BACKLOG - MIN_BACKLOG


def test_what_the_server_held_above_a_gap_and_has_lost_is_sent_again_at_once() -> None:
    delivery = Delivery()
    delivery.link_up(0, 0)
    backlog(delivery, [], 0)
    delivery.committed(rows(1, 4), 0)
    live(delivery)
    delivery.acknowledged(Word(1, ((3, 4),), ((2, 2),)), 0.1)
    assert backlog(delivery, rows(1, 4), 0.1) == []
    delivery.acknowledged(Word(1, ((4, 4),), ((2, 3),)), 0.2)
    assert backlog(delivery, rows(1, 4), 0.2) == [3], "2 may still be under way"
