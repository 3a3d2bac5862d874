"""What the agent says, as messages: transitions, visits and shelf changes into envelopes.

Durable events get their id from the outbox, which is when the member's handle is sealed: the seal is bound to the id.
"""

import secrets
from collections.abc import Callable
from datetime import timedelta

from broker_config.identity import seal_handle
from broker_config.messages import (
    ActuatorResult,
    Data,
    Envelope,
    Evidence,
    ItemArrived,
    ItemDeparted,
    ItemMoved,
    ItemReturned,
    ShelfAnomaly,
    ShelfPick,
    ShelfPutback,
    VisitDwelled,
    VisitEntered,
    VisitLeft,
    encode,
)
from broker_config.site import ShelfId, ZoneId
from broker_config.topics import BY_NAME, topic_for
from edge.clock import to_datetime
from edge.config import EdgeConfig
from edge.outbox_rows import EventClass, EventId, PendingEvent
from edge.presence_model import Transition
from edge.shelf import ShelfChange
from edge.visits import VisitChange
from readers.model import ClockNs

_CLASSES: dict[type[Data], EventClass] = {
    VisitEntered: "A",
    VisitLeft: "A",
    VisitDwelled: "A",
    ActuatorResult: "A",
}
_SHELF_KINDS = {"pick": ShelfPick, "putback": ShelfPutback, "anomaly": ShelfAnomaly}

PutRight = Callable[[bytes, str | None], bytes]


class Announcer:
    """Makes messages of one agent.

    Args:
        zones: ids by the layout's index.
        seal_key: 32 bytes; seals handles for the server.
        simulated: marks every message `sim`.
    """

    def __init__(
        self, site: str, agent: str, zones: tuple[ZoneId, ...], seal_key: bytes, clock_ns: ClockNs, *, simulated: bool
    ) -> None:
        self.site, self.agent = site, agent
        self._zones, self._seal_key, self._clock_ns, self._simulated = zones, seal_key, clock_ns, simulated
        self._source = f"tacet/{site}/edge/{agent}"
        self.put_right: PutRight = lambda payload, _: payload
        """Adds what a receiver must know of our clock; of a generation's, or of ours now.  The agent sets it."""

    def item(self, transition: Transition) -> PendingEvent:
        """An item's transition."""
        zone = self._zones[transition.zone]
        data = _item_data(transition, zone, self._zones)
        return self._durable(data, transition.detected_t_ns, zone, zone=zone)

    def visit(self, change: VisitChange) -> PendingEvent:
        """A visit's change; the handle travels sealed, bound to the event's id."""
        cause, zone = change.cause, self._zones[change.zone]
        if change.kind != "entered":
            data = _left(change, zone) if change.kind == "left" else _dwelled(change, zone)
            return self._durable(data, cause.detected_t_ns, zone, zone=zone)
        handle, seal_key = change.handle, self._seal_key
        detected_at, last_read_at = to_datetime(cause.detected_t_ns), to_datetime(cause.last_read_ns)
        assert handle is not None

        def entered(event_id: EventId) -> Data:
            return VisitEntered(
                zone=zone,
                visit=change.token,
                who=seal_handle(seal_key, handle, str(event_id)),
                detected_at=detected_at,
                last_read_at=last_read_at,
                evidence=_evidence(cause),
            )

        return self._pending(VisitEntered, entered, cause.detected_t_ns, zone, zone=zone)

    def taken_back(self, data: ItemDeparted | VisitLeft) -> PendingEvent:
        """The end of what an earlier process said and this one cannot stand by."""
        return self._durable(data, self._clock_ns(), data.zone, zone=data.zone)

    def shelf_change(self, shelf: ShelfId, change: ShelfChange) -> PendingEvent:
        """A pick, a putback or an anomaly."""
        data = _SHELF_KINDS[change.kind](
            shelf=shelf,
            epc=None if change.epc is None else change.epc.hex(),
            gtin=change.gtin,
            quantity=change.quantity,
            delta_g=round(change.delta_g, 1),
            confidence=change.confidence,
            detected_at=to_datetime(change.detected_at_ns),
        )
        return self._durable(data, change.detected_at_ns, shelf, shelf=shelf)

    def actuator_result(self, result: ActuatorResult) -> PendingEvent:
        """What became of a command."""
        return self._durable(result, self._clock_ns(), result.actuator, actuator=result.actuator)

    def passing(self, data: Data, subject: str, **levels: str) -> tuple[str, bytes]:
        """Topic and payload of a message that no outbox keeps: states, statistics, declared drops."""
        envelope = self._envelope(data, secrets.token_hex(16), self._clock_ns(), subject)
        return topic_for(data.topic, self.site, **levels), self.put_right(encode(envelope), None)

    def _durable(self, data: Data, at_ns: int, subject: str, **levels: str) -> PendingEvent:
        return self._pending(type(data), lambda _: data, at_ns, subject, **levels)

    def _pending(
        self, kind: type[Data], make: Callable[[EventId], Data], at_ns: int, subject: str, **levels: str
    ) -> PendingEvent:
        def payload(event_id: EventId) -> bytes:
            return encode(self._envelope(make(event_id), event_id, at_ns, subject))

        return PendingEvent(topic_for(kind.topic, self.site, **levels), _CLASSES.get(kind, "B"), payload)

    def _envelope(self, data: Data, event_id: EventId | str, at_ns: int, subject: str) -> Envelope[Data]:
        at = to_datetime(at_ns)
        expiry_s = BY_NAME[data.topic].expiry_s
        durable = isinstance(event_id, EventId)
        return Envelope(
            specversion="1.0",
            id=str(event_id),
            source=self._source,
            type=data.type_name,
            time=at,
            subject=subject,
            gateway=self.agent if durable else None,
            generation=event_id.generation if isinstance(event_id, EventId) else None,
            seq=str(event_id.seq) if isinstance(event_id, EventId) else None,
            expires=None if expiry_s is None else at + timedelta(seconds=expiry_s),
            sim=self._simulated,
            data=data,
        )


def make_announcer(config: EdgeConfig, zones: tuple[ZoneId, ...], clock_ns: ClockNs) -> Announcer:
    """The announcer of a configured agent."""
    seal_key = config.credential.seal_key
    assert seal_key is not None
    return Announcer(config.site.id, config.agent, zones, bytes.fromhex(seal_key), clock_ns, simulated=config.simulated)


def _evidence(transition: Transition) -> Evidence:
    margin_db = None if transition.margin_db is None else round(transition.margin_db, 2)
    return Evidence(reads=transition.reads, rssi_dbm=round(transition.rssi_dbm, 2), margin_db=margin_db)


def _left(change: VisitChange, zone: ZoneId) -> VisitLeft:
    cause = change.cause
    return VisitLeft(
        zone=zone,
        visit=change.token,
        detected_at=to_datetime(cause.detected_t_ns),
        last_read_at=to_datetime(cause.last_read_ns),
        dwell_s=round(change.dwell_s, 3),
        reason=change.reason or "timeout",
        direction=cause.direction,
    )


def _dwelled(change: VisitChange, zone: ZoneId) -> VisitDwelled:
    cause = change.cause
    return VisitDwelled(
        zone=zone,
        visit=change.token,
        dwell_s=round(change.dwell_s, 3),
        detected_at=to_datetime(cause.detected_t_ns),
        last_read_at=to_datetime(cause.last_read_ns),
        evidence=_evidence(cause),
    )


def _item_data(transition: Transition, zone: ZoneId, zones: tuple[ZoneId, ...]) -> Data:
    epc, evidence = transition.epc.hex(), _evidence(transition)
    detected_at, last_read_at = to_datetime(transition.detected_t_ns), to_datetime(transition.last_read_ns)
    if transition.kind == "moved":
        assert transition.from_zone is not None
        return ItemMoved(
            zone=zone,
            from_zone=zones[transition.from_zone],
            epc=epc,
            detected_at=detected_at,
            last_read_at=last_read_at,
            evidence=evidence,
            direction=transition.direction,
        )
    if transition.kind == "departed":
        return ItemDeparted(
            zone=zone,
            epc=epc,
            detected_at=detected_at,
            last_read_at=last_read_at,
            reason=transition.reason or "timeout",
            evidence=evidence,
            direction=transition.direction,
        )
    kind = ItemReturned if transition.kind == "returned" else ItemArrived
    return kind(zone=zone, epc=epc, detected_at=detected_at, last_read_at=last_read_at, evidence=evidence)
