"""After a crash: what was said since the last snapshot, and which of it the restored agent can no longer stand by.

The snapshot is a few seconds older than the last event.  Who came in between is not in it: the agent would say that they
come again, under a new token, and would never say that they left if they did.  The outbox has those events; so the agent
takes back what it does not know, with the reason `restart`, and goes on under the tokens that were given out.  Who moved or
left in between is in it, at a place that was given up since: they depart from there, and are nowhere until they are read.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from broker_config.errors import MessageError
from broker_config.identity import open_handle
from broker_config.messages import (
    Data,
    Evidence,
    ItemArrived,
    ItemDeparted,
    ItemMoved,
    VisitEntered,
    VisitLeft,
    decode,
)
from broker_config.site import ZoneId
from edge.clock import to_datetime, to_ns
from edge.outbox_rows import Row
from edge.presence_snapshot import Gone, Since
from edge.visits import KeptVisits, Visits

RESTART = "restart"
NONE = Evidence(reads=0, rssi_dbm=0.0)


@dataclass(slots=True)
class Said:
    """The last word on each item and visit, in a stretch of the outbox.

    Args:
        items: the event that brought it there, by EPC; None: it departed.
        tokens: whose each is, and when it was last read.
        entered: by token and zone; those that left are missing.
        left: the others.
    """

    items: dict[str, ItemArrived | ItemMoved | None] = field(default_factory=dict)
    tokens: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    entered: dict[tuple[str, ZoneId], VisitEntered] = field(default_factory=dict)
    left: set[tuple[str, ZoneId]] = field(default_factory=set)


def read_said(rows: Iterable[Row], seal_key: bytes) -> Said:
    """What these events say, in their order; one that cannot be read (of another version) says nothing."""
    said = Said()
    for row in rows:
        try:
            envelope = decode(row.payload)
            _take(said, envelope.data, envelope.id, seal_key)
        except MessageError:
            continue
    return said


def _take(said: Said, data: Data, event_id: str, seal_key: bytes) -> None:
    match data:
        case ItemArrived() | ItemMoved():
            said.items[data.epc] = data
        case ItemDeparted():
            said.items[data.epc] = None
        case VisitEntered():
            said.tokens[data.visit] = open_handle(seal_key, data.who, event_id), data.last_read_at
            said.entered[data.visit, data.zone] = data
            said.left.discard((data.visit, data.zone))
        case VisitLeft():
            said.entered.pop((data.visit, data.zone), None)
            said.left.add((data.visit, data.zone))


def since(said: Said, visits: KeptVisits, zones: Sequence[str]) -> Since:
    """The same for the engine.

    Args:
        visits, zones: as the snapshot has them.
    """
    items = {epc: None if item is None else str(item.zone) for epc, item in said.items.items()}
    stays = ((visit.token, stay) for visit in visits.visits for stay in visit.stays)
    left = {stay.serial for token, stay in stays if (token, ZoneId(zones[stay.zone])) in said.left}
    return Since(items, left)


def take_back(
    said: Said, visits: Visits, zones: tuple[ZoneId, ...], present: Collection[str], now: datetime
) -> list[ItemDeparted | VisitLeft]:
    """The events that undo what the restored agent does not know, and `visits` brought up to what was said.

    Args:
        visits: as restored.
        zones: the agent's, by index; what was said of others is not ours to take back.
        present: EPCs of the restored items, hex.
    """
    index = {zone: number for number, zone in enumerate(zones)}
    for token, zone in said.left:
        if zone in index:
            visits.was_left(token, index[zone])
    undone: list[ItemDeparted | VisitLeft] = []
    for token, (handle, last_read_at) in said.tokens.items():
        visits.adopt(handle, token, to_ns(last_read_at))
    for (token, zone), entered in said.entered.items():
        if zone in index and not visits.holds(token, index[zone]):
            undone.append(_left(entered, now))
    items = ((epc, item) for epc, item in said.items.items() if item is not None and epc not in present)
    undone += [_departed(item, now) for _, item in items if item.zone in index]
    return undone


def lose_places(
    gone: Iterable[Gone], visits: Visits, zones: tuple[ZoneId, ...], now: datetime
) -> list[ItemDeparted | VisitLeft]:
    """The ends of what was present at antennas that the agent no longer has, in zones that it still has."""
    undone: list[ItemDeparted | VisitLeft] = []
    for tag in gone:
        zone, last_read_at = ZoneId(tag.zone), to_datetime(tag.last_read_ns)
        lost = None if tag.epc else visits.lose(tag.serial)
        if zone not in zones:
            continue
        if tag.epc:
            item = ItemArrived(zone=zone, epc=tag.epc.hex(), detected_at=now, last_read_at=last_read_at, evidence=NONE)
            undone.append(_departed(item, now))
        elif lost is not None:
            token, stay = lost
            dwell_s = max(tag.last_read_ns - stay.since_ns, 0) / 1e9
            undone.append(
                VisitLeft(
                    zone=zone, visit=token, detected_at=now, last_read_at=last_read_at, dwell_s=dwell_s, reason=RESTART
                )
            )
    return undone


def _left(entered: VisitEntered, now: datetime) -> VisitLeft:
    stayed_s = (entered.last_read_at - entered.detected_at).total_seconds()
    return VisitLeft(
        zone=entered.zone,
        visit=entered.visit,
        detected_at=now,
        last_read_at=entered.last_read_at,
        dwell_s=max(stayed_s, 0.0),
        reason=RESTART,
    )


def _departed(item: ItemArrived | ItemMoved, now: datetime) -> ItemDeparted:
    return ItemDeparted(
        zone=item.zone,
        epc=item.epc,
        detected_at=now,
        last_read_at=item.last_read_at,
        reason=RESTART,
        evidence=item.evidence,
    )
