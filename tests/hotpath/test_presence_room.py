"""A table of fixed size: who makes room for whom, and what crafted EPCs and floods of strays can do."""

from edge.presence import PresenceSettings, Tracker
from hotpath.index import MEMBER_KEYS
from tests.hotpath.floor import CARD, LAYOUT, S, at, feed, make_tracker
from tests.hotpath.store import CARDS, ITEMS, OWN, START_NS


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
    tracker._state.keys[MEMBER_KEYS:] = 0
    epcs = [n.to_bytes(12, "big") for n in range(400)]
    events = feed(tracker, *(at(n / 1000, epc=epc) for n in range(2) for epc in epcs))
    assert {event.epc for event in events} == set(epcs)
    assert tracker.counters.rebuilds == 1


def test_the_seed_changes_nothing_that_comes_out() -> None:
    epcs = [OWN + n.to_bytes(8, "big") for n in range(50)]
    reads = [at(n / 100, epc=epcs[n % 50]) for n in range(100)]
    trackers = [Tracker(LAYOUT, PresenceSettings(), seed=seed, own_goods=(OWN,), capacity=64) for seed in (1, 2)]
    first, second = (feed(tracker, *reads) + tracker.tick(START_NS + 900 * S) for tracker in trackers)
    assert first == second
    assert len(first) == 100
