"""Who is recognised, by what, and for how long."""

import pytest

from edge.presence import PresenceSettings, ZoneSettings
from tests.hotpath.floor import CARD, ITEM, A, S, at, feed, make_tracker, told
from tests.hotpath.store import CARDS, FOREVER_NS, KEY, MEMBERS, START_NS, table_of


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


@pytest.mark.parametrize("size", [12, 16, 17, 40, 62])
def test_after_a_restart_a_card_is_known_by_its_hash_only(size: int) -> None:
    card = (CARD + bytes(range(1, 60)))[:size]
    tracker, new = make_tracker(), make_tracker(seed=2)
    tracker.set_members(KEY, table_of({card: b"h" * 16}, FOREVER_NS))
    feed(tracker, at(0, epc=card), at(0.1, epc=card))
    kept = tracker.snapshot().to_bytes()
    assert not any(card[start : start + 8] in kept for start in range(size - 7)), "no card number may reach a disk"
    assert new.restore(kept, START_NS + S).people == 1
    (event,) = new.tick(START_NS + 100 * S)
    assert (event.kind, event.epc, event.handle) == ("departed", b"", b"h" * 16)


def test_a_new_match_key_ends_the_visit_of_whoever_was_known_by_a_hash_under_the_old_one() -> None:
    tracker, new = make_tracker(), make_tracker(seed=2)
    feed(tracker, at(0, epc=CARD), at(0.1, epc=CARD))
    new.restore(tracker.snapshot().to_bytes(), START_NS + S)
    (event,) = new.set_members(bytes(16), table_of(MEMBERS, FOREVER_NS, bytes(16)))
    assert (event.kind, event.reason, event.epc) == ("departed", "withdrawn", b"")
    assert new.counters.tags == 0


def test_strays_candidates_and_staff_do_not_survive_a_restart() -> None:
    tracker, new = make_tracker(), make_tracker(seed=2)
    stray, staff = b"\xe2" + bytes(range(11)), b"\x2e" + bytes(range(11))
    feed(tracker, *(at(n / 10, epc=epc) for n, epc in enumerate((stray, stray, staff, ITEM, CARD))))
    kept = tracker.snapshot().to_bytes()
    assert not any(epc in kept for epc in (stray, staff, ITEM, CARD))
    restored = new.restore(kept, START_NS + S)
    assert (restored.items, restored.people, restored.dropped, new.counters.tags) == (0, 0, 0, 0)


def test_what_is_told_of_a_person_without_a_card_carries_nothing_of_its_hash() -> None:
    tracker, new = make_tracker(), make_tracker(seed=2)
    feed(tracker, at(0, epc=CARD), at(0.1, epc=CARD))
    new.restore(tracker.snapshot().to_bytes(), START_NS + S)
    new.tick(START_NS + 100 * S)
    assert new.counters.departed == 1
    assert not new._state.events["epc"].any()
