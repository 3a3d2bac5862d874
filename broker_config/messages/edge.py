"""What an agent says of itself, and what it is told about its events and its member table."""

import msgspec

from broker_config.messages.base import Data, Instant


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One serial device of an agent.

    Args:
        state: `ready`, `starting` or `lost`.
        reason: what to do where it is lost.
        alarm: the device's last warning about itself since it was opened, with what to do: too hot, an antenna missing.
        temperature_c: its own, where it tells.
    """

    id: str
    kind: str
    state: str
    since: Instant
    zone: str | None = None
    reason: str | None = None
    alarm: str | None = None
    temperature_c: float | None = None


class SensorReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a presence sensor senses: whether somebody is in its place, never who, and never how many.

    Args:
        occupied: None while it is lost or cannot tell.
        distance_cm: to what is there, where it tells.
        since: when `occupied` became what it is.
    """

    id: str
    zone: str
    occupied: bool | None
    since: Instant
    distance_cm: int | None = None


class ReaderReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the doctor needs to know of a reader.  Whether, not how often: a count would tell who passes an empty place.

    Args:
        has_read: some tag, since the agent's start.
        has_unnamed: some tag on an antenna that has no entry in `antennas`, and so no zone.
    """

    id: str
    has_read: bool
    has_unnamed: bool


class EdgeState(Data, frozen=True, kw_only=True):
    """Birth, life and last will of an agent; retained.

    Args:
        state: `ready`, `alert` (some device is lost), `disconnected` (said good-bye) or `lost` (last will).
        session: 16 hex digits, a number that only grows: the count of the agent's starts, then that of its connections in this
            one.  A `lost` of another session than the newest is ignored.
        generation: of this start: what happens from now on is numbered in it.
        generations: those of which it still holds events; it wants to hear how far the server is with each.
        started: since when it knows who is where.  A restart from its snapshot keeps this time; one without begins anew, and
            what the agent had said before that no longer holds.
    """

    type_name = "tacet.edge.state.v1"
    topic = "edge_state"
    state: str
    session: str
    since: Instant
    devices: tuple[Device, ...] = ()
    started: Instant | None = None
    generation: str | None = None
    generations: tuple[str, ...] = ()


class EdgeDescription(Data, frozen=True, kw_only=True):
    """What an agent is and covers; retained."""

    type_name = "tacet.edge.description.v1"
    topic = "edge_description"
    software: str
    zones: tuple[str, ...]
    devices: tuple[Device, ...]


class EdgeStats(Data, frozen=True, kw_only=True):
    """An agent's counters since start, every few seconds.

    Args:
        outbox: events not yet acknowledged.
        sensors: what each presence sensor senses now.
        readers: each reader, by what it has read since start.
    """

    type_name = "tacet.edge.stats.v1"
    topic = "edge_stats"
    reads: int
    reads_per_s: float
    present_items: int
    present_visits: int
    strays: int
    bad_frames: int
    dropped_reads: int
    events: int
    outbox: int
    dropped_events: int
    members_version: int
    member_lease_s: int
    counters: dict[str, int] = msgspec.field(default_factory=dict)
    sensors: tuple[SensorReport, ...] = ()
    readers: tuple[ReaderReport, ...] = ()


class EdgeAck(Data, frozen=True, kw_only=True):
    """How much of a generation the server has committed.

    Args:
        upto: every seq up to here.
        missing: what it lacks between `upto` and `highest`: ranges [from, to], the lowest 100.
        highest: whatever is above `upto`, not above this, and not in `missing` is committed, too.
        together: the server has heard this agent under `edge/{agent}/backlog`, and takes its backlog that way.
    """

    type_name = "tacet.edge.ack.v1"
    topic = "edge_ack"
    generation: str
    upto: int
    missing: tuple[tuple[int, int], ...] = ()
    highest: int = 0
    together: bool = False


class PostedRow(msgspec.Struct, frozen=True):
    """A message as it would have been published by itself: an event, or a declared drop."""

    topic: str
    payload: str


class EdgeBacklog(Data, frozen=True, kw_only=True):
    """Events of a backlog, many in one message; an empty one asks whether the server hears it.

    Args:
        generation: of the agent's start.
    """

    type_name = "tacet.edge.backlog.v1"
    topic = "edge_backlog"
    generation: str
    rows: tuple[PostedRow, ...] = ()


class EdgeDropped(Data, frozen=True, kw_only=True):
    """The outbox will never send these; closes the gap.  `event_class` is A, B or C."""

    type_name = "tacet.edge.dropped.v1"
    topic = "edge_dropped"
    generation: str
    first: int
    last: int
    event_class: str


class ErasureReceipt(Data, frozen=True, kw_only=True):
    """An agent's files hold nothing any more of whoever was erased up to this version; retained, for a server that was away.

    Args:
        dropped: events that it gave up for it and the server had not acknowledged; declared as dropped, too.
    """

    type_name = "tacet.privacy.receipt.v1"
    topic = "privacy_receipt"
    version: int
    dropped: int = 0


class MembersOffered(Data, frozen=True, kw_only=True):
    """A new member table is ready to be fetched over HTTP."""

    type_name = "tacet.members.offered.v1"
    topic = "edge_members"
    version: int


class EdgeQuarantined(Data, frozen=True, kw_only=True):
    """Whether the server holds two agents for one: what both say is stored and has no effect, and both connect rarely."""

    type_name = "tacet.edge.quarantined.v1"
    topic = "edge_quarantine"
    quarantined: bool
    why: str = ""
