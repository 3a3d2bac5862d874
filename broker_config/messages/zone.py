"""What happens in a zone: goods and visits come, move and go; and its retained states."""

from broker_config.messages.base import Data, Direction, Evidence, Instant
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
    """An item changed its zone; `direction` where it left a door with antennas on both sides."""

    type_name = "tacet.item.moved.v1"
    topic = "item_moved"
    zone: ZoneId
    from_zone: ZoneId
    epc: str
    detected_at: Instant
    last_read_at: Instant
    evidence: Evidence
    direction: Direction | None = None


class ItemDeparted(Data, frozen=True, kw_only=True):
    """An item was not read for its zone's limit.

    Args:
        reason: `timeout`, `exit`, or `restart`: the agent no longer knows, and says `arrived` again if it is there.
        direction: as for `ItemMoved`.
    """

    type_name = "tacet.item.departed.v1"
    topic = "item_departed"
    zone: ZoneId
    epc: str
    detected_at: Instant
    last_read_at: Instant
    reason: str
    evidence: Evidence
    direction: Direction | None = None


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
    """A member's visit is no longer in the zone.

    Args:
        reason: `moved`, `timeout`, `exit`, `withdrawn`, or `restart`: the agent no longer knows, and says `entered` again if so.
        direction: where it left a door with antennas on both sides.
    """

    type_name = "tacet.visit.left.v1"
    topic = "visit_left"
    zone: ZoneId
    visit: str
    detected_at: Instant
    last_read_at: Instant
    dwell_s: float
    reason: str
    direction: Direction | None = None


class VisitDwelled(Data, frozen=True, kw_only=True):
    """A member's visit has been in the zone for as long as its setting `dwell_s` asks; once per stay.

    Args:
        dwell_s: how long it had been there at the read that told.
    """

    type_name = "tacet.visit.dwelled.v1"
    topic = "visit_dwelled"
    zone: ZoneId
    visit: str
    dwell_s: float
    detected_at: Instant
    last_read_at: Instant
    evidence: Evidence


class ZoneCoverage(Data, frozen=True, kw_only=True):
    """Whether the zone's readers all deliver; retained.  While they do not, nobody in it departs.

    Args:
        since: when it came to be so, as far as the agent saw.
    """

    type_name = "tacet.zone.coverage.v1"
    topic = "zone_coverage"
    zone: ZoneId
    covered: bool
    since: Instant


class ZoneCount(Data, frozen=True, kw_only=True):
    """What is in the zone now; retained, on change, at most once a second.

    Args:
        people: members present; `<5` below five, none included (`base.group_safe`).
        items: the site's own goods.
    """

    type_name = "tacet.zone.count.v1"
    topic = "zone_count"
    zone: ZoneId
    people: str
    items: int
