"""A little store for the tests: a door with two sides, a shelf that two readers see, a till, an exit, a desk, a fitting room."""

from collections.abc import Sequence

import numpy as np

from broker_config.identity import siphash_2_4_128
from broker_config.member_table import MemberTable, pack_members
from edge.columns import Columns, make_columns
from edge.presence import Antenna, Layout, PresenceSettings, Profile, ZoneSettings, ZoneSpec
from tests.hotpath.oracle import OracleRead

KEY = bytes(range(16))
MS = 1_000_000
START_NS = 1_700_000_000_000 * MS
FOREVER_NS = 1 << 61
OWN = bytes.fromhex("3034257b")
GARMENT = OWN + b"\x77"
CARDS = (
    bytes.fromhex("2d14257bf52cb6916d000000"),
    bytes.fromhex("2d14257bf49bf13331000000"),
    bytes.fromhex("2d14257bf49bf13332"),
)
ITEMS = tuple(OWN + bytes([n] * 8) for n in range(3))
STRANGER = bytes.fromhex("e2801160600002")
TAGS = (*CARDS, *ITEMS, GARMENT + bytes(7), STRANGER, b"\x2e" + bytes(11), OWN + bytes(58), b"\x01")
MEMBERS = {card: bytes([number + 1] * 16) for number, card in enumerate(CARDS)}

LAYOUT = Layout(
    (
        Antenna("a", 1, 0, -70.0, "outside"),
        Antenna("a", 2, 0, -70.0, "inside"),
        Antenna("b", 1, 1, -70.0),
        Antenna("c", 1, 2, -70.0),
        Antenna("c", 2, 3, -70.0),
        Antenna("d", 1, 4, -70.0),
        Antenna("d", 2, 4, -70.0, "inside"),
        Antenna("e", 1, 1, -65.0),
        Antenna("e", 2, 5),
    ),
    (
        ZoneSpec("door", "door"),
        ZoneSpec("shelf", "shelf"),
        ZoneSpec("till", "till"),
        ZoneSpec("exit", "exit"),
        ZoneSpec("desk", "desk", ZoneSettings(confirm_reads=1, item_departs_s=12.0, dwell_s=3.0, sample_age_ms=700)),
        ZoneSpec("room", "fitting-room"),
    ),
)
REBUILT = Layout(
    (
        Antenna("e", 1, 0, -65.0),
        Antenna("a", 2, 1, -70.0, "inside"),
        Antenna("c", 2, 2, -70.0),
        Antenna("d", 1, 3, -70.0),
        Antenna("d", 2, 0, -70.0),
        Antenna("c", 1, 4, -70.0),
    ),
    (
        ZoneSpec("shelf", "shelf"),
        ZoneSpec("door", "door"),
        ZoneSpec("exit", "exit"),
        ZoneSpec("desk", "desk"),
        ZoneSpec("till", "till"),
    ),
)
"""The same store after building work: other numbers, fewer antennas, one moved to another zone, no fitting room."""

SHORT = ZoneSettings(item_departs_s=20.0, exit_departs_s=5.0, dwell_s=2.0)
ALIKE = PresenceSettings(
    door=ZoneSettings(dwell_s=0.0),
    floor=ZoneSettings(),
    shelf=ZoneSettings(),
    fitting_room=ZoneSettings(),
    till=ZoneSettings(creates_items=False),
    exit=ZoneSettings(dwell_s=0.0),
    desk=ZoneSettings(),
    stock=ZoneSettings(),
)
"""All kinds of zone with the same plain numbers, whatever the tuned defaults are: people leave after 8 s."""
SETTINGS = PresenceSettings(
    door=SHORT,
    shelf=ZoneSettings(
        item_departs_s=20.0,
        confirm_reads=3,
        move_min_reads=2,
        dwell_s=5.0,
        fade_ms=600,
        item=Profile(9.0, 1000, -0.004, -3.0),
    ),
    till=ZoneSettings(item_departs_s=20.0, creates_items=False, sold_after_s=4.0, dwell_s=0.0),
    exit=SHORT,
    fitting_room=ZoneSettings(item_departs_s=20.0, dwell_s=1.0, move_min_reads=1, fade_ms=9000),
    person_forgotten_s=30.0,
    item_forgotten_days=60 / 86_400,
    late_limit_s=30.0,
    garment_prefixes=(GARMENT,),
)


def to_columns(reads: Sequence[OracleRead], words: int = 8) -> Columns:
    """The reads as a batch; what is longer than `words` words is cut, its length stays."""
    columns = make_columns(len(reads), words)
    for row, read in enumerate(reads):
        columns.t_ns[row], columns.antenna[row], columns.crc_ok[row] = read.t_ns, read.antenna, read.crc_ok
        held = read.epc[: 8 * words]
        columns.epc_bytes[row, : len(held)] = np.frombuffer(held, np.uint8)
        columns.epc_len[row] = len(read.epc) if read.size is None else read.size
        columns.rssi_cdbm[row] = read.rssi_cdbm
    return columns


def table_of(members: dict[bytes, bytes], leased_until_ns: int, key: bytes = KEY) -> MemberTable:
    return pack_members(1, leased_until_ns, [(siphash_2_4_128(key, card), handle) for card, handle in members.items()])


def first_members(count: int) -> dict[bytes, bytes]:
    return dict(list(MEMBERS.items())[:count])
