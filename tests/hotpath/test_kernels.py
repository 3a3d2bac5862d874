"""Hashes, member look-up and re-report suppression against their references."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_config.identity import siphash_2_4_128
from edge.columns import MAX_EPC_BYTES
from hotpath import dedup, index, members
from hotpath.record import NEVER

EPC = st.binary(min_size=1, max_size=MAX_EPC_BYTES)


def rows_of(epcs: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    table = np.zeros((len(epcs), MAX_EPC_BYTES), np.uint8)
    for row, epc in zip(table, epcs, strict=True):
        row[: len(epc)] = np.frombuffer(epc, np.uint8)
    return table, np.array([len(epc) for epc in epcs], np.uint8)


def words(data: bytes) -> np.ndarray:
    return np.frombuffer(data, "<u8").astype(np.uint64)


@given(st.binary(min_size=16, max_size=16), st.lists(EPC, min_size=1, max_size=20))
@settings(deadline=None)
def test_card_hash_is_the_reference_siphash(key: bytes, epcs: list[bytes]) -> None:
    hashes = np.zeros((len(epcs), 2), np.uint64)
    members.hash_cards(words(key), *rows_of(epcs), hashes)
    assert [row.astype("<u8").tobytes() for row in hashes] == [siphash_2_4_128(key, epc) for epc in epcs]


@given(st.sets(EPC, max_size=60), st.sets(EPC, max_size=60))
@settings(deadline=None)
def test_exactly_the_members_are_found(cards: set[bytes], others: set[bytes]) -> None:
    key, ordered = bytes(range(16)), sorted(cards)
    rows = np.zeros((len(ordered), 4), np.uint64)
    for row, card in zip(rows, ordered, strict=True):
        row[:2] = words(siphash_2_4_128(key, card))
    slots = members.make_slots(len(rows))
    members.fill_slots(rows, slots)
    asked = [*ordered, *sorted(others)]
    found = np.zeros(len(asked), np.int64)
    hits = members.match(words(key), rows, slots, *rows_of(asked), found, members.make_ahead())
    assert found.tolist() == [ordered.index(epc) if epc in cards else members.NO_ROW for epc in asked]
    assert hits == sum(epc in cards for epc in asked)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=80), st.integers(0, 12), st.integers(0, 80))
@settings(deadline=None)
def test_a_dropped_repeat_does_not_extend_the_window(gaps: list[tuple[int, int]], window: int, cut: int) -> None:
    times = np.cumsum([gap for _, gap in gaps], dtype=np.int64)
    source = np.array([each for each, _ in gaps], np.int64)
    passed, keep = np.full(4, NEVER, np.int64), np.zeros(len(gaps), np.bool_)
    for part in (slice(0, cut), slice(cut, None)):
        dedup.suppress_repeats(source[part], times[part], window, passed, keep[part])
    last: dict[int, int] = {}
    expected = []
    for each, now in zip(source.tolist(), times.tolist(), strict=True):
        expected.append(each not in last or now - last[each] >= window)
        if expected[-1]:
            last[each] = now
    assert keep.tolist() == expected


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=300))
@settings(deadline=None)
def test_the_index_finds_what_is_in_it_after_any_deletions(changes: list[tuple[bool, int]]) -> None:
    buckets, inside = index.make_buckets(64), set()
    for number, (add, tag) in enumerate(changes):
        wanted = np.uint64(tag // 3 + (tag % 2) * 126)  # colliding homes, and some that wrap around the end
        if add and tag not in inside:
            assert index.enter(buckets, tag, wanted)
            inside.add(tag)
        elif not add and tag in inside:
            index.leave(buckets, tag, wanted)
            inside.remove(tag)
        if number % 7 == 0:
            assert_reachable(buckets, inside)
    assert_reachable(buckets, inside)


def assert_reachable(buckets: np.ndarray, inside: set[int]) -> None:
    """Every tag is found from its home without crossing an empty bucket, and nothing else is in there."""
    mask = len(buckets) - 1
    assert int((buckets != 0).sum()) == len(inside)
    for tag in inside:
        wanted = tag // 3 + (tag % 2) * 126
        at = wanted & mask
        while int(buckets[at]) != (wanted << 32 | tag + 1):
            assert buckets[at] != 0, "a hole hides the tag"
            at = (at + 1) & mask
