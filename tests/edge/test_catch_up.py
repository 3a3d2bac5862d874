"""What was said between the last snapshot and a crash: taken back where nobody can stand by it, and no token lost."""

from datetime import timedelta

from broker_config.messages import (
    Data,
    Evidence,
    ItemDeparted,
    VisitLeft,
)
from broker_config.site import ZoneId
from edge.catch_up import read_said, since, take_back
from edge.clock import to_datetime
from edge.events import Announcer
from edge.outbox_rows import EventId, PendingEvent, Row
from edge.presence_snapshot import Since
from edge.visits import Visits
from tests.support.edge import a_transition

S = 1_000_000_000
NOW_NS = 1_800_000_000 * S
NOW = to_datetime(NOW_NS)
ZONES = (ZoneId("door"), ZoneId("shoes"))
DOOR, SHOES = 0, 1
KEY = b"k" * 32
ANN, BEN = b"A" * 16, b"B" * 16
ITEM = bytes.fromhex("3034257bf400cb0000000001")
EVIDENCE = Evidence(reads=2, rssi_dbm=-50.0)


class Crash:
    """An agent's outbox after a snapshot; what its next process makes of it."""

    def __init__(self) -> None:
        self.announcer = Announcer("demo", "gw-1", ZONES, KEY, lambda: NOW_NS, simulated=False)
        self.visits = Visits(60, iter(f"{n:032x}" for n in range(1, 99)).__next__)
        self.rows: list[Row] = []
        self.kept = self.visits.keep()

    def happens(
        self, kind: str, zone: int, handle: bytes | None = ANN, serial: int = 4, at_s: float = 0, **more
    ) -> None:
        transition = a_transition(kind, ITEM, zone, NOW_NS + round(at_s * S), handle=handle, serial=serial, **more)
        if handle is None:
            self.store(self.announcer.item(transition))
        else:
            for change in self.visits.apply(transition):
                self.store(self.announcer.visit(change))

    def store(self, event: PendingEvent) -> None:
        seq = len(self.rows) + 1
        self.rows.append(Row(seq, event.event_class, event.topic, event.payload(EventId("gw-1", "0" * 16, seq))))

    def snapshot(self) -> None:
        self.kept = self.visits.keep()
        self.rows.clear()

    def restart(self, *present: bytes, zones: tuple[ZoneId, ...] = ZONES) -> list[Data]:
        self.visits = Visits(60, lambda: "a new token")
        self.visits.restore(self.kept, {DOOR: DOOR, SHOES: SHOES})
        said = read_said(self.rows, KEY)
        return take_back(said, self.visits, zones, {epc.hex() for epc in present}, NOW)

    def since(self) -> Since:
        return since(read_said(self.rows, KEY), self.kept, ZONES)

    def token(self, handle: bytes = ANN) -> str:
        return next(visit.token for visit in self.visits.keep().visits if visit.handle == handle)


def test_without_a_crash_there_is_nothing_to_take_back() -> None:
    crash = Crash()
    crash.happens("arrived", DOOR)
    crash.snapshot()
    assert crash.restart() == []
    assert crash.token() == f"{1:032x}"


def test_who_came_after_the_snapshot_is_taken_back_and_keeps_the_token() -> None:
    crash = Crash()
    crash.happens("arrived", SHOES, last_read_ns=NOW_NS + 2 * S)
    (left,) = crash.restart()
    assert isinstance(left, VisitLeft)
    assert (left.zone, left.visit, left.reason, left.dwell_s) == ("shoes", f"{1:032x}", "restart", 2.0)
    assert (left.detected_at, left.last_read_at) == (NOW, NOW + timedelta(seconds=2))
    crash.happens("arrived", SHOES, serial=9, at_s=5)
    assert crash.token() == f"{1:032x}"


def test_who_came_and_left_after_the_snapshot_keeps_the_token_for_the_gap() -> None:
    crash = Crash()
    crash.happens("arrived", DOOR)
    crash.happens("departed", DOOR, reason="timeout", at_s=9)
    assert crash.restart() == []
    crash.happens("arrived", DOOR, serial=9, at_s=30)
    assert crash.token() == f"{1:032x}"


def test_who_moved_after_the_snapshot_is_nowhere_until_seen() -> None:
    crash = Crash()
    crash.happens("arrived", DOOR)
    crash.snapshot()
    crash.happens("moved", SHOES, from_zone=DOOR, at_s=5)
    (left,) = crash.restart()
    assert (left.zone, left.reason) == ("shoes", "restart")  # type: ignore[attr-defined]
    before = len(crash.rows)
    crash.happens("departed", DOOR, reason="timeout", at_s=20)  # the engine's word on the place it remembers
    assert len(crash.rows) == before, "its leaving has been said"


def test_who_left_after_the_snapshot_does_not_leave_again() -> None:
    crash = Crash()
    crash.happens("arrived", DOOR)
    crash.snapshot()
    crash.happens("departed", DOOR, reason="timeout", at_s=9)
    assert crash.restart() == []
    before = len(crash.rows)
    crash.happens("departed", DOOR, reason="timeout", at_s=20)
    assert len(crash.rows) == before


def test_who_left_and_came_again_after_the_snapshot_is_still_there() -> None:
    crash = Crash()
    crash.happens("arrived", DOOR)
    crash.snapshot()
    crash.happens("departed", DOOR, reason="timeout", at_s=9)
    crash.happens("returned", DOOR, at_s=12)
    assert crash.restart() == []
    crash.happens("departed", DOOR, reason="timeout", at_s=30)
    assert len(crash.rows) == 3


def test_two_visits_are_told_apart() -> None:
    crash = Crash()
    crash.happens("arrived", DOOR)
    crash.snapshot()
    crash.happens("arrived", DOOR, handle=BEN, serial=5)
    (left,) = crash.restart()
    assert left.visit == crash.token(BEN) != crash.token(ANN)  # type: ignore[attr-defined]


def test_who_withdrew_is_taken_back_and_stays_unmentioned() -> None:
    crash = Crash()
    crash.happens("arrived", DOOR)
    crash.visits.end([crash.token()], "withdrawn")
    crash.kept = crash.visits.keep()
    assert [type(each) for each in crash.restart()] == [VisitLeft]
    assert crash.visits.keep().visits == (), "the token must not go on"
    before = len(crash.rows)
    crash.happens("arrived", SHOES, at_s=5)
    assert len(crash.rows) == before


def test_goods_that_came_after_the_snapshot_are_taken_back_unless_they_are_in_it() -> None:
    crash = Crash()
    crash.happens("arrived", SHOES, handle=None)
    assert crash.restart(ITEM) == []
    (departed,) = crash.restart()
    assert isinstance(departed, ItemDeparted)
    assert (departed.zone, departed.epc, departed.reason) == ("shoes", ITEM.hex(), "restart")


def test_the_last_word_on_goods_counts() -> None:
    crash = Crash()
    crash.happens("arrived", DOOR, handle=None)
    crash.happens("moved", SHOES, handle=None, from_zone=DOOR)
    (departed,) = crash.restart()
    assert departed.zone == "shoes"  # type: ignore[attr-defined]
    crash.happens("departed", SHOES, handle=None, reason="timeout")
    assert crash.restart() == []
    crash.happens("returned", DOOR, handle=None)
    assert [type(each) for each in crash.restart()] == [ItemDeparted]


def test_who_left_and_what_moved_after_the_snapshot_departs_from_where_the_snapshot_has_it() -> None:
    crash = Crash()
    crash.happens("arrived", DOOR)
    crash.happens("arrived", DOOR, handle=BEN, serial=5)
    crash.snapshot()
    crash.happens("moved", SHOES, from_zone=DOOR)
    crash.happens("moved", SHOES, handle=None, from_zone=DOOR)
    assert crash.since() == Since({ITEM.hex(): "shoes"}, {4})
    crash.happens("moved", DOOR, from_zone=SHOES)
    crash.happens("departed", SHOES, handle=None, reason="timeout")
    assert crash.since() == Since({ITEM.hex(): None}, set()), "the last word counts"


def test_what_was_said_of_a_zone_that_is_no_longer_ours_is_left_alone() -> None:
    crash = Crash()
    crash.happens("arrived", SHOES)
    crash.happens("arrived", SHOES, handle=None)
    assert crash.restart(zones=(ZoneId("door"),)) == []


def test_an_event_nobody_can_read_says_nothing() -> None:
    crash = Crash()
    crash.happens("arrived", SHOES, handle=None)
    crash.rows.insert(0, Row(9, "B", "t", b'{"specversion":"1.0"}'))
    crash.happens("arrived", DOOR)
    said = read_said(crash.rows, b"x" * 32)  # sealed under another key
    assert (len(said.items), said.tokens, said.entered) == (1, {}, {})
