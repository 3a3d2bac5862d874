"""The engine's memory for one layout: settings turned into the rows that the kernels read, tables allocated."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.clock import NS_PER_MS, NS_PER_S
from edge.presence_model import LONGEST_S, Layout, PresenceSettings, Profile, Side, ZoneSettings, ZoneSpec
from hotpath import record
from hotpath.memory import allocate

EVENT_ROWS = 4096
NS_PER_DAY = 86_400 * NS_PER_S
SHORTEST_S = 0.001
MOST_READS = 255
"""A mean counts no further."""
SEES_SOLD = ("till", "desk", "exit")
"""Kinds of zone in which a sold thing is still of interest."""
SIDES: tuple[Side, ...] = ("", "outside", "inside")  # as hotpath.record.NO_SIDE and so on


def make_state(
    layout: Layout, settings: PresenceSettings, seed: int, own_goods: Sequence[bytes] | None, capacity: int
) -> record.State:
    """Fresh memory for `capacity` tags.

    Raises:
        ValueError: a setting that no store can mean.
    """
    if not 1 <= capacity < 1 << 30:
        raise ValueError(f"capacity {capacity} is not between 1 and 2^30 tags")
    forgotten_s = settings.person_forgotten_s, settings.item_forgotten_days * 86_400
    if not all(0 < each <= LONGEST_S for each in (*forgotten_s, settings.late_limit_s)):
        raise ValueError(f"presence: forgetting and lateness are more than 0 and at most {LONGEST_S} s")
    state = allocate(
        capacity,
        seed,
        zones=_zone_rows(layout, settings),
        antennas=_antenna_rows(layout, settings),
        prefixes=np.concatenate([_prefix_rows(own_goods or (), 0), _prefix_rows(settings.garment_prefixes, 1)]),
        event_rows=EVENT_ROWS,
        has_goods=own_goods is not None,
    )
    state.numbers[record.PERSON_FORGOTTEN] = round(settings.person_forgotten_s * NS_PER_S)
    state.numbers[record.ITEM_FORGOTTEN] = round(settings.item_forgotten_days * NS_PER_DAY)
    state.numbers[record.LATE_LIMIT] = round(settings.late_limit_s * NS_PER_S)
    return state


def _zone_rows(layout: Layout, settings: PresenceSettings) -> NDArray[np.void]:
    rows = np.zeros(len(layout.zones), record.ZONE)
    for row, zone in zip(rows, layout.zones, strict=True):
        own = _rules(zone, settings)
        _check(own, f"zone {zone.id}")
        at_most_s = own.exit_departs_s if zone.kind == "exit" else float("inf")
        row["confirm_reads"] = own.confirm_reads
        row["window_ns"] = own.confirm_window_ms * NS_PER_MS
        row["person_limit_ns"] = round(min(own.person_departs_s, at_most_s) * NS_PER_S)
        row["item_limit_ns"] = round(min(own.item_departs_s, at_most_s) * NS_PER_S)
        row["move_min_reads"] = own.move_min_reads
        row["dwell_ns"] = round(own.dwell_s * NS_PER_S)
        row["sold_after_ns"] = round(own.sold_after_s * NS_PER_S)
        row["resumed_ns"] = record.NEVER
        row["is_exit"], row["is_door"] = zone.kind == "exit", zone.kind == "door"
        row["creates_items"], row["sees_sold"] = own.creates_items, zone.kind in SEES_SOLD
        for number, profile in enumerate((own.person, own.item, own.garment)):  # as PROFILE_PERSON and so on
            row["threshold_db"][number] = profile.threshold_db
            row["slope_db_per_ms"][number] = profile.slope_db_per_ms
            row["least_db"][number] = profile.least_db
            row["holdoff_ns"][number] = profile.holdoff_ms * NS_PER_MS
    return rows


def _check(own: ZoneSettings, where: str) -> None:
    counts_and_times = (
        own.confirm_reads, own.confirm_window_ms, own.person_departs_s, own.item_departs_s, own.exit_departs_s,
        own.move_min_reads, own.sample_age_ms, own.fade_ms,
    )  # fmt: skip
    if not all(0 < each <= LONGEST_S for each in counts_and_times):
        raise ValueError(f"{where}: counts and times must be above 0 and at most {LONGEST_S}")
    if (
        min(own.person_departs_s, own.item_departs_s, own.exit_departs_s) < SHORTEST_S
        or own.move_min_reads > MOST_READS
    ):
        raise ValueError(f"{where}: limits are {SHORTEST_S} s or more, and move_min_reads at most {MOST_READS}")
    if not all(0 <= each <= LONGEST_S for each in (own.dwell_s, own.sold_after_s)):
        raise ValueError(f"{where}: dwell_s and sold_after_s must be 0 (never) or more, and at most {LONGEST_S}")
    for profile in (own.person, own.item, own.garment):
        _check_profile(profile, where)


def _check_profile(profile: Profile, where: str) -> None:
    if not 0 <= profile.holdoff_ms <= LONGEST_S or not profile.slope_db_per_ms <= 0:
        raise ValueError(f"{where}: a profile's holdoff is 0 to {LONGEST_S} ms and its slope at most 0")
    if not math.isfinite(profile.threshold_db) or not math.isfinite(profile.slope_db_per_ms):
        raise ValueError(f"{where}: a profile's threshold and slope must be numbers")
    if not math.isfinite(profile.least_db) or profile.least_db > profile.threshold_db:
        raise ValueError(f"{where}: a profile's least_db is a number, at most its threshold_db")


def _antenna_rows(layout: Layout, settings: PresenceSettings) -> NDArray[np.void]:
    rows = np.zeros(len(layout.antennas), record.ANTENNA)
    for row, antenna in zip(rows, layout.antennas, strict=True):
        own = _rules(layout.zones[antenna.zone], settings)
        row["zone"] = antenna.zone
        row["floor_cdbm"] = round(antenna.floor_dbm * 100)
        row["side"] = SIDES.index(antenna.side)
        for number, profile in enumerate((own.person, own.item, own.garment)):  # as PROFILE_PERSON and so on
            row["age_ns"][number] = max(own.sample_age_ms, profile.holdoff_ms) * NS_PER_MS
        row["fade_ns"] = own.fade_ms * NS_PER_MS
        row["inverse_fade"] = 1.0 / (own.fade_ms * NS_PER_MS)
    return rows


def _rules(zone: ZoneSpec, settings: PresenceSettings) -> ZoneSettings:
    return zone.settings or settings.of_kind(zone.kind)


def _prefix_rows(prefixes: Sequence[bytes], garment: int) -> NDArray[np.uint8]:
    rows = np.zeros((len(prefixes), 2 + record.MAX_EPC_BYTES), np.uint8)
    for row, prefix in zip(rows, prefixes, strict=True):
        if not 1 <= len(prefix) <= record.MAX_EPC_BYTES:
            raise ValueError(f"an EPC prefix has 1 to {record.MAX_EPC_BYTES} bytes, not {len(prefix)}")
        row[:2] = len(prefix), garment
        row[2 : 2 + len(prefix)] = np.frombuffer(prefix, np.uint8)
    return rows
