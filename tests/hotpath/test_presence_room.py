"""A table of fixed size: who makes room for whom, and what crafted EPCs and floods of strays can do."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.columns import make_columns
from edge.presence import PresenceSettings, Tracker, ZoneSettings
from hotpath import index
from hotpath.words import HASHES_AT, MEMBER_KEYS
from tests.hotpath.floor import CARD, LAYOUT, S, at, feed, make_tracker
from tests.hotpath.store import CARDS, FOREVER_NS, ITEMS, KEY, OWN, START_NS, table_of


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
    tracker._state.words[MEMBER_KEYS:HASHES_AT] = 0
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


def test_a_flood_of_strays_costs_no_memory_and_hides_no_member() -> None:
    """200 000 strangers' tags pass; each of 1 000 members among them is found, and the table has not grown."""
    rng = np.random.default_rng(7)
    cards = [b"\x2d" + n.to_bytes(11, "big") for n in range(1000)]
    tracker = Tracker(LAYOUT, PresenceSettings(), seed=1, own_goods=(OWN,), capacity=2048)
    tracker.set_members(KEY, table_of({card: card.ljust(16, b"h") for card in cards}, FOREVER_NS))
    before = sum(array.nbytes for array in tracker._state)
    found = set()
    for part in range(100):
        columns = make_columns(2000 + 2 * 10, words=2)
        columns.epc_bytes[:, :12] = rng.integers(0, 256, (len(columns), 12), np.uint8)
        columns.epc_bytes[:, 0] = 0xE2
        for number in range(20):  # each card twice, strangers between
            card = cards[10 * part + number % 10]
            columns.epc_bytes[100 * number, :12] = np.frombuffer(card, np.uint8)
        columns.epc_len[:] = 12
        columns.t_ns[:] = START_NS + part * S // 100 + np.arange(len(columns)) * 1000
        found |= {event.epc for event in tracker.feed(columns) if event.kind == "arrived"}
    assert found == set(cards)
    counters = tracker.counters
    assert (counters.present_people, counters.refused) == (1000, 0)
    assert counters.evicted > 190_000
    assert sum(array.nbytes for array in tracker._state) == before


def test_one_record_in_sixteen_waits_for_a_person() -> None:
    tracker = make_tracker(capacity=32, members=2)
    feed(tracker, *(at(n / 100, epc=OWN + n.to_bytes(8, "big")) for n in range(40) for _ in range(2)))
    assert (tracker.counters.present_items, tracker.counters.refused) == (30, 20)
    arrived = feed(tracker, *(at(1 + n / 100, epc=card) for n in range(2) for card in CARDS[:2]))
    assert [event.epc for event in arrived] == list(CARDS[:2])


CRAFTED = {
    "low bits equal": [n << 64 for n in range(1, 3001)],
    "multiples of 2^61 - 1": [n * ((1 << 61) - 1) for n in range(1, 3001)],
    "sequential": list(range(3000)),
    "one byte differs": [byte << 8 * at for at in range(12) for byte in range(1, 251)],
}


@pytest.mark.parametrize("name", CRAFTED)
@pytest.mark.parametrize("seed", range(8))
def test_crafted_epcs_are_spread_as_random_ones_are(name: str, seed: int) -> None:
    """The index's own count of probes, so no clock is needed: the mean distance of a tag from its home."""
    rng = random.Random(1)
    epcs = [number.to_bytes(20, "little")[:12] for number in CRAFTED[name]]
    assert mean_probes(epcs, seed) < 1.5 * mean_probes([rng.randbytes(12) for _ in epcs], seed)


def mean_probes(epcs: list[bytes], seed: int) -> float:
    epcs = list(dict.fromkeys(epcs))
    tracker = Tracker(LAYOUT, PresenceSettings(), seed=seed, own_goods=None, capacity=4096)
    feed(tracker, *(at(0, epc=epc) for epc in epcs))
    assert (tracker.counters.tags, tracker.counters.rebuilds) == (len(epcs), 0)
    buckets = tracker._state.buckets
    mask = len(buckets) - 1
    used = np.flatnonzero(buckets)
    return float(np.mean((used - (buckets[used] >> np.uint64(32)).astype(np.int64)) & mask))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 200)), max_size=400), st.integers(0, 1 << 62))
@settings(deadline=None, max_examples=30)
def test_the_index_holds_what_a_dictionary_would(changes: list[tuple[bool, int]], seed: int) -> None:
    """Strays come, and go when their window is over; new keys in between change nothing."""
    rules = PresenceSettings(floor=ZoneSettings(confirm_window_ms=50))
    tracker = Tracker(LAYOUT, rules, seed=seed, own_goods=(OWN,), capacity=256)
    ms, held = 0, dict[bytes, int]()
    for rebuild, number in changes:
        ms += number % 7
        epc = b"\xe2" + bytes([number]) * (1 + number % 61)
        held = {each: first for each, first in held.items() if ms - first < 50 + (each == epc)}
        feed(tracker, at(ms / 1000, epc=epc))
        held.setdefault(epc, ms)
        if rebuild and number % 5 == 0:
            tracker._rebuild()
        assert tracker.counters.tags == len(held)
    hot = tracker._state.hot
    kept = {row["epc"].tobytes()[: row["epc_len"]] for row in hot[hot["state"] != 0]}
    assert kept == {epc[:16] for epc in held}
    assert int((tracker._state.buckets != 0).sum()) == len(held)


@given(st.lists(st.integers(0, (1 << 32) - 1), min_size=1, max_size=14, unique=True), st.data())
@settings(deadline=None)
def test_a_record_takes_the_place_of_another_in_a_crowded_index_without_moving_anybody(
    hashes: list[int], data: st.DataObject
) -> None:
    buckets = np.zeros(16, np.uint64)
    entered = [tag for tag, wanted in enumerate(hashes) if index.enter(buckets, tag, np.uint64(wanted))]
    tag = data.draw(st.sampled_from(entered))
    before = buckets.copy()
    index.replace(buckets, tag, 99, np.uint64(hashes[tag]))
    (changed,) = np.flatnonzero(buckets != before)
    assert before[changed] == hashes[tag] << 32 | tag + 1
    assert buckets[changed] == hashes[tag] << 32 | 100
