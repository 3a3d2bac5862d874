"""One test for each fault that presence must not have, named after what a person would see."""

from dataclasses import replace

import pytest

from edge.presence import Antenna, Layout, PresenceSettings, Tracker, ZoneSettings, ZoneSpec
from tests.hotpath.floor import CARD, EXIT, ITEM, TILL, A, B, S, at, feed, make_tracker, told
from tests.hotpath.store import ALIKE, ITEMS, MEMBERS, MS, OWN, START_NS, to_columns


def test_one_stray_read_arrives_nobody() -> None:
    tracker = make_tracker()
    assert feed(tracker, at(0), at(2), at(4)) == []
    assert tracker.counters.strays_forgotten == 2


def test_two_reads_within_the_window_arrive_with_their_evidence() -> None:
    (event,) = feed(make_tracker(), at(0, dbm=-50), at(1.5, dbm=-54))
    assert told([event]) == [("arrived", A, 1.5)]
    # three quarters of the first read's weight have faded: -50 + (-54 + 50) / (1 + 0.25)
    assert (event.reads, event.rssi_dbm, event.margin_db, event.t_ns) == (2, -53.2, None, START_NS)


def test_a_weak_read_counts_for_nothing() -> None:
    tracker = make_tracker()
    assert feed(tracker, at(0), at(0.5, dbm=-71)) == []
    assert tracker.counters.below_floor == 1


def test_a_till_creates_no_item_but_recognises_a_person() -> None:
    tracker = make_tracker()
    assert feed(tracker, at(0, TILL), at(0.1, TILL), at(0.2, TILL)) == []
    assert told(feed(tracker, at(1, TILL, CARD), at(1.1, TILL, CARD))) == [("arrived", TILL, 1.1)]
    assert tracker.counters.till_ignored == 3


def test_a_till_sees_an_item_that_is_known() -> None:
    tracker = make_tracker()
    feed(tracker, at(0), at(0.1))
    assert told(feed(tracker, *(at(3 + n / 10, TILL) for n in range(3)))) == [("moved", TILL, 3.2)]


@pytest.mark.parametrize(
    ("profile", "moved_at_s"), [("person", 6.0), ("item", 6.5), ("garment", 96.0)], ids=["person", "item", "garment"]
)
def test_one_stray_read_of_a_place_left_two_minutes_ago_does_not_move_the_tag_back(
    profile: str, moved_at_s: float
) -> None:
    defaults = ZoneSettings()
    own = replace(defaults, item=getattr(defaults, profile))
    tracker = make_tracker(PresenceSettings(floor=own))
    before = feed(tracker, *(at(n / 10, B, dbm=-45) for n in range(41)))
    after = feed(tracker, *(at(4 + n / 10, A, dbm=-55) for n in range(1, 1200)))
    assert told(before) == [("arrived", B, 0.1)]
    assert [event.kind for event in after] == ["moved"]
    assert moved_at_s < (after[0].detected_t_ns - START_NS) / S < moved_at_s + 0.2
    assert feed(tracker, at(123.95, B, dbm=-75 + 6), *(at(124 + n / 10, A, dbm=-55) for n in range(100))) == []


def test_the_stronger_place_wins_not_the_one_that_is_read_more_often() -> None:
    tracker = make_tracker()
    feed(tracker, at(0, A, dbm=-45), at(0.1, A, dbm=-45))
    reads = [at(0.2 + n / 50, A if n % 10 == 0 else B, dbm=-45 if n % 10 == 0 else -60) for n in range(500)]
    assert feed(tracker, *reads) == []


def test_three_strong_reads_move_a_tag_and_two_do_not() -> None:
    tracker = make_tracker()
    feed(tracker, at(0, A, dbm=-60), at(0.1, A, dbm=-60))
    assert feed(tracker, at(0.2, B, dbm=-45), at(0.3, B, dbm=-45)) == []
    (event,) = feed(tracker, at(0.4, B, dbm=-45))
    assert (event.kind, event.from_zone, event.zone, event.reads, event.margin_db) == ("moved", A, B, 3, 15.0)


def test_a_stale_antenna_of_the_same_zone_does_not_hold_a_tag() -> None:
    layout = Layout(
        (Antenna("r", 1, 0), Antenna("r", 2, 0), Antenna("r", 3, 1)), (ZoneSpec("a", "floor"), ZoneSpec("b", "floor"))
    )
    tracker = Tracker(layout, ALIKE, seed=1, own_goods=(OWN,), capacity=8)
    feed(tracker, *(at(n / 10, 0, dbm=-35) for n in range(20)))
    feed(tracker, *(at(60 + n / 10, 1, dbm=-65) for n in range(20)))
    (moved,) = feed(tracker, *(at(62 + n / 10, 2, dbm=-50) for n in range(3)))
    assert (moved.kind, moved.margin_db) == ("moved", 15.0)


def test_one_spike_among_weak_reads_moves_nobody() -> None:
    """A mean in milliwatts, as one published controller takes it, follows the strongest read."""
    tracker = make_tracker()
    feed(tracker, *(at(n / 10, A, dbm=-55) for n in range(10)))
    reads = [at(1 + n / 10, B, dbm=-40 if n == 10 else -70) for n in range(20)]
    assert feed(tracker, *(each for read in reads for each in (read, at((read.t_ns - START_NS) / S, A, dbm=-55)))) == []


def test_one_old_sample_of_a_strong_antenna_does_not_hold_a_place() -> None:
    tracker = make_tracker()
    feed(tracker, at(0, B, dbm=-30), at(0.1, A, dbm=-29), at(0.2, A, dbm=-60))
    moved = feed(tracker, *(at(5 + n / 10, B, dbm=-55) for n in range(3)))
    assert told(moved) == [("moved", B, 5.2)]
    assert moved[0].reads == 3, "the read of five seconds ago does not count"


def test_people_leave_after_8_s_items_after_600_s_each_at_its_deadline() -> None:
    tracker = make_tracker()
    feed(tracker, at(0), at(0.1, epc=CARD), at(0.2), at(0.3, epc=CARD))
    events = tracker.tick(START_NS + 1000 * S)
    assert told(events) == [("departed", A, 8.3), ("departed", A, 600.2)]
    assert [event.last_read_ns for event in events] == [START_NS + 300 * MS, START_NS + 200 * MS]
    assert [event.reason for event in events] == ["timeout", "timeout"]
    assert events[0].handle == MEMBERS[CARD]


def test_an_item_at_the_exit_is_gone_after_30_s_and_back_inside_it_is_not() -> None:
    tracker = make_tracker()
    feed(tracker, at(0), at(0.1), *(at(3 + n / 10, EXIT) for n in range(3)))
    (event,) = tracker.tick(START_NS + 100 * S)
    assert (event.kind, event.zone, event.reason, event.detected_t_ns) == (
        "departed",
        EXIT,
        "exit",
        START_NS + 33_200 * MS,
    )
    tracker = make_tracker()
    feed(tracker, at(0), at(0.1), *(at(3 + n / 10, EXIT) for n in range(3)), *(at(6 + n / 10, A) for n in range(3)))
    assert tracker.tick(START_NS + 100 * S) == []


def test_a_read_at_the_very_deadline_is_in_time_and_one_later_is_a_return() -> None:
    tracker = make_tracker()
    feed(tracker, at(0, epc=CARD), at(1, epc=CARD))
    assert feed(tracker, at(9, epc=CARD), at(17, epc=CARD)) == []
    events = feed(tracker, at(25.001, epc=CARD), at(25.002, epc=CARD))
    assert told(events) == [("departed", A, 25.0), ("returned", A, 25.002)]


def test_a_deadline_fires_before_the_read_of_another_tag_at_the_same_time() -> None:
    tracker = make_tracker()
    feed(tracker, at(0, epc=CARD), at(1, epc=CARD), at(8.9))
    assert told(feed(tracker, at(9))) == [("departed", A, 9.0), ("arrived", A, 9.0)]


def test_a_person_is_forgotten_at_the_visits_end_an_item_after_14_days() -> None:
    tracker = make_tracker()
    feed(tracker, at(0), at(0.1), at(0.2, epc=CARD), at(0.3, epc=CARD))
    assert [event.kind for event in tracker.tick(START_NS + 601 * S)] == ["departed", "departed"]
    events = feed(tracker, at(700, epc=CARD), at(700.1, epc=CARD), at(701), at(701.1))
    assert [event.kind for event in events] == ["arrived", "returned"]
    tracker.tick(START_NS + 20 * 86_400 * S)
    assert tracker.counters.tags == 0
    assert tracker.next_deadline_ns() is None


def test_rows_that_run_backwards_in_time_are_no_second_arrival() -> None:
    tracker = make_tracker()
    feed(tracker, at(0), at(0.1), at(700), at(700.1))
    events = feed(tracker, at(0.05), at(0.1), at(300), at(300.1), at(600))
    assert events == []
    assert tracker.counters.late == 5
    assert tracker.present_in(A)[0].last_read_ns == START_NS + round(700.1 * S)


def test_late_reads_older_than_a_departure_do_not_bring_the_tag_back() -> None:
    tracker = make_tracker()
    feed(tracker, at(0), at(0.1))
    tracker.tick(START_NS + 700 * S)
    assert feed(tracker, at(500), at(500.1)) == []


def test_a_read_from_the_future_departs_nobody() -> None:
    tracker = make_tracker()
    feed(tracker, at(0, epc=CARD), at(0.1, epc=CARD))
    assert tracker.feed(to_columns([at(10**6), at(1, epc=CARD)]), START_NS + S) == []
    assert (tracker.counters.clamped, tracker.counters.present_people) == (1, 1)


def test_an_unplugged_cable_departs_nobody_and_whoever_left_meanwhile_is_gone_soon_after() -> None:
    tracker = make_tracker()
    feed(tracker, at(0), at(0.1), at(0.2, epc=CARD), at(0.3, epc=CARD))
    assert {event.kind for event in tracker.set_coverage("r", False, START_NS + 3 * S)} == {"coverage_lost"}
    assert tracker.tick(START_NS + 86_400 * S) == []
    assert tracker.counts()[A].tolist() == [1, 1]
    tracker.set_coverage("r", True, START_NS + 86_400 * S)
    assert told(tracker.tick(START_NS + 90_000 * S)) == [("departed", A, 86_408.0), ("departed", A, 87_000.0)]


def test_a_reader_that_is_lost_twice_and_back_twice_says_so_once() -> None:
    tracker = make_tracker()
    calls = [("r", False), ("r", False), ("r", True), ("r", True), ("who", False)]
    said = [tracker.set_coverage(reader, covered, START_NS) for reader, covered in calls]
    assert [len(events) for events in said] == [4, 0, 4, 0, 0]
    (event, *_) = said[0]
    assert (event.kind, event.zone, event.epc, event.serial, event.reads) == ("coverage_lost", A, b"", -1, 0)


def test_a_long_pause_of_the_gateway_departs_nobody_at_the_first_tick() -> None:
    """After a restart everybody has their whole limit to be seen again."""
    tracker, new = make_tracker(), make_tracker(seed=2)
    feed(tracker, at(0), at(0.1))
    new.restore(tracker.snapshot().to_bytes(), START_NS + 7200 * S)
    assert new.tick(START_NS + 7799 * S) == []
    assert told(feed(new, at(7799.5))) == []
    assert told(new.tick(START_NS + 9000 * S)) == [("departed", A, 8399.5)]


def test_the_wall_clock_is_nowhere_asked() -> None:
    """The same reads in another century are the same events in that century."""
    reads = [at(n / 7, n % 3, (ITEM, CARD)[n % 2], -45 - n % 11) for n in range(200)]
    shift_ns = 40 * 365 * 86_400 * S
    now, then = make_tracker(), make_tracker()
    events = feed(now, *reads) + now.tick(START_NS + 900 * S)
    others = feed(then, *(replace(read, t_ns=read.t_ns - shift_ns) for read in reads))
    others += then.tick(START_NS + 900 * S - shift_ns)
    assert [event.detected_t_ns - shift_ns for event in events] == [event.detected_t_ns for event in others]
    assert [(event.kind, event.zone, event.reads) for event in events] == [
        (event.kind, event.zone, event.reads) for event in others
    ]
    assert {event.kind for event in events} >= {"arrived", "moved", "departed"}


def test_a_read_an_hour_late_is_left_alone() -> None:
    tracker = make_tracker()
    feed(tracker, at(5000), at(5000.1))
    assert feed(tracker, at(1400, epc=ITEMS[1]), at(1400.05, epc=ITEMS[1])) == []
    assert (tracker.counters.late, tracker.counters.stale, tracker.counters.candidates) == (2, 2, 1)
    assert told(feed(tracker, at(1400.1, epc=ITEMS[1]), at(1400.2, epc=ITEMS[1]))) == [("arrived", A, 1400.2)]


def test_what_is_on_a_shelf_is_told_with_how_often_it_is_read() -> None:
    tracker = make_tracker()
    feed(tracker, *(at(n / 4, A) for n in range(5)), *(at(n, A, CARD) for n in range(2)))
    (tag,) = tracker.present_in(A)
    assert (tag.epc, tag.reads, tag.arrived_ns, tag.mean_interval_ns) == (ITEM, 5, START_NS, S // 4)
    assert tracker.present_in(B) == []
