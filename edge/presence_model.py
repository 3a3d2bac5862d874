"""The values around the presence engine: the places it watches, its settings, and the transitions it reports."""

from dataclasses import dataclass, replace
from typing import Literal

from broker_config.site import ZoneKind

LONGEST_S = 315_360_000
"""Ten years: no setting is longer, and its nanoseconds fit into 64 bits beside any time."""

MOST_PLACES = 65_535

TransitionKind = Literal["arrived", "moved", "departed", "returned", "dwelled", "coverage_lost", "coverage_restored"]
Side = Literal["", "outside", "inside"]
Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Profile:
    """How readily a tag changes its place.

    A challenger must beat the current place by max(least, min(T, T + m * (dt - holdoff))), dt the time since the last read
    there.

    Args:
        threshold_db: T.
        holdoff_ms: how long the current place keeps its whole advantage.
        slope_db_per_ms: m, at most 0.
        least_db: a place that much weaker never wins, however long the current one was not read.
    """

    threshold_db: float
    holdoff_ms: int
    slope_db_per_ms: float
    least_db: float = -100.0


PERSON = Profile(6.0, 0, -0.008)
ITEM = Profile(6.0, 500, -0.008)
GARMENT = Profile(6.0, 60_000, -0.0005)


@dataclass(frozen=True, slots=True)
class ZoneSettings:
    """The presence rules of one zone.  Those of a zone kind are in `PresenceSettings`.

    Args:
        confirm_reads, confirm_window_ms: so many reads within so long of the first make a tag present (persons: never fewer than 2).
        person_departs_s, item_departs_s: unseen for more than this, it departs.
        exit_departs_s: at an `exit` zone, at most this.
        move_min_reads: so many fresh reads here before a tag can move here.
        sample_age_ms: a challenger's reads are fresh for max(this, holdoff).
        fade_ms: the weight of a signal fades to nothing in so long; a read after such a pause begins a new mean.
        creates_items: whether an item may arrive here that was not known before.
        dwell_s: a person seen for so long at this place has `dwelled`; 0: never.
        sold_after_s: an item seen for so long at this place is sold; 0: never.
        person, item, garment: how readily a tag leaves this zone for another.
    """

    confirm_reads: int = 2
    confirm_window_ms: int = 1500
    person_departs_s: float = 8.0
    item_departs_s: float = 600.0
    exit_departs_s: float = 30.0
    move_min_reads: int = 3
    sample_age_ms: int = 2000
    fade_ms: int = 2000
    creates_items: bool = True
    dwell_s: float = 20.0
    sold_after_s: float = 0.0
    person: Profile = PERSON
    item: Profile = ITEM
    garment: Profile = GARMENT


_PASSAGE = ZoneSettings(person=Profile(8.0, 500, -0.006), sample_age_ms=5000, fade_ms=1000, dwell_s=0.0)
"""Whoever is not seen in a doorway any more has gone through it; nobody stands there long."""
_PLACE = replace(_PASSAGE, person_departs_s=12.0, dwell_s=20.0)
"""A body or a bag hides a card for ten seconds."""
_TILL = replace(_PLACE, creates_items=False)
_STORAGE = replace(_PLACE, person_departs_s=15.0, item=Profile(15.0, 1000, -0.002, 0.0))
"""Many tags share the reads here, and most lie still: a pause says little, a stronger signal elsewhere does."""


@dataclass(frozen=True, slots=True)
class PresenceSettings:
    """Every default of the presence rules: one `ZoneSettings` per zone kind, and what holds for the whole site.

    Tuned on seeds 1 to 4 of `tests/accuracy`, whose results on others are in BENCHMARKS.md.

    Args:
        person_forgotten_s: a departed person is forgotten when unseen for so long: the visit's end.
        item_forgotten_days: a departed item likewise.
        late_limit_s: a read that is late by more than this is ignored and counted.
        garment_prefixes: EPC prefixes of goods that follow the garment profile instead of the item profile.
    """

    door: ZoneSettings = _PASSAGE
    floor: ZoneSettings = _PLACE
    shelf: ZoneSettings = _STORAGE
    fitting_room: ZoneSettings = _PLACE
    till: ZoneSettings = _TILL
    exit: ZoneSettings = _PASSAGE
    desk: ZoneSettings = _PLACE
    stock: ZoneSettings = _STORAGE
    person_forgotten_s: float = 600.0
    item_forgotten_days: float = 14.0
    late_limit_s: float = 3600.0
    garment_prefixes: tuple[bytes, ...] = ()

    def of_kind(self, kind: ZoneKind) -> ZoneSettings:
        """The settings of a zone kind."""
        settings: ZoneSettings = getattr(self, kind.replace("-", "_"))
        return settings


@dataclass(frozen=True, slots=True)
class Antenna:
    """One antenna of one reader.

    Args:
        number: counted from 1, as in `Read.antenna`.
        zone: index into `Layout.zones`.
        floor_dbm: weaker reads are ignored and counted.
        side: of a door; the order of the two sides gives the direction of who passes.
    """

    reader_id: str
    number: int
    zone: int
    floor_dbm: float = -327.0
    side: Side = ""


@dataclass(frozen=True, slots=True)
class ZoneSpec:
    """One zone; `settings` None means those of its kind."""

    id: str
    kind: ZoneKind
    settings: ZoneSettings | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the antennas are.  A read's `antenna` column is an index into `antennas`."""

    antennas: tuple[Antenna, ...]
    zones: tuple[ZoneSpec, ...]

    def __post_init__(self) -> None:
        if not self.zones:
            raise ValueError("a layout without zones has nowhere to be")
        if max(len(self.zones), len(self.antennas)) > MOST_PLACES:
            raise ValueError(f"a layout has at most {MOST_PLACES} zones and as many antennas")
        for antenna in self.antennas:
            if not 0 <= antenna.zone < len(self.zones):
                raise ValueError(f"antenna {antenna.reader_id}/{antenna.number}: no zone {antenna.zone}")


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a tag's presence, or of a zone's coverage (`epc` empty, `serial` -1, `reads` 0).

    `EXITING` is silent and shows only as the reason of a departure.

    Args:
        person: a member's card; False: an item.
        epc: RAM only for persons: never stored, published or logged; empty for one who was not read again since a restart.
        handle: the member's 16-byte handle; None for items.
        zone: index; the zone left, for `departed`.
        from_zone: for `moved`.
        t_ns: when it happened: first read (arrived, returned), deciding read (moved), last read (departed).
        detected_t_ns: when it was known: confirming read, deciding read, deadline.
        reads: the confirming reads; the reads that won the place; all reads of the presence that ended.
        rssi_dbm: mean signal at the place.
        margin_db: by how much the place won over the next best; None when there was no other.
        reason: of a departure: `timeout`, `exit`, or `withdrawn` (the card is no longer in the member table).
        serial: names the tag's record for as long as it is remembered, also over a restart; in order of creation.
        direction: of one who leaves a door zone with antennas on both sides.
    """

    kind: TransitionKind
    person: bool
    epc: bytes
    handle: bytes | None
    zone: int
    from_zone: int | None
    t_ns: int
    detected_t_ns: int
    last_read_ns: int
    reads: int
    rssi_dbm: float
    margin_db: float | None
    reason: str | None
    serial: int = -1
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class PresentTag:
    """An item in a zone.

    Args:
        reads, arrived_ns: at this place, since it came to it.
        mean_interval_ns: between its reads there; None before the second.
    """

    epc: bytes
    last_read_ns: int
    reads: int
    arrived_ns: int
    mean_interval_ns: int | None


@dataclass(slots=True)
class Counters:
    """What the engine has seen since its start, and what is present now.

    Args:
        reads: rows fed; the next eight say what became of those that were not plainly used.
        late: older than the newest read; still statistics.
        clamped: dated later than they were received.
        candidates: candidacies begun; of these `strays` by tags that are neither member, staff nor own goods.
        strays_forgotten: candidacies that ended unconfirmed.
        evicted, refused: candidates and departed items thrown out of a full table; newcomers that found no room.
        bad_time, rssi_clamped, stale: absurd times; absurd signals; late by more than `late_limit_s`.
        sold, sold_ignored: items that became sold; reads of these where goods are sold no more.
    """

    reads: int = 0
    below_floor: int = 0
    late: int = 0
    clamped: int = 0
    bad_epc: int = 0
    bad_antenna: int = 0
    crc_wrong: int = 0
    till_ignored: int = 0
    lease_ignored: int = 0
    candidates: int = 0
    strays: int = 0
    strays_forgotten: int = 0
    staff: int = 0
    evicted: int = 0
    refused: int = 0
    arrived: int = 0
    moved: int = 0
    departed: int = 0
    returned: int = 0
    forgotten: int = 0
    present_items: int = 0
    present_people: int = 0
    tags: int = 0
    rebuilds: int = 0
    bad_time: int = 0
    rssi_clamped: int = 0
    stale: int = 0
    sold: int = 0
    sold_ignored: int = 0
