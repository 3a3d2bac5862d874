"""A snapshot's bytes: whole, or refused in one line; never half restored, never a departure of everybody."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.presence import Antenna, Layout, SnapshotError, Tracker, ZoneSpec
from edge.presence_snapshot import Since
from hotpath import record
from hotpath.snapshot import checksum
from tests.hotpath.floor import CARD, EXIT, ITEM, LAYOUT, A, B, S, at, feed, make_tracker, told
from tests.hotpath.store import CARDS, FOREVER_NS, ITEMS, KEY, MEMBERS, OWN, START_NS, table_of

NOW_NS = START_NS + 60 * S


def full_store() -> Tracker:
    """Two items and two persons present, one item departed."""
    tracker = make_tracker()
    feed(tracker, at(0, B, ITEMS[2]), at(0.1, B, ITEMS[2]))
    tracker.tick(START_NS + 1000 * S)
    reads = [(A, ITEM), (B, ITEMS[1]), (A, CARD), (B, CARDS[1])]
    feed(tracker, *(at(1001 + n / 10, zone, epc) for n in range(3) for zone, epc in reads))
    return tracker


@pytest.fixture(scope="module")
def kept() -> bytes:
    return full_store().snapshot().to_bytes()


def assert_untouched(tracker: Tracker) -> None:
    """A refused snapshot leaves an engine that works as a new one."""
    assert tracker.counters.tags == 0
    assert tracker.counts().sum() == 0
    assert [event.kind for event in feed(tracker, at(2000), at(2000.1))] == ["arrived"]


def test_all_that_was_there_is_there_again(kept: bytes) -> None:
    old, new = full_store(), make_tracker(seed=77)
    restored = new.restore(kept, NOW_NS)
    assert (restored.items, restored.people, restored.dropped) == (3, 2, 0)
    assert new.counts().tolist() == old.counts().tolist()
    assert [new.present_in(zone) for zone in (A, B)] == [old.present_in(zone) for zone in (A, B)]
    again = make_tracker(seed=78)
    again.restore(new.snapshot().to_bytes(), NOW_NS)
    first, second = ([*each.tick(START_NS + 9000 * S), each.counters] for each in (new, again))
    assert first == second, "and kept again, it is the same"


@pytest.mark.parametrize("last", ["b", None])
def test_an_item_that_was_said_to_be_elsewhere_since_is_told_when_it_is_read_where_it_was(
    kept: bytes, last: str | None
) -> None:
    new = make_tracker(seed=77)
    new.restore(kept, START_NS + 1002 * S, Since({ITEM.hex(): last, ITEMS[1].hex(): LAYOUT.zones[B].id}))
    assert [tag.epc for zone in (A, B) for tag in new.present_in(zone)] == [ITEMS[1]]
    assert new.counts()[A, 0] == 0
    events = feed(new, at(1003, A, ITEM), at(1003.1, A, ITEM), at(1003.2, B, ITEMS[1]), at(1003.3, B, ITEMS[1]))
    assert told(events) == [("returned", A, 1003.1)], "and of the other nothing has changed"


def test_a_person_who_was_said_to_have_left_since_is_told_when_read_where_they_were() -> None:
    tracker, new = make_tracker(), make_tracker(seed=77)
    events = feed(tracker, *(at(n / 10, A, epc) for n in range(2) for epc in (CARD, CARDS[1])))
    serials = {event.epc: event.serial for event in events}
    new.restore(tracker.snapshot().to_bytes(), START_NS + S, Since(left={serials[CARD]}))
    assert new.counts()[A, 1] == 1
    new.set_members(KEY, table_of(MEMBERS, FOREVER_NS))
    events = feed(new, *(at(2 + n / 10, A, epc) for n in range(2) for epc in (CARD, CARDS[1])))
    assert [(event.kind, event.serial, event.handle) for event in events] == [
        ("returned", serials[CARD], MEMBERS[CARD])
    ]


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_a_byte_that_is_wrong_anywhere_is_noticed(kept: bytes, data: st.DataObject) -> None:
    at_byte, change = data.draw(st.integers(0, len(kept) - 1)), data.draw(st.integers(1, 255))
    broken = bytearray(kept)
    broken[at_byte] ^= change
    tracker = make_tracker()
    with pytest.raises(SnapshotError) as refused:
        tracker.restore(bytes(broken), NOW_NS)
    assert "\n" not in str(refused.value)
    assert_untouched(tracker)


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_one_that_is_cut_off_or_runs_on_is_refused(kept: bytes, data: st.DataObject) -> None:
    tracker = make_tracker()
    shorter = kept[: data.draw(st.integers(0, len(kept) - 1))]
    longer = kept + data.draw(st.binary(min_size=1, max_size=40))
    for broken in (shorter, longer):
        with pytest.raises(SnapshotError):
            tracker.restore(broken, NOW_NS)
    assert_untouched(tracker)


@given(st.binary(max_size=400))
@settings(deadline=None, max_examples=100)
def test_a_foreign_file_is_refused(data: bytes) -> None:
    tracker = make_tracker()
    for foreign in (data, b"TACETPR1" + data, b"TACETPR1" + bytes(len(data))):
        with pytest.raises(SnapshotError):
            tracker.restore(foreign, NOW_NS)
    assert_untouched(tracker)


def test_one_of_another_version_is_refused(kept: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SnapshotError, match="version"):
        make_tracker().restore(b"TACETPR0" + kept[8:], NOW_NS)
    monkeypatch.setattr(record, "HOT", np.dtype([*record.HOT.descr, ("more", "u8")]))
    with pytest.raises(SnapshotError, match="version"):
        make_tracker().restore(kept, NOW_NS)


def with_rows(kept: bytes, change: Callable[[np.ndarray], None]) -> bytes:
    """The snapshot with other rows, and the checksum of these."""
    size = int.from_bytes(kept[8:12], "little")
    start, rows = -(-(12 + size) // 8) * 8, msgspec.json.decode(kept[12 : 12 + size])["rows"]
    hot = np.frombuffer(kept, record.HOT, rows, start).copy()
    change(hot)
    return with_checksum(kept[:start] + hot.tobytes() + kept[start + hot.nbytes : -8])


def with_checksum(body: bytes) -> bytes:
    return body + int(checksum(np.frombuffer(bytearray(body), np.uint64))).to_bytes(8, "little")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", record.CANDIDATE),
        ("state", 200),
        ("kind", record.STRAY),
        ("profile", record.PROFILES),
        ("epc_len", record.MAX_EPC_BYTES + 1),
        ("epc_len", 0),
        ("zone", 4),
    ],
)
def test_rows_that_no_engine_writes_are_refused_although_their_checksum_is_right(
    kept: bytes, name: str, value: int
) -> None:
    def change(hot: np.ndarray) -> None:
        item = np.flatnonzero((hot["kind"] == record.ITEM) & (hot["state"] == record.PRESENT))[0]
        hot[name][item] = value

    tracker = make_tracker()
    with pytest.raises(SnapshotError, match="no engine writes"):
        tracker.restore(with_rows(kept, change), NOW_NS)
    assert_untouched(tracker)
    assert make_tracker().restore(with_rows(kept, lambda _: None), NOW_NS).items == 3


def test_a_header_that_is_no_text_is_refused_in_one_line(kept: bytes) -> None:
    with pytest.raises(SnapshotError, match="header"):
        make_tracker().restore(with_checksum(kept.replace(b'"b"', b'"\xff"', 1)[:-8]), NOW_NS)


def test_the_place_in_the_index_which_comes_from_the_card_is_not_kept(kept: bytes) -> None:
    def change(hot: np.ndarray) -> None:
        assert (hot["kind"] == record.PERSON).sum() == 2
        assert not hot["hash"].any()

    with_rows(kept, change)


def test_who_was_on_the_way_out_of_what_is_no_exit_any_more_stays_as_anywhere() -> None:
    old = make_tracker()
    feed(old, at(0, EXIT), at(0.1, EXIT))
    kinds = [ZoneSpec(zone.id, "floor" if zone.kind == "exit" else zone.kind) for zone in LAYOUT.zones]
    new = make_tracker(layout=replace(LAYOUT, zones=tuple(kinds)))
    new.restore(old.snapshot().to_bytes(), START_NS + S)
    (event,) = new.tick(START_NS + 900 * S)
    assert (event.reason, event.detected_t_ns) == ("timeout", START_NS + 601 * S)


def test_it_only_fits_into_an_engine_that_has_seen_nothing_and_has_room(kept: bytes) -> None:
    busy = full_store()
    before = busy.counters
    with pytest.raises(SnapshotError, match="seen nothing"):
        busy.restore(kept, NOW_NS)
    assert busy.counters == before
    with pytest.raises(SnapshotError, match="capacity"):
        make_tracker(capacity=4).restore(kept, NOW_NS)


def without_zone_b(layout: Layout) -> Layout:
    antennas = [replace(each, zone=max(0, each.zone - 1)) for each in layout.antennas if each.zone != B]
    return Layout(tuple(antennas), tuple(zone for zone in layout.zones if zone.id != "b"))


def without_antenna_b(layout: Layout) -> Layout:
    return replace(layout, antennas=tuple(each for each in layout.antennas if each.zone != B))


def with_antenna_b_at_a(layout: Layout) -> Layout:
    return replace(
        layout, antennas=tuple(replace(each, zone=A if each.zone == B else each.zone) for each in layout.antennas)
    )


@pytest.mark.parametrize("rebuild", [without_zone_b, without_antenna_b, with_antenna_b_at_a])
def test_after_building_work_who_was_where_nobody_reads_any_more_is_dropped(
    kept: bytes, rebuild: Callable[[Layout], Layout]
) -> None:
    new = make_tracker(layout=rebuild(LAYOUT))
    restored = new.restore(kept, START_NS + 1002 * S)
    assert (restored.items, restored.people, restored.dropped) == (2, 1, 2)
    assert [tag.epc for tag in new.present_in(A)] == [ITEM]
    events = feed(new, at(1003, A, ITEMS[2]), at(1003.1, A, ITEMS[2]))
    assert told(events) == [("returned", A, 1003.1)], "who had departed is known, wherever that was"


def test_zones_and_antennas_may_change_their_order(kept: bytes) -> None:
    turned = Layout(
        tuple(Antenna("r", zone + 1, 3 - zone, -70.0) for zone in (3, 1, 0, 2)),
        tuple(ZoneSpec(zone.id, zone.kind) for zone in reversed(LAYOUT.zones)),
    )
    new = make_tracker(layout=turned)
    assert new.restore(kept, START_NS + 1002 * S).dropped == 0
    assert new.counts().tolist() == full_store().counts().tolist()[::-1]
    assert {event.zone for event in new.tick(START_NS + 5000 * S)} == {2, 3}


def test_an_empty_snapshot_is_one_too() -> None:
    new = make_tracker()
    restored = new.restore(make_tracker().snapshot().to_bytes(), NOW_NS)
    assert (restored.items, restored.people, restored.dropped) == (0, 0, 0)
    assert_untouched(new)


def test_long_epcs_are_kept_whole() -> None:
    epcs = [OWN + bytes(range(size)) for size in (1, 12, 13, 57, 58)]
    tracker, new = make_tracker(), make_tracker(seed=9)
    feed(tracker, *(at(n / 10, A, epc) for n in range(2) for epc in epcs))
    new.restore(tracker.snapshot().to_bytes(), START_NS + S)
    assert [tag.epc for tag in new.present_in(A)] == sorted(epcs)
