"""Hashes, member look-up and re-report suppression against their references."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_config.identity import siphash_2_4_128
from edge.columns import MAX_EPC_BYTES, MAX_EPC_WORDS
from hotpath import dedup, index, members
from hotpath._jit import entry_kernel
from hotpath.record import NEVER

EPC = st.binary(min_size=1, max_size=MAX_EPC_BYTES)
HASH = st.binary(min_size=16, max_size=16)
HOMES = st.sampled_from([bytes(4), b"\0\0\0\1", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\xff"])
CROWDED_HASH = st.tuples(HOMES, st.sampled_from([bytes(4), b"\1\0\0\0"]), st.sampled_from([bytes(8), bytes(7) + b"\1"]))
KEY = bytes(range(16))


def rows_of(epcs: list[bytes], words: int = MAX_EPC_WORDS, rest: int = 0) -> tuple[np.ndarray, np.ndarray]:
    table = np.full((len(epcs), 8 * words), rest, np.uint8)
    for row, epc in zip(table, epcs, strict=True):
        row[: len(epc)] = np.frombuffer(epc, np.uint8)
    return table.view(np.uint64), np.array([len(epc) for epc in epcs], np.uint8)


def words(data: bytes) -> np.ndarray:
    return np.frombuffer(data, "<u8").astype(np.uint64)


def table_of(hashes: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The rows of these hashes as they come, and their directory."""
    rows = np.zeros((len(hashes), 4), np.uint64)
    for row, each in zip(rows, hashes, strict=True):
        row[:2] = words(each)
    slots = members.make_slots(len(rows))
    slots[:] = 0xDEAD  # whatever was there before does not matter
    assert members.fill_slots(rows, slots)
    return rows, slots


def find_each(rows: np.ndarray, slots: np.ndarray, asked: list[bytes]) -> list[int]:
    """Each hash by itself, without `match`: the engine's way."""
    hashes = [words(each) for each in asked]
    return [find_row(rows, slots, each[0], each[1]) for each in hashes]


@entry_kernel
def find_row(rows: np.ndarray, slots: np.ndarray, h0: np.uint64, h1: np.uint64) -> int:
    members.prefetch_slot(slots, h0)
    return members.find_row(rows, slots, h0, h1)


def test_card_hash_is_the_reference_siphash_at_every_length() -> None:
    epcs = [bytes((7 * at + length) & 0xFF for at in range(length)) for length in range(1, MAX_EPC_BYTES + 1)]
    hashes = np.zeros((len(epcs), 2), np.uint64)
    for rest in (0, 0xFF):  # what stands behind the EPC is not hashed
        members.hash_cards(words(KEY), *rows_of(epcs, rest=rest), hashes)
        assert [row.astype("<u8").tobytes() for row in hashes] == [siphash_2_4_128(KEY, epc) for epc in epcs]


@given(st.binary(min_size=16, max_size=16), st.integers(1, 8), st.data())
@settings(deadline=None)
def test_card_hash_is_the_reference_siphash(key: bytes, width: int, data: st.DataObject) -> None:
    longest = min(8 * width, MAX_EPC_BYTES)  # up to a row filled to its end
    epcs = data.draw(
        st.lists(st.binary(min_size=1, max_size=longest) | st.just(bytes(longest)), min_size=1, max_size=20)
    )
    hashes = np.zeros((len(epcs), 2), np.uint64)
    members.hash_cards(words(key), *rows_of(epcs, width), hashes)
    assert [row.astype("<u8").tobytes() for row in hashes] == [siphash_2_4_128(key, epc) for epc in epcs]


@given(st.sets(EPC, max_size=60), st.sets(EPC, max_size=60), st.integers(0, 60))
@settings(deadline=None)
def test_exactly_the_members_are_found(cards: set[bytes], others: set[bytes], cut: int) -> None:
    table = {siphash_2_4_128(KEY, card): card for card in cards}
    rows, slots = table_of(sorted(table))
    number = {table[each]: row for row, each in enumerate(sorted(table))}
    asked = [*sorted(cards), *sorted(others)][cut:]
    expected = [number.get(epc, members.NO_ROW) for epc in asked]
    found = np.zeros(len(asked), np.int64)
    hits = members.match(words(KEY), rows, slots, *rows_of(asked), found, members.make_ahead())
    assert (found.tolist(), hits) == (expected, sum(epc in cards for epc in asked))
    hits = members.match_singly(words(KEY), rows, slots, *rows_of(asked), found)
    assert (found.tolist(), hits) == (expected, sum(epc in cards for epc in asked))


@given(
    st.lists(HASH | CROWDED_HASH.map(b"".join), max_size=60), st.lists(HASH | CROWDED_HASH.map(b"".join), max_size=20)
)
@settings(deadline=None)
def test_hashes_that_share_a_home_are_told_apart_and_of_equals_the_first_counts(
    hashes: list[bytes], others: list[bytes]
) -> None:
    hashes.sort()
    oracle = {each: row for row, each in reversed(list(enumerate(hashes)))}
    asked = hashes + others
    assert find_each(*table_of(hashes), asked) == [oracle.get(each, members.NO_ROW) for each in asked]


@pytest.mark.parametrize("size", [0, 1, 2])
def test_the_smallest_tables_hold_what_they_hold(size: int) -> None:
    hashes = [b"\0" * 16, b"\xff" * 16][:size]
    asked = [b"\0" * 16, b"\xff" * 16, b"\x80" + b"\0" * 15]
    assert find_each(*table_of(hashes), asked) == [row if row < size else members.NO_ROW for row in (0, 1, 2)]


def test_the_members_of_a_large_table_are_spread_over_its_homes() -> None:
    rng = np.random.default_rng(1)
    hashes = sorted(rng.bytes(16) for _ in range(5000))
    _, slots = table_of(hashes)
    assert (slots[0], slots[-1], len(slots)) == (0, 5000, 5001)
    assert np.diff(slots.astype(np.int64)).max() < 12  # one on average; more is as likely as a hash found by chance


@given(st.lists(HASH, min_size=2, max_size=40))
@settings(deadline=None)
def test_a_table_out_of_order_is_refused_or_every_member_found(hashes: list[bytes]) -> None:
    rows = np.array([words(each + bytes(16)) for each in hashes])
    slots = members.make_slots(len(rows))
    if members.fill_slots(rows, slots):  # in order, as far as a look-up relies on it
        assert set(find_each(rows, slots, hashes)) == {hashes.index(each) for each in hashes}
    else:
        assert hashes != sorted(hashes)


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
