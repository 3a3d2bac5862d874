"""Rows, settings and signals that make no sense: refused or put right by a stated rule, counted, never a crash."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.columns import Columns
from edge.presence import Antenna, Counters, Layout, PresenceSettings, Profile, Tracker, ZoneSettings, ZoneSpec
from hotpath import record
from tests.hotpath.floor import S, at, make_tracker
from tests.hotpath.store import START_NS, to_columns


def test_reads_that_make_no_sense_are_counted_and_harm_nobody() -> None:
    tracker = make_tracker()
    columns = to_columns([at(0), at(0.1), at(0.2), at(0.3)])
    columns.antenna[0], columns.epc_len[1], columns.epc_len[2] = 60_000, 0, 63
    assert tracker.feed(columns) == []
    counters = tracker.counters
    assert (counters.bad_antenna, counters.bad_epc, counters.reads, counters.candidates) == (1, 2, 4, 1)


@pytest.mark.parametrize(
    "zone",
    [
        ZoneSettings(confirm_reads=0),
        ZoneSettings(person_departs_s=0),
        ZoneSettings(item=replace(ZoneSettings().item, holdoff_ms=-1)),
        ZoneSettings(person_departs_s=0.0009),
        ZoneSettings(exit_departs_s=1e-9),
        ZoneSettings(move_min_reads=256),
    ],
)
def test_settings_that_no_store_can_mean_are_refused(zone: ZoneSettings) -> None:
    with pytest.raises(ValueError, match="zone a"):
        make_tracker(PresenceSettings(floor=zone))


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
    with pytest.raises(ValueError, match=r"must be|is 0 to|are more than 0"):
        Tracker(Layout((), (ZoneSpec("a", "floor"),)), settings, seed=1, own_goods=None)


def test_a_layout_has_no_more_places_than_a_record_can_number() -> None:
    most = 65_535
    Layout((), (ZoneSpec("a", "floor"),) * most)
    with pytest.raises(ValueError, match="at most"):
        Layout((), (ZoneSpec("a", "floor"),) * (most + 1))
    with pytest.raises(ValueError, match="at most"):
        Layout((Antenna("r", 1, 0, -70.0),) * (most + 1), (ZoneSpec("a", "floor"),))


def test_the_shortest_limit_at_a_place_whose_reader_is_silent_ends() -> None:
    """Its deadline was looked at again at the same time, for ever."""
    tracker = make_tracker(PresenceSettings(floor=ZoneSettings(person_departs_s=0.001, item_departs_s=0.001)))
    columns = to_columns([at(0), at(0.0001)])
    assert [event.kind for event in tracker.feed(columns)] == ["arrived"]
    tracker.set_coverage("r", False, START_NS + S // 2000)
    assert tracker.tick(START_NS + 2 * S) == []
    tracker.set_coverage("r", True, START_NS + 3 * S)
    assert [event.kind for event in tracker.tick(START_NS + 4 * S)] == ["departed"]


def words_too_narrow(columns: Columns) -> NDArray[np.uint64]:
    return columns.epc[:, :1].copy()


def words_in_one_row(columns: Columns) -> NDArray[np.uint64]:
    return columns.epc.reshape(-1)[: len(columns)].copy()


def words_off_their_place(columns: Columns) -> NDArray[np.uint64]:
    room = np.zeros(columns.epc.nbytes + 1, np.uint8)
    return room[1:].view(np.uint64).reshape(columns.epc.shape)


def every_other_word(columns: Columns) -> NDArray[np.uint64]:
    return np.repeat(columns.epc, 2, axis=1)[:, ::2]


@pytest.mark.parametrize("spoil", [words_too_narrow, words_in_one_row, words_off_their_place, every_other_word])
def test_columns_that_the_compiled_feed_would_misread_are_never_made(
    spoil: Callable[[Columns], NDArray[np.uint64]],
) -> None:
    columns = to_columns([at(0), at(0.1)])
    with pytest.raises(ValueError, match="columns"):
        replace(columns, epc=spoil(columns))


def test_counters_are_named_in_the_order_in_which_the_kernels_count() -> None:
    assert [each.name for each in fields(Counters)] == [
        "reads", "below_floor", "late", "clamped", "bad_epc", "bad_antenna", "crc_wrong", "till_ignored", "lease_ignored",
        "candidates", "strays", "strays_forgotten", "staff", "evicted", "refused", "arrived", "moved", "departed",
        "returned", "forgotten", "present_items", "present_people", "tags", "rebuilds", "bad_time", "rssi_clamped",
        "stale", "sold", "sold_ignored",
    ]  # fmt: skip
    assert len(fields(Counters)) == record.COUNTERS
