"""The engine with a member table that is opened from a file: who is recognised, and what a new file or the lease's end changes."""

from pathlib import Path

import numpy as np

from broker_config.identity import make_credential, siphash_2_4_128
from broker_config.member_table import pack_members
from edge.at_rest import AtRest
from edge.columns import make_columns
from edge.member_file import IncomingTable, index_members, open_members
from edge.presence import Tracker
from edge.presence_model import Antenna, Layout, PresenceSettings, Transition, ZoneSpec

KEY = bytes(range(16))
AT_REST = AtRest(make_credential("agent", "gw-1"), "members")
S = 1_000_000_000
START_NS = 1_800_000_000 * S
UNTIL_NS = START_NS + 100 * S
CARDS = [bytes([0x30, number, *range(10)]) for number in range(4)]
TABLE = pack_members(3, UNTIL_NS, [(siphash_2_4_128(KEY, card), card[:2] * 8) for card in CARDS])


def make_tracker(capacity: int = 64) -> Tracker:
    layout = Layout((Antenna("r-door", 1, 0),), (ZoneSpec("door", "door"),))
    return Tracker(layout, PresenceSettings(), seed=1, own_goods=[], capacity=capacity)


def read_twice(tracker: Tracker, at_ns: int, cards: list[bytes]) -> list[Transition]:
    """Each card twice, so that who is a member is confirmed."""
    columns = make_columns(2 * len(cards))
    for row, card in enumerate([*cards, *cards]):
        columns.t_ns[row] = at_ns + row
        columns.epc_bytes[row, : len(card)] = np.frombuffer(card, np.uint8)
        columns.epc_len[row], columns.rssi_cdbm[row] = len(card), -5000
    return tracker.feed(columns)


def test_the_engine_knows_who_is_in_the_file_and_lets_go_of_who_is_not_in_the_next(tmp_path: Path) -> None:
    path, tracker = tmp_path / "table", make_tracker()
    path.write_bytes(AT_REST.seal(TABLE.to_bytes()))
    tracker.set_members(KEY, open_members(path, AT_REST))
    came = read_twice(tracker, START_NS, [*CARDS, b"\x30stranger..."])
    assert {(each.kind, each.epc, each.handle) for each in came} == {("arrived", card, card[:2] * 8) for card in CARDS}

    fewer = pack_members(4, UNTIL_NS, [(siphash_2_4_128(KEY, card), card[:2] * 8) for card in CARDS[1:]])
    with IncomingTable(path, AT_REST) as incoming:
        incoming.write(fewer.to_bytes())
        went = tracker.set_members(KEY, incoming.accept())
    assert [(each.kind, each.epc, each.reason) for each in went] == [("departed", CARDS[0], "withdrawn")]
    assert read_twice(tracker, START_NS + S, CARDS) == []  # one a stranger, the others still there
    assert tracker.counters.present_people == 3


def test_when_the_lease_of_the_file_ends_its_members_are_strangers(tmp_path: Path) -> None:
    (tmp_path / "table").write_bytes(AT_REST.seal(TABLE.to_bytes()))
    for at_ns, arrivals in ((UNTIL_NS - S, len(CARDS)), (UNTIL_NS, 0)):
        tracker = make_tracker()
        tracker.set_members(KEY, open_members(tmp_path / "table", AT_REST))
        assert len(read_twice(tracker, at_ns, CARDS)) == arrivals


def test_when_a_table_is_taken_away_thousands_depart_in_the_order_in_which_they_came() -> None:
    cards = [bytes([0x31, number >> 8, number & 0xFF]) for number in range(5000)]  # more than the engine has event rows
    tracker = make_tracker(1 << 14)
    tracker.set_members(
        KEY, index_members(pack_members(1, UNTIL_NS, [(siphash_2_4_128(KEY, each), KEY) for each in cards]))
    )
    assert len(read_twice(tracker, START_NS, cards)) == len(cards)
    gone = tracker.set_members(KEY, None)
    assert [(each.kind, each.reason) for each in gone] == [("departed", "withdrawn")] * len(cards)
    assert [each.epc for each in gone] == cards
