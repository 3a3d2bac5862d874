"""What happens in a zone: goods and visits come, move and go."""

from broker_config.messages.base import Data, Evidence, Instant
from broker_config.site import ZoneId


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
