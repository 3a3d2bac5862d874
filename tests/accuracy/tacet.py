"""The engine under test: Tacet's tracker, fed, ticked and told of lost readers as the agent does it."""

from broker_config.identity import siphash_2_4_128
from broker_config.member_table import MemberTable, pack_members
from edge.columns import Columns
from edge.presence import Tracker
from edge.presence_model import Layout, PresenceSettings, Transition
from tests.accuracy.engine import Change
from tests.accuracy.naive import KINDS
from tests.accuracy.plan import AWAY
from tests.accuracy.scorer import Limits
from tests.accuracy.world import CARD_HEADER, ITEM_PREFIX, MEMBERS

KEY = bytes(range(16))
FOREVER_NS = 1 << 61


class Tacet:
    """Judged by `detected_t`: when the event is out, not when it is dated."""

    def __init__(self, layout: Layout, settings: PresenceSettings, name: str = "Tacet") -> None:
        self.name = name
        self.limits = limits_of(settings)
        self._tracker = Tracker(layout, settings, seed=1, own_goods=(ITEM_PREFIX,))
        self._tracker.set_members(KEY, members())

    def feed(self, columns: Columns, now_ns: int) -> list[Change]:
        return changes_of(self._tracker.feed(columns, now_ns))

    def tick(self, now_ns: int) -> list[Change]:
        return changes_of(self._tracker.tick(now_ns))

    def cover(self, reader_id: str, covered: bool, now_ns: int) -> list[Change]:
        return changes_of(self._tracker.set_coverage(reader_id, covered, now_ns))


def limits_of(settings: PresenceSettings) -> Limits:
    """The time-outs that the settings publish, by kind of the zone a tag leaves from."""
    person_s, item_s = {}, {}
    for kind in KINDS:
        rules = settings.of_kind(kind)
        cap_s = rules.exit_departs_s if kind == "exit" else float("inf")
        person_s[kind], item_s[kind] = min(rules.person_departs_s, cap_s), min(rules.item_departs_s, cap_s)
    return Limits(person_s, item_s)


def members() -> MemberTable:
    """All cards that were given out."""
    entries = []
    for serial in range(MEMBERS):
        epc = CARD_HEADER + serial.to_bytes(7, "big")
        entries.append((siphash_2_4_128(KEY, epc), serial.to_bytes(16, "little")))
    return pack_members(1, FOREVER_NS, entries)


def changes_of(transitions: list[Transition]) -> list[Change]:
    """What a listener hears: one word per transition that says where a tag is."""
    changes = []
    for each in transitions:
        if each.kind == "departed":
            changes.append(Change(each.epc, each.detected_t_ns, AWAY))
        elif each.kind in ("arrived", "returned", "moved"):
            changes.append(Change(each.epc, each.detected_t_ns, each.zone))
    return changes
