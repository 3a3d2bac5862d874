"""Two places, a till and an exit, with settings alike for all: for tests of one rule at a time."""

from edge.presence import Antenna, Layout, PresenceSettings, Tracker, Transition, ZoneSpec
from tests.hotpath.oracle import OracleRead
from tests.hotpath.store import ALIKE, CARDS, FOREVER_NS, ITEMS, KEY, MEMBERS, MS, OWN, START_NS, table_of, to_columns

S = 1000 * MS
A, B, TILL, EXIT = range(4)
LAYOUT = Layout(
    tuple(Antenna("r", zone + 1, zone, -70.0) for zone in range(4)),
    (ZoneSpec("a", "floor"), ZoneSpec("b", "floor"), ZoneSpec("till", "till"), ZoneSpec("exit", "exit")),
)
ITEM, CARD = ITEMS[0], CARDS[0]


def make_tracker(
    settings: PresenceSettings | None = None,
    capacity: int = 64,
    members: int = 2,
    layout: Layout = LAYOUT,
    seed: int = 1,
) -> Tracker:
    tracker = Tracker(layout, settings or ALIKE, seed=seed, own_goods=(OWN,), capacity=capacity)
    tracker.set_members(KEY, table_of(dict(list(MEMBERS.items())[:members]), FOREVER_NS))
    return tracker


def at(s: float, zone: int = A, epc: bytes = ITEM, dbm: float = -50, crc_ok: int = 1) -> OracleRead:
    return OracleRead(START_NS + round(s * S), zone, epc, round(dbm * 100), crc_ok)


def feed(tracker: Tracker, *reads: OracleRead) -> list[Transition]:
    return tracker.feed(to_columns(reads))


def told(events: list[Transition]) -> list[tuple[str, int, float]]:
    """Kind, zone, and detection time in s."""
    return [(event.kind, event.zone, (event.detected_t_ns - START_NS) / S) for event in events]
