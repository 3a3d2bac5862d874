"""The floor plan as it is drawn: rooms from the site file, and where in a room its things stand."""

from dataclasses import dataclass

from broker_config.site import Site, Zone
from server.web.i18n import Catalogue

UNITS_PER_M = 60.0
GAP = 5.0
MARGIN = 2.0
LINE = 46.0
FOOT = 30.0
SMALLEST = 14.0
"""The letters of `tacet.css` in the drawing's units."""
LEGIBLE_PX = 12.0


@dataclass(frozen=True, slots=True)
class Thing:
    """A screen, lamp or shelf: `x, y` is the left end of its line inside the room's drawing."""

    kind: str
    id: str
    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Room:
    """A zone as a rounded room."""

    id: str
    name: str
    x: float
    y: float
    width: float
    height: float
    things: tuple[Thing, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All rooms and the box around them.

    Args:
        width_px, height_px: as small as its smallest letters can be read; a phone shows a part of it, to be moved.
    """

    view_box: str
    width_px: int
    height_px: int
    rooms: tuple[Room, ...]


def draw_plan(site: Site, catalogue: Catalogue) -> Plan:
    """The plan of a site, its names in one language."""
    left = min(zone.rect[0] for zone in site.zones)
    top = min(zone.rect[1] for zone in site.zones)
    right = max(zone.rect[0] + zone.rect[2] for zone in site.zones)
    bottom = max(zone.rect[1] + zone.rect[3] for zone in site.zones)
    box = [left * UNITS_PER_M - MARGIN, top * UNITS_PER_M - MARGIN]
    box += [(right - left) * UNITS_PER_M + 2 * MARGIN, (bottom - top) * UNITS_PER_M + 2 * MARGIN]
    return Plan(
        view_box=" ".join(f"{value:g}" for value in box),
        width_px=round(box[2] * LEGIBLE_PX / SMALLEST),
        height_px=round(box[3] * LEGIBLE_PX / SMALLEST),
        rooms=tuple(_draw_room(site, zone, catalogue) for zone in site.zones),
    )


def _draw_room(site: Site, zone: Zone, catalogue: Catalogue) -> Room:
    x, y, width, height = (value * UNITS_PER_M for value in zone.rect)
    x, y, width, height = x + GAP, y + GAP, width - 2 * GAP, height - 2 * GAP
    named = [("shelf", s.id, s.name) for s in site.shelves if s.zone == zone.id]
    named += [("screen", d.id, d.name) for d in site.displays if d.zone == zone.id]
    named += [("lamp", a.id, a.name) for a in site.actuators if a.zone == zone.id]
    lowest = y + height - FOOT
    things = [
        Thing(kind, own_id, catalogue.pick(name), x + 18, lowest - LINE * (len(named) - 1 - i))
        for i, (kind, own_id, name) in enumerate(named)
    ]
    return Room(zone.id, catalogue.pick(zone.name), x, y, width, height, tuple(things))
