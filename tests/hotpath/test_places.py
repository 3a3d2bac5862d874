"""What a tag remembers of its antennas: means that fade, four of them, and never without its own place."""

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.presence import Antenna, Layout, PresenceSettings, Tracker, ZoneSettings, ZoneSpec
from hotpath.record import NO_ANTENNA
from tests.hotpath.floor import S, feed
from tests.hotpath.oracle import OracleRead
from tests.hotpath.store import ITEMS, MS, START_NS

ANTENNAS = 8
LAYOUT = Layout(
    tuple(Antenna("r", number + 1, number // 2) for number in range(ANTENNAS)),
    tuple(ZoneSpec(f"zone-{number}", "floor") for number in range(ANTENNAS // 2)),
)
CDBM = st.integers(-9000, -2000)
FRESH_NS = 2 * S
ROUNDING_CDBM = 0.01


def tracker_after(reads: list[tuple[int, int, int]]) -> Tracker:
    """An engine that saw one item's reads: ms, antenna, cdbm."""
    rules = ZoneSettings(confirm_reads=1, sample_age_ms=2000, fade_ms=2000)
    tracker = Tracker(LAYOUT, PresenceSettings(floor=rules), seed=1, own_goods=None, capacity=4)
    feed(tracker, *(OracleRead(START_NS + ms * MS, antenna, ITEMS[0], cdbm) for ms, antenna, cdbm in reads))
    return tracker


def slot_of(tracker: Tracker, antenna: int = 0) -> tuple[float, float, int, int]:
    """Mean, weight, count, ms of the last read."""
    hot = tracker._state.hot[tracker._state.hot["state"] != 0][0]
    (slot,) = [each for each in range(4) if hot["slot_antenna"][each] == antenna]
    last_ms = (int(hot["slot_last_ns"][slot]) - START_NS) // MS
    return float(hot["slot_cdbm"][slot]), float(hot["slot_weight"][slot]), int(hot["slot_count"][slot]), last_ms


@given(st.lists(st.tuples(st.integers(0, 1999), CDBM), min_size=1, max_size=60))
@settings(deadline=None, max_examples=60)
def test_a_mean_lies_among_its_signals_whatever_their_order(samples: list[tuple[int, int]]) -> None:
    mean, weight, count, last_ms = slot_of(tracker_after([(ms, 0, cdbm) for ms, cdbm in samples]))
    signals = [cdbm for _, cdbm in samples]
    assert min(signals) - ROUNDING_CDBM <= mean <= max(signals) + ROUNDING_CDBM
    assert 1.0 <= weight <= 20.0
    assert (count, last_ms) == (len(samples), max(ms for ms, _ in samples))


@given(st.lists(st.integers(1, 1999), max_size=300))
@settings(deadline=None, max_examples=30)
def test_a_steady_signal_is_its_own_mean(gaps_ms: list[int]) -> None:
    at_ms, reads = 0, [(0, 0, -5432)]
    for gap_ms in gaps_ms:
        at_ms += gap_ms
        reads.append((at_ms, 0, -5432))
    mean, _, count, _ = slot_of(tracker_after(reads))
    assert (mean, count) == (-5432.0, min(len(reads), 255))


@given(st.integers(1, 1999), CDBM, CDBM, CDBM)
@settings(deadline=None, max_examples=60)
def test_a_late_read_draws_the_mean_to_itself_the_less_the_later_it_is(late_ms: int, a: int, b: int, late: int) -> None:
    before, *_ = slot_of(tracker_after([(0, 0, a), (2500, 0, b)]))
    after, weight, count, last_ms = slot_of(tracker_after([(0, 0, a), (2500, 0, b), (2500 - late_ms, 0, late)]))
    assert min(before, late) - ROUNDING_CDBM <= after <= max(before, late) + ROUNDING_CDBM
    assert abs(after - before) <= abs(late - before) * (1 - late_ms / 2000) + ROUNDING_CDBM
    assert (count, last_ms) == (2, 2500)
    assert weight <= 2.0


def test_however_fast_the_reads_come_the_next_weighs_a_twentieth() -> None:
    steady = [(0, 0, -5000)] * 60
    mean, weight, *_ = slot_of(tracker_after([*steady, (0, 0, -6000)]))
    assert (mean, weight) == (-5050.0, 20.0)


def test_after_silence_a_new_mean_begins() -> None:
    assert slot_of(tracker_after([(0, 0, -3000), (100, 0, -3000), (2100, 0, -6000)])) == (-6000.0, 1.0, 1, 2100)
    assert slot_of(tracker_after([(0, 0, -3000), (2000, 0, -6000), (0, 0, -3000)])) == (-6000.0, 1.0, 1, 2000)


def test_of_many_antennas_the_strongest_are_remembered_until_they_are_stale() -> None:
    loud = [(n * 10, antenna, -4000 - antenna) for n in range(20) for antenna in range(4)]
    overheard = [(200 + n * 10, antenna, -7000) for n in range(20) for antenna in (4, 5, 6, 7)]
    tracker = tracker_after(loud + overheard)
    assert kept_antennas(tracker) == {0, 1, 2, 3}
    feed(tracker, OracleRead(START_NS + 450 * MS, 5, ITEMS[0], -3999))
    assert kept_antennas(tracker) == {0, 1, 2, 5}, "a stronger one takes the weakest one's place"
    feed(tracker, OracleRead(START_NS + 5190 * MS, 7, ITEMS[0], -8000))
    assert kept_antennas(tracker) == {0, 1, 2, 5}
    feed(tracker, OracleRead(START_NS + 5191 * MS, 7, ITEMS[0], -8000))
    assert kept_antennas(tracker) == {0, 2, 5, 7}, "what was not read for five seconds makes way for any"


def kept_antennas(tracker: Tracker) -> set[int]:
    hot = tracker._state.hot[tracker._state.hot["state"] != 0][0]
    return {int(each) for each in hot["slot_antenna"] if each != NO_ANTENNA}


@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, ANTENNAS - 1), CDBM), min_size=1, max_size=80))
@settings(deadline=None, max_examples=100)
def test_four_antennas_are_remembered_and_the_newest_of_the_own_place_is_among_them(
    samples: list[tuple[int, int, int]],
) -> None:
    at_ms, reads, newest = 0, [], {}
    for gap_ms, antenna, cdbm in samples:
        at_ms += gap_ms
        reads.append((at_ms, antenna, cdbm))
        newest[antenna] = at_ms
    tracker = tracker_after(reads)
    hot = tracker._state.hot[tracker._state.hot["state"] != 0][0]
    kept = [int(each) for each in hot["slot_antenna"] if each != NO_ANTENNA]
    assert len(kept) == len(set(kept)) == min(4, len(newest))
    assert any(antenna // 2 == hot["zone"] for antenna in kept)
    assert reads[-1][1] in kept or reads[-1][1] // 2 != hot["zone"]  # a weak read elsewhere is not remembered
    assert [slot_of(tracker, antenna)[3] for antenna in kept] == [newest[antenna] for antenna in kept]
