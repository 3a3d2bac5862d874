"""A recording through the presence engine, or through plain re-report suppression; what comes out as lines of JSON."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from broker_config.member_table import MemberTable
from edge.clock import NS_PER_S
from edge.presence import Tracker
from edge.presence_model import Layout, PresenceSettings, Profile, ZoneSettings
from edge.recording import Recording
from edge.replay_lines import EventLines, read_lines
from hotpath.dedup import suppress_repeats
from hotpath.leaps import clamp_leaps
from hotpath.record import NEVER

AHEAD_NS = 3600 * NS_PER_S
"""A row further ahead of the newest accepted one is not believed by itself."""
MOST_SOURCES = 1 << 24
PROFILES = {each: getattr(PresenceSettings().floor, each) for each in ("person", "item", "garment")}


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line changes for every zone; None leaves the default.

    Args:
        depart_after_s: for items and persons, at exits too.
        profile: how readily items move.
    """

    confirm_reads: int | None = None
    confirm_window_ms: int | None = None
    depart_after_s: float | None = None
    profile: Profile | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a recording.

    Args:
        reads: rows that could be read; `late` are older than a row before them, and of these the `stale` were ignored.
        clamped: dated too far ahead; `rssi_clamped`: signals that no reader receives.
        malformed: rows left out.
        strays: tags never confirmed.
        arrivals: `arrived` and `returned` events; `returned` says how many of them were the latter.
    """

    reads: int
    late: int
    stale: int
    clamped: int
    malformed: int
    below_floor: int
    rssi_clamped: int
    tags: int
    strays: int
    arrivals: int
    returned: int
    moves: int
    departures: int
    still_present: int


def make_settings(overrides: Overrides) -> PresenceSettings:
    """The defaults with the command line's changes in every kind of zone."""
    defaults = PresenceSettings()
    return replace(
        defaults,
        door=_changed(defaults.door, overrides),
        floor=_changed(defaults.floor, overrides),
        shelf=_changed(defaults.shelf, overrides),
        fitting_room=_changed(defaults.fitting_room, overrides),
        till=_changed(defaults.till, overrides),
        exit=_changed(defaults.exit, overrides),
        desk=_changed(defaults.desk, overrides),
        stock=_changed(defaults.stock, overrides),
    )


def _changed(zone: ZoneSettings, overrides: Overrides) -> ZoneSettings:
    zone = replace(zone, dwell_s=0.0)  # what is printed are arrivals, moves, departures
    if overrides.profile is not None:
        zone = replace(zone, item=overrides.profile)
    if overrides.confirm_reads is not None:
        zone = replace(zone, confirm_reads=overrides.confirm_reads)
    if overrides.confirm_window_ms is not None:
        zone = replace(zone, confirm_window_ms=overrides.confirm_window_ms)
    if overrides.depart_after_s is not None:
        limit_s = overrides.depart_after_s
        zone = replace(zone, person_departs_s=limit_s, item_departs_s=limit_s, exit_departs_s=limit_s)
    return zone


def replay_events(
    recording: Recording,
    layout: Layout,
    settings: PresenceSettings,
    members: tuple[bytes, MemberTable] | None,
    emit: Callable[[bytes], object] | None,
) -> Summary:
    """Run the log, in file order, up to its last record.

    Args:
        members: match key and table of the tags that are cards; all others are items.
        emit: is given every event as a line of JSON, many lines at a time; None: only the summary is wanted.
    """
    tracker = Tracker(layout, settings, seed=secrets.randbits(62), own_goods=None, capacity=_roomy(recording.tag_count))
    if members is not None:
        tracker.set_members(*members)
    lines = EventLines(recording, layout)
    t_ns = recording.rows.t_ns.copy()
    clamped = clamp_leaps(t_ns, AHEAD_NS)
    for columns in recording.batches(t_ns):
        for events in tracker.feed_columns(columns):
            tags = lines.note(events)
            if emit is not None:
                for block in lines.blocks(events, tags):
                    emit(block)
    counters = tracker.counters
    return Summary(
        reads=counters.reads,
        late=counters.late,
        stale=counters.stale,
        clamped=clamped,
        malformed=recording.bad_rows.count,
        below_floor=counters.below_floor,
        rssi_clamped=counters.rssi_clamped,
        tags=recording.tag_count,
        strays=recording.tag_count - lines.confirmed_count,
        arrivals=counters.arrived + counters.returned,
        returned=counters.returned,
        moves=counters.moved,
        departures=counters.departed,
        still_present=counters.present_items + counters.present_people,
    )


def _roomy(tags: int) -> int:
    """A capacity at which nothing is refused or evicted: the engine keeps a sixteenth of it for persons."""
    return tags + tags // 8 + 16


def replay_reads(recording: Recording, window_s: float, *, by_antenna: bool) -> Iterator[bytes]:
    """Plain re-report suppression: sorted by time (stable), a read passes if its source did not in the last `window_s`.

    Comes in blocks of many lines.
    """
    log = recording.rows
    order = np.arange(len(recording)) if (np.diff(log.t_ns) >= 0).all() else np.argsort(log.t_ns, kind="stable")
    source, sources = log.tag.astype(np.int64), recording.tag_count
    if by_antenna:
        source, sources = source * len(recording.antennas) + log.antenna, sources * len(recording.antennas)
    if sources > MOST_SOURCES:
        _, source = np.unique(source, return_inverse=True)
        sources = len(recording)
    keep = np.zeros(len(recording), np.bool_)
    passed_ns = np.full(sources, NEVER, np.int64)
    suppress_repeats(source[order], log.t_ns[order], round(window_s * NS_PER_S), passed_ns, keep)
    return read_lines(recording, order[keep])
