"""Rows, settings and signals that make no sense: refused or put right by a stated rule, counted, never a crash."""

from dataclasses import fields, replace

import pytest

from edge.presence import Counters, Layout, PresenceSettings, Profile, Tracker, ZoneSettings, ZoneSpec
from hotpath import record
from tests.hotpath.floor import at, make_tracker
from tests.hotpath.store import to_columns


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


def test_counters_are_named_in_the_order_in_which_the_kernels_count() -> None:
    assert [each.name for each in fields(Counters)] == [
        "reads", "below_floor", "late", "clamped", "bad_epc", "bad_antenna", "crc_wrong", "till_ignored", "lease_ignored",
        "candidates", "strays", "strays_forgotten", "staff", "evicted", "refused", "arrived", "moved", "departed",
        "returned", "forgotten", "present_items", "present_people", "tags", "rebuilds", "bad_time", "rssi_clamped",
        "stale", "sold", "sold_ignored",
    ]  # fmt: skip
    assert len(fields(Counters)) == record.COUNTERS
