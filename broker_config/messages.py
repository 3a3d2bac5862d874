"""Every message on the bus: a CloudEvents 1.0 JSON envelope around one of the `Data` kinds below.

Readers ignore unknown fields, so that a newer edge does not break an older server.  No message holds a card's EPC, a
member id, an alias or a pseudonym that outlives a visit.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Generic, Literal, TypeVar

import msgspec

from broker_config.errors import MessageError
from broker_config.site import ActuatorId, DisplayId, ScreenClass, ShelfId, Text, ZoneId

MAX_PAYLOAD_BYTES = 64 * 1024
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time.  One without a time zone is refused, so that receivers can compare what they get."""
Version = tuple[int, int]
"""[server epoch, counter]: a fence per target.  A receiver refuses what is not newer than the last it applied."""


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The `data` of an envelope.  `type_name` is the envelope's `type`; `topic` the row of `broker_config.topics`."""

    type_name: ClassVar[str] = ""
    topic: ClassVar[str] = ""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Why the agent believes it.

    Args:
        reads: how many reads stand behind it.
        rssi_dbm: their mean signal at the place.
        margin_db: by how much the place won over the next best; None when there was no other.
    """

    reads: int
    rssi_dbm: float
    margin_db: float | None = None


class ItemArrived(Data, frozen=True, kw_only=True):
    """One of the site's own goods is confirmed in a zone."""

    type_name = "tacet.item.arrived.v1"
    topic = "item_arrived"
    zone: ZoneId
    epc: str
    detected_at: Instant
    last_read_at: Instant
    evidence: Evidence


class ItemReturned(ItemArrived, frozen=True, kw_only=True):
    """A departed item came back."""

    type_name = "tacet.item.returned.v1"
    topic = "item_returned"


class ItemMoved(Data, frozen=True, kw_only=True):
    """An item changed its zone."""

    type_name = "tacet.item.moved.v1"
    topic = "item_moved"
    zone: ZoneId
    from_zone: ZoneId
    epc: str
    detected_at: Instant
    last_read_at: Instant
    evidence: Evidence


class ItemDeparted(Data, frozen=True, kw_only=True):
    """An item was not read for its zone's limit; `reason` is `timeout`, `exit` or `sold`."""

    type_name = "tacet.item.departed.v1"
    topic = "item_departed"
    zone: ZoneId
    epc: str
    detected_at: Instant
    last_read_at: Instant
    reason: str
    evidence: Evidence


class VisitEntered(Data, frozen=True, kw_only=True):
    """A consenting member is in a zone.

    Args:
        visit: the agent's random 128-bit token, 32 hex digits.
        who: the member handle, sealed for the server only (`broker_config.identity.seal_handle`), base64url.
    """

    type_name = "tacet.visit.entered.v1"
    topic = "visit_entered"
    zone: ZoneId
    visit: str
    who: str
    detected_at: Instant
    last_read_at: Instant
    evidence: Evidence


class VisitLeft(Data, frozen=True, kw_only=True):
    """A member's visit is no longer in the zone; `reason` is `moved`, `timeout` or `exit`."""

    type_name = "tacet.visit.left.v1"
    topic = "visit_left"
    zone: ZoneId
    visit: str
    detected_at: Instant
    last_read_at: Instant
    dwell_s: float
    reason: str


class ShelfState(Data, frozen=True, kw_only=True):
    """The shelf now; retained.  `sensor` is `ok`, `moving` or `lost`."""

    type_name = "tacet.shelf.state.v1"
    topic = "shelf_state"
    shelf: ShelfId
    grams: float | None
    items: int
    sensor: str


class ShelfPick(Data, frozen=True, kw_only=True):
    """Something was taken off a shelf.

    Args:
        epc: the item, where tag and weight agree; None when only the weight fell.
        gtin: the article as GTIN-14, where the tag or the weight tells.
        confidence: 0 to 1; 0.95 or more when tag and weight agree.
        delta_g: change of weight, negative.
    """

    type_name = "tacet.shelf.pick.v1"
    topic = "shelf_pick"
    shelf: ShelfId
    epc: str | None
    quantity: int
    delta_g: float
    confidence: float
    detected_at: Instant
    gtin: str | None = None


class ShelfPutback(ShelfPick, frozen=True, kw_only=True):
    """Something came back on a shelf; `delta_g` is positive."""

    type_name = "tacet.shelf.putback.v1"
    topic = "shelf_putback"


class ShelfAnomaly(ShelfPick, frozen=True, kw_only=True):
    """Weight changed in a way no known item explains."""

    type_name = "tacet.shelf.anomaly.v1"
    topic = "shelf_anomaly"


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One serial device of an agent; `state` is `ready`, `starting` or `lost`; `reason` says what to do where it is lost."""

    id: str
    kind: str
    state: str
    since: Instant
    zone: str | None = None
    reason: str | None = None


class EdgeState(Data, frozen=True, kw_only=True):
    """Birth, life and last will of an agent; retained.

    Args:
        state: `ready`, `alert` (some device is lost), `disconnected` (said good-bye) or `lost` (last will).
        session: random per connection; a `lost` of an older session is ignored.
    """

    type_name = "tacet.edge.state.v1"
    topic = "edge_state"
    state: str
    session: str
    since: Instant
    devices: tuple[Device, ...] = ()


class EdgeDescription(Data, frozen=True, kw_only=True):
    """What an agent is and covers; retained."""

    type_name = "tacet.edge.description.v1"
    topic = "edge_description"
    software: str
    zones: tuple[str, ...]
    devices: tuple[Device, ...]


class EdgeStats(Data, frozen=True, kw_only=True):
    """An agent's counters since start, each minute or so; `outbox` is the number of events not yet acknowledged."""

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
    counters: dict[str, int] = {}


class EdgeAck(Data, frozen=True, kw_only=True):
    """The server has committed every seq of `generation` up to `upto`, but for `missing` ranges ([from, to], at most 100)."""

    type_name = "tacet.edge.ack.v1"
    topic = "edge_ack"
    generation: str
    upto: int
    missing: tuple[tuple[int, int], ...] = ()


class EdgeDropped(Data, frozen=True, kw_only=True):
    """The outbox will never send these; closes the gap.  `event_class` is A, B or C."""

    type_name = "tacet.edge.dropped.v1"
    topic = "edge_dropped"
    generation: str
    first: int
    last: int
    event_class: str


class MembersOffered(Data, frozen=True, kw_only=True):
    """A new member table is ready to be fetched over HTTP."""

    type_name = "tacet.members.offered.v1"
    topic = "edge_members"
    version: int


class DisplayState(Data, frozen=True, kw_only=True):
    """Birth, life and last will of a display; retained.  `state` is `ready`, `disconnected` or `lost`."""

    type_name = "tacet.display.state.v1"
    topic = "display_state"
    state: str
    session: str
    since: Instant


class BaseItem(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a display's base content."""

    content: str
    text: Text
    note: Text = {}
    picture: str | None = None
    seconds: float = 8.0


class BaseSet(Data, frozen=True, kw_only=True):
    """A display's impersonal content; retained, so a display that starts late shows it at once."""

    type_name = "tacet.base.set.v1"
    topic = "display_base"
    display: DisplayId
    version: Version
    items: tuple[BaseItem, ...]


class MomentSet(Data, frozen=True, kw_only=True):
    """A timed personal content for one display.  Held in memory only, gone after `ttl_ms`.

    Args:
        visit: whose moment it is, so that the end of the visit can take it away.
        text, because: one sentence and its reason, in the site's languages.
        language: which of them the person's preset asks for.
        cause_at: when the cause happened at the antenna; for the latency figure.
        screen_class: the highest class of screen the content may be on.
    """

    type_name = "tacet.moment.set.v1"
    topic = "moment_set"
    display: DisplayId
    version: Version
    decision: str
    content: str
    visit: str | None
    text: Text
    because: Text
    language: str
    screen_class: ScreenClass
    picture: str | None = None
    issued_at: Instant
    cause_at: Instant
    ttl_ms: int


class MomentClear(Data, frozen=True, kw_only=True):
    """Take the moment away now: that of `decision`, or any of `visit`, or whatever stands there when both are None."""

    type_name = "tacet.moment.clear.v1"
    topic = "moment_clear"
    display: DisplayId
    version: Version
    decision: str | None = None
    visit: str | None = None
    reason: str
    issued_at: Instant
    ttl_ms: int = 60_000


class MomentShown(Data, frozen=True, kw_only=True):
    """Proof of play, sent when a moment appears and again when it ends.

    Args:
        phase: `started` or `ended`.
        ended_by: `ttl`, `clear`, `replaced` or `link`; None while `started`.
        at: by the display's clock, corrected by its estimate of the server's.
        cause_at: copied from the moment.
    """

    type_name = "tacet.moment.shown.v1"
    topic = "display_shown"
    display: DisplayId
    decision: str
    content: str
    phase: Literal["started", "ended"]
    at: Instant
    cause_at: Instant
    ended_by: str | None = None


class ActuatorCommand(Data, frozen=True, kw_only=True):
    """Absolute desired state of an actuator.

    Args:
        on: wanted; after `hold_ms` the agent returns to the safe state by itself (None: holds until the next command).
        ttl_ms: not to be begun later than this after `issued_at`.
    """

    type_name = "tacet.actuator.cmd.v1"
    topic = "actuator_cmd"
    actuator: ActuatorId
    version: Version
    decision: str | None
    on: bool
    hold_ms: int | None = None
    issued_at: Instant
    ttl_ms: int


class ActuatorResult(Data, frozen=True, kw_only=True):
    """What became of a command; `result` is `done`, `stale`, `expired`, `wrong-target` or `device-lost`."""

    type_name = "tacet.actuator.result.v1"
    topic = "actuator_result"
    actuator: ActuatorId
    version: Version
    decision: str | None
    result: str


class ActuatorState(Data, frozen=True, kw_only=True):
    """An actuator now; retained.  `link` is `ok` or `lost`; `on` is None when nobody knows."""

    type_name = "tacet.actuator.state.v1"
    topic = "actuator_state"
    actuator: ActuatorId
    on: bool | None
    link: str
    version: Version | None


class DecisionMade(Data, frozen=True, kw_only=True):
    """The outcome of a rule, also when it is no.  `reason` is the gate that stopped it."""

    type_name = "tacet.decision.made.v1"
    topic = "decision_made"
    decision: str
    rule: str
    rule_version: int
    outcome: str
    reason: str | None
    place: str
    visit: str | None
    latency_ms: float


class VisitEnded(Data, frozen=True, kw_only=True):
    """These tokens are dead: displays drop their moments, agents forget them.  `cause` is `left`, `timeout`, `withdrawn` or `erased`."""

    type_name = "tacet.visit.ended.v1"
    topic = "visit_ended"
    visits: tuple[str, ...]
    cause: str


class Bad(Data, frozen=True, kw_only=True):
    """A message that could not be read, set aside.

    Args:
        payload: base64 of what came, cut at 4 096 bytes.
    """

    type_name = "tacet.bad.v1"
    topic = "bad"
    came_on: str
    why: str
    payload: str


KINDS: tuple[type[Data], ...] = (
    ItemArrived, ItemReturned, ItemMoved, ItemDeparted, VisitEntered, VisitLeft, ShelfState, ShelfPick, ShelfPutback, ShelfAnomaly,
    EdgeState, EdgeDescription, EdgeStats, EdgeAck, EdgeDropped, MembersOffered, DisplayState, BaseSet, MomentSet, MomentClear,
    MomentShown, ActuatorCommand, ActuatorResult, ActuatorState, DecisionMade, VisitEnded, Bad,
)  # fmt: skip
BY_TYPE = {kind.type_name: kind for kind in KINDS}

D = TypeVar("D", bound=Data)


class Envelope(msgspec.Struct, Generic[D], frozen=True, kw_only=True, omit_defaults=True):
    """A CloudEvents 1.0 envelope in structured JSON.

    Args:
        id: `gateway.generation.seq` for durable edge events, random otherwise.
        generation, seq: 16 hex digits and a decimal string; durable edge events only.
        expires: a receiver drops the message after it; None: no expiry.
        sim: the event comes from a simulated device.
    """

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: Instant
    subject: str | None = None
    datacontenttype: str = "application/json"
    gateway: str | None = None
    generation: str | None = None
    seq: str | None = None
    expires: Instant | None = None
    sim: bool = False
    data: D


_encoder = msgspec.json.Encoder()
_any = msgspec.json.Decoder(Envelope[msgspec.Raw])  # type: ignore[type-var]
_decoders = {kind.type_name: msgspec.json.Decoder(kind) for kind in KINDS}


def encode(envelope: Envelope[D]) -> bytes:
    """The envelope as JSON bytes."""
    return _encoder.encode(envelope)


def decode(payload: bytes) -> Envelope[Data]:
    """A whole envelope with its `data` decoded by `type`.

    Raises:
        MessageError: too large, no JSON, no envelope, an unknown type, or data of another shape; says which.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageError(f"{len(payload)} bytes, more than {MAX_PAYLOAD_BYTES}")
    try:
        raw = _any.decode(payload)
        decoder = _decoders.get(raw.type)
        if decoder is None:
            raise MessageError(f"unknown type {raw.type[:80]!r}")
        return msgspec.structs.replace(raw, data=decoder.decode(raw.data))  # type: ignore[arg-type]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(str(error)) from error
