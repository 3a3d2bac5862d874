"""A recording through the presence engine, or through plain re-report suppression; what comes out as JSON lines."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from broker_config.member_table import MemberTable
from edge.presence import Tracker
from edge.presence_model import GARMENT, ITEM, PERSON, Layout, PresenceSettings, Profile, Transition, ZoneSettings
from edge.recording import Recording, clamp_leaps

NS_PER_S = 1_000_000_000
PROFILES = {"person": PERSON, "item": ITEM, "garment": GARMENT}


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
    profile: Profile = ITEM


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it is printed; times are UTC seconds, exact."""

    event: str
    t: msgspec.Raw
    detected_t: msgspec.Raw
    epc: str
    zone: str
    from_zone: str | None
    last_read_t: msgspec.Raw
    reads: int
    rssi_dbm: float
    reason: str | None


class ReadLine(msgspec.Struct, frozen=True, kw_only=True):
    """One read that passed, as it is printed."""

    t: msgspec.Raw
    reader: str
    antenna: int
    epc: str
    rssi_dbm: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a recording.

    Args:
        strays: tags never confirmed.
        arrivals: `arrived` and `returned` events; `returned` says how many of them were the latter.
    """

    reads: int
    late: int
    clamped: int
    malformed: int
    below_floor: int
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
    return PresenceSettings(
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
    emit: Callable[[bytes], None],
) -> Summary:
    """Run the log, in file order, up to its last record; every event goes to `emit` as a line of JSON.

    Args:
        members: match key and table of the tags that are cards; all others are items.
    """
    tracker = Tracker(layout, settings, seed=secrets.randbits(62), own_goods=None, capacity=max(1, len(recording.epcs)))
    if members is not None:
        tracker.set_members(*members)
    texts = dict(zip(recording.epcs, recording.epc_texts, strict=True))
    confirmed: set[bytes] = set()
    t_ns, clamped = clamp_leaps(recording.t_ns)
    for columns in recording.batches(t_ns):
        for transition in tracker.feed(columns):
            confirmed.add(transition.epc)
            emit(msgspec.json.encode(_event_line(transition, texts, layout)))
    counters = tracker.counters
    return Summary(
        reads=counters.reads,
        late=counters.late,
        clamped=clamped,
        malformed=len(recording.bad_rows),
        below_floor=counters.below_floor,
        tags=len(recording.epcs),
        strays=len(recording.epcs) - len(confirmed),
        arrivals=counters.arrived + counters.returned,
        returned=counters.returned,
        moves=counters.moved,
        departures=counters.departed,
        still_present=counters.present_items + counters.present_people,
    )


def _event_line(event: Transition, texts: dict[bytes, str], layout: Layout) -> EventLine:
    return EventLine(
        event=event.kind,
        t=seconds(event.t_ns),
        detected_t=seconds(event.detected_t_ns),
        epc=texts[event.epc],
        zone=layout.zones[event.zone].id,
        from_zone=None if event.from_zone is None else layout.zones[event.from_zone].id,
        last_read_t=seconds(event.last_read_ns),
        reads=event.reads,
        rssi_dbm=round(event.rssi_dbm, 2),
        reason=event.reason,
    )


def seconds(t_ns: int) -> msgspec.Raw:
    """Nanoseconds as a JSON number of seconds, exact to the last digit."""
    sign, (whole, rest) = "-" if t_ns < 0 else "", divmod(abs(t_ns), NS_PER_S)
    return msgspec.Raw(f"{sign}{whole}.{rest:09d}".rstrip("0").removesuffix(".").encode())


def replay_reads(recording: Recording, window_s: float, *, by_antenna: bool) -> Iterator[bytes]:
    """Plain re-report suppression: sorted by time (stable), a read passes if its source did not in the last `window_s`."""
    from hotpath.dedup import suppress_repeats
    from hotpath.record import NEVER

    order = np.argsort(recording.t_ns, kind="stable")
    source: NDArray[np.int64] = recording.tag.astype(np.int64)
    if by_antenna:
        source = source * max(1, len(recording.antennas)) + recording.antenna
    _, source = np.unique(source, return_inverse=True)
    keep = np.zeros(len(recording), np.bool_)
    passed_ns = np.full(len(recording), NEVER, np.int64)
    window_ns = round(window_s * NS_PER_S)
    suppress_repeats(source[order].astype(np.int64), recording.t_ns[order], window_ns, passed_ns, keep)
    for row in order[keep].tolist():
        antenna = recording.antennas[recording.antenna[row]]
        yield msgspec.json.encode(
            ReadLine(
                t=seconds(int(recording.t_ns[row])),
                reader=antenna.reader,
                antenna=antenna.number,
                epc=recording.epc_texts[recording.tag[row]],
                rssi_dbm=int(recording.rssi_cdbm[row]) / 100,
            )
        )
