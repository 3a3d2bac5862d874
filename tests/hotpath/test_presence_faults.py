"""One test for each fault that presence must not have, named after what a person would see."""

from dataclasses import fields, replace

import pytest

from edge.columns import ColumnBuffer
from edge.presence import (
    Antenna,
    Counters,
    Layout,
    PresenceSettings,
    Profile,
    Tracker,
    Transition,
    ZoneSettings,
    ZoneSpec,
)
from hotpath import record
from readers.model import Epc, Read, ReaderId
from tests.hotpath.oracle import OracleRead
from tests.hotpath.streams import CARDS, FOREVER_NS, ITEMS, KEY, MEMBERS, MS, OWN, START_NS, table_of, to_columns

S = 1000 * MS
A, B, TILL, EXIT = range(4)
LAYOUT = Layout(
    tuple(Antenna("r", zone + 1, zone, -70.0) for zone in range(4)),
    (ZoneSpec("a", "floor"), ZoneSpec("b", "floor"), ZoneSpec("till", "till"), ZoneSpec("exit", "exit")),
)
ITEM, CARD = ITEMS[0], CARDS[0]


def make_tracker(settings: PresenceSettings | None = None, capacity: int = 64, members: int = 2) -> Tracker:
    tracker = Tracker(LAYOUT, settings or PresenceSettings(), seed=1, own_goods=(OWN,), capacity=capacity)
    tracker.set_members(KEY, table_of(dict(list(MEMBERS.items())[:members]), FOREVER_NS))
    return tracker


def at(s: float, zone: int = A, epc: bytes = ITEM, dbm: float = -50, crc_ok: int = 1) -> OracleRead:
    return OracleRead(START_NS + round(s * S), zone, epc, round(dbm * 100), crc_ok)


def feed(tracker: Tracker, *reads: OracleRead) -> list[Transition]:
    return tracker.feed(to_columns(reads))


def told(events: list[Transition]) -> list[tuple[str, int, float]]:
    """Kind, zone, and detection time in s."""
    return [(event.kind, event.zone, (event.detected_t_ns - START_NS) / S) for event in events]


def test_one_stray_read_arrives_nobody() -> None:
    tracker = make_tracker()
    assert feed(tracker, at(0), at(2), at(4)) == []
    assert tracker.counters.strays_forgotten == 2


def test_two_reads_within_the_window_arrive_with_their_evidence() -> None:
    (event,) = feed(make_tracker(), at(0, dbm=-50), at(1.5, dbm=-54))
    assert told([event]) == [("arrived", A, 1.5)]
    assert (event.reads, event.rssi_dbm, event.margin_db, event.t_ns) == (2, -52.0, None, START_NS)


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


def test_a_place_just_won_keeps_exactly_the_last_twenty_samples() -> None:
    tracker = make_tracker()
    feed(tracker, at(0, A, dbm=-50), at(0.1, A, dbm=-50))
    signals = [-55 + (n * 7 % 11 - 5) / 10 for n in range(60)]
    events = [feed(tracker, at(0.2 + n / 20, B, dbm=dbm)) for n, dbm in enumerate(signals)]
    (moved_at,) = [n for n, told_now in enumerate(events) if told_now]
    assert 20 < moved_at < 38, "the ring has wrapped and all its samples are fresh"
    tracker = make_tracker()
    feed(tracker, at(0, A, dbm=-50), at(0.1, A, dbm=-50))
    feed(tracker, *(at(0.2 + n / 20, B, dbm=dbm) for n, dbm in enumerate(signals[: moved_at + 1])))
    (departed,) = tracker.tick(START_NS + 700 * S)
    assert departed.rssi_dbm == pytest.approx(sum(signals[moved_at - 19 : moved_at + 1]) / 20)


def test_a_stale_antenna_of_the_same_zone_does_not_hold_a_tag() -> None:
    layout = Layout(
        (Antenna("r", 1, 0), Antenna("r", 2, 0), Antenna("r", 3, 1)), (ZoneSpec("a", "floor"), ZoneSpec("b", "floor"))
    )
    tracker = Tracker(layout, PresenceSettings(), seed=1, own_goods=(OWN,), capacity=8)
    feed(tracker, *(at(n / 10, 0, dbm=-35) for n in range(20)))
    feed(tracker, *(at(60 + n / 10, 1, dbm=-65) for n in range(20)))
    (moved,) = feed(tracker, *(at(62 + n / 10, 2, dbm=-50) for n in range(3)))
    assert (moved.kind, moved.margin_db) == ("moved", 15.0)


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


def test_one_read_never_names_a_person_even_where_one_read_is_enough() -> None:
    tracker = make_tracker(PresenceSettings(floor=ZoneSettings(confirm_reads=1)))
    assert [event.epc for event in feed(tracker, at(0, epc=CARD), at(0.1))] == [ITEM]


def test_a_read_with_a_wrong_crc_names_nobody() -> None:
    tracker = make_tracker()
    assert feed(tracker, at(0, epc=CARD), at(0.1, epc=CARD, crc_ok=0)) == []
    assert [event.person for event in feed(tracker, at(0.2, epc=CARD, crc_ok=-1))] == [True]
    assert tracker.counters.crc_wrong == 1


def test_a_card_without_consent_a_strangers_coat_and_staff_cause_nothing() -> None:
    tracker = make_tracker(members=1)
    coat, staff = b"\xe2" + bytes(11), b"\x2e" + bytes(11)
    reads = [at(n / 10, epc=epc) for n in range(100) for epc in (CARDS[1], coat, staff)]
    assert feed(tracker, *reads) == []
    assert tracker.counters.strays > 0
    assert tracker.counters.staff > 0
    assert tracker.counters.present_people == tracker.counters.present_items == 0


def test_when_the_lease_is_over_a_member_is_a_stranger() -> None:
    tracker = make_tracker()
    tracker.set_members(KEY, table_of(MEMBERS, START_NS + 2 * S))
    feed(tracker, at(0, epc=CARD), at(1, epc=CARD))
    events = feed(tracker, *(at(2 + n, epc=card) for n in range(30) for card in CARDS))
    assert told(events) == [("departed", A, 9.0)]


def test_a_card_that_stands_for_somebody_else_now_ends_the_first_ones_visit() -> None:
    tracker, other = make_tracker(), b"\x77" * 16
    feed(tracker, at(0, A, CARD), at(0.1, A, CARD))
    (event,) = tracker.set_members(KEY, table_of({CARD: other}, FOREVER_NS))
    assert (event.kind, event.reason, event.handle) == ("departed", "withdrawn", MEMBERS[CARD])
    (event,) = feed(tracker, at(0.2, A, CARD), at(0.3, A, CARD))
    assert (event.kind, event.handle) == ("arrived", other)
    assert tracker.set_members(KEY, table_of({CARD: other}, FOREVER_NS)) == []


def test_a_withdrawn_member_departs_at_once() -> None:
    tracker = make_tracker()
    feed(tracker, at(0, epc=CARD), at(1, epc=CARD))
    (event,) = tracker.set_members(KEY, None)
    assert (event.kind, event.reason, event.handle) == ("departed", "withdrawn", MEMBERS[CARD])
    assert feed(tracker, at(2, epc=CARD), at(3, epc=CARD)) == []


def test_strays_in_a_full_table_push_out_strays_only() -> None:
    tracker = make_tracker(capacity=4)
    feed(tracker, at(0), at(0.01), at(0.02, epc=CARD), at(0.03, epc=CARD), at(0.04, epc=CARDS[1]))
    feed(tracker, *(at(0.1 + n / 1000, epc=b"\xe2" + n.to_bytes(11, "big")) for n in range(500)))
    assert [event.epc for event in feed(tracker, at(0.9, epc=CARDS[1]))] == [CARDS[1]]
    counters = tracker.counters
    assert (counters.present_items, counters.present_people, counters.tags, counters.evicted) == (1, 2, 4, 499)
    assert [event.epc for event in tracker.tick(START_NS + 10 * S)] == [CARD, CARDS[1]]


def test_a_table_full_of_what_counts_refuses_newcomers_and_says_so() -> None:
    tracker = make_tracker(capacity=1)
    feed(tracker, at(0), at(0.01))
    assert feed(tracker, at(0.02, epc=ITEMS[1]), at(0.03, epc=ITEMS[1])) == []
    assert tracker.counters.refused == 2


def test_colliding_epcs_make_the_index_choose_new_keys() -> None:
    tracker = Tracker(LAYOUT, PresenceSettings(), seed=1, own_goods=None, capacity=500)
    tracker._state.hash_keys[:] = 0
    epcs = [n.to_bytes(12, "big") for n in range(400)]
    events = feed(tracker, *(at(n / 1000, epc=epc) for n in range(2) for epc in epcs))
    assert {event.epc for event in events} == set(epcs)
    assert tracker.counters.rebuilds == 1


def test_reads_that_make_no_sense_are_counted_and_harm_nobody() -> None:
    tracker = make_tracker()
    columns = to_columns([at(0), at(0.1), at(0.2), at(0.3)])
    columns.antenna[0], columns.epc_len[1], columns.epc_len[2] = 60_000, 0, 63
    assert tracker.feed(columns) == []
    counters = tracker.counters
    assert (counters.bad_antenna, counters.bad_epc, counters.reads, counters.candidates) == (1, 2, 4, 1)


def test_the_seed_changes_nothing_that_comes_out() -> None:
    epcs = [OWN + n.to_bytes(8, "big") for n in range(50)]
    reads = [at(n / 100, epc=epcs[n % 50]) for n in range(100)]
    trackers = [Tracker(LAYOUT, PresenceSettings(), seed=seed, own_goods=(OWN,), capacity=64) for seed in (1, 2)]
    first, second = (feed(tracker, *reads) + tracker.tick(START_NS + 900 * S) for tracker in trackers)
    assert first == second
    assert len(first) == 100


def test_what_is_on_a_shelf_is_told_with_how_often_it_is_read() -> None:
    tracker = make_tracker()
    feed(tracker, *(at(n / 4, A) for n in range(5)), *(at(n, A, CARD) for n in range(2)))
    (tag,) = tracker.present_in(A)
    assert (tag.epc, tag.reads, tag.arrived_ns, tag.mean_interval_ns) == (ITEM, 5, START_NS, S // 4)
    assert tracker.present_in(B) == []


@pytest.mark.parametrize(
    "zone",
    [
        ZoneSettings(confirm_reads=0),
        ZoneSettings(person_departs_s=0),
        ZoneSettings(item=replace(ZoneSettings().item, holdoff_ms=-1)),
    ],
)
def test_settings_that_no_store_can_mean_are_refused(zone: ZoneSettings) -> None:
    with pytest.raises(ValueError, match="zone a"):
        make_tracker(PresenceSettings(floor=zone))


def test_counters_are_named_in_the_order_in_which_the_kernels_count() -> None:
    assert [each.name for each in fields(Counters)] == [
        "reads", "below_floor", "late", "clamped", "bad_epc", "bad_antenna", "crc_wrong", "till_ignored", "lease_ignored",
        "candidates", "strays", "strays_forgotten", "staff", "evicted", "refused", "arrived", "moved", "departed",
        "returned", "forgotten", "present_items", "present_people", "tags", "rebuilds", "bad_time", "rssi_clamped",
        "stale", "sold", "sold_ignored",
    ]  # fmt: skip
    assert len(fields(Counters)) == record.COUNTERS


def test_a_buffer_turns_reads_into_columns_and_counts_what_does_not_fit() -> None:
    buffer = ColumnBuffer(2)
    reader = ReaderId("r")
    assert not buffer.append(Read(Epc(b""), reader, 1, -50, 1), 0)
    assert not buffer.append(Read(Epc(bytes(63)), reader, 1, -50, 1), 0)
    assert not buffer.append(Read(Epc(ITEM), reader, 1, float("nan"), 5, crc_ok=False), 3)
    assert buffer.append(Read(Epc(CARD), reader, 1, 1e9, 6), 4)
    with pytest.raises(ValueError, match="full"):
        buffer.append(Read(Epc(CARD), reader, 1, -50, 7), 4)
    columns = buffer.take()
    assert len(buffer) == 0
    assert buffer.bad_epc == 2
    assert columns.rssi_cdbm.tolist() == [-32768, 32767]
    assert (columns.crc_ok.tolist(), columns.antenna.tolist(), columns.t_ns.tolist()) == ([0, -1], [3, 4], [5, 6])
    assert columns.epc_bytes[0, : len(ITEM)].tobytes() == ITEM
    buffer.append(Read(Epc(b"\x01"), reader, 1, -50, 8), 0)
    buffer.take()
    buffer.append(Read(Epc(b"\x01"), reader, 1, -50, 9), 0)
    assert not buffer.take().epc[0, 1:].any(), "a short EPC keeps nothing of the longer one before it"


@pytest.mark.parametrize(
    "settings",
    [
        PresenceSettings(floor=ZoneSettings(confirm_window_ms=10**20)),
        PresenceSettings(floor=ZoneSettings(person_departs_s=float("inf"))),
        PresenceSettings(floor=ZoneSettings(item_departs_s=float("nan"))),
        PresenceSettings(floor=ZoneSettings(person=Profile(float("nan"), 0, -0.008))),
        PresenceSettings(floor=ZoneSettings(item=Profile(6.0, 10**20, -0.008))),
        PresenceSettings(item_forgotten_days=float("inf")),
        PresenceSettings(person_forgotten_s=0.0),
    ],
)
def test_a_setting_that_is_no_time_is_refused_not_an_overflow(settings: PresenceSettings) -> None:
    with pytest.raises(ValueError, match=r"must be|is 0 to|forgotten after"):
        Tracker(Layout((), (ZoneSpec("a", "floor"),)), settings, seed=1, own_goods=None)
