"""Presence: reads in, transitions out.  Wires the kernels of `hotpath` to the layout and the member table."""

from collections.abc import Sequence

from broker_config.member_table import MemberTable
from edge.columns import Columns
from edge.presence_model import (
    Antenna,
    Counters,
    Layout,
    PresenceSettings,
    PresentTag,
    Profile,
    Transition,
    TransitionKind,
    ZoneSettings,
    ZoneSpec,
)

__all__ = [
    "Antenna",
    "Counters",
    "Layout",
    "PresenceSettings",
    "PresentTag",
    "Profile",
    "Tracker",
    "Transition",
    "TransitionKind",
    "ZoneSettings",
    "ZoneSpec",
]


class Tracker:
    """The presence engine of one gateway.  All times come from the reads and from `tick`; it never looks at a clock."""

    def __init__(
        self,
        layout: Layout,
        settings: PresenceSettings,
        *,
        seed: int,
        own_goods: Sequence[bytes] | None,
        capacity: int = 65_536,
    ) -> None:
        """Args:
        seed: of the table's hash, fresh per start (`secrets.randbits(64)`); it never changes what comes out.
        own_goods: EPC prefixes of the site's own goods; None: every EPC is an item (recordings).
        capacity: tags held at once, strays included.
        """
        raise NotImplementedError

    def set_members(self, match_key: bytes, table: MemberTable | None) -> list[Transition]:
        """Match cards against this table from now on; None: nobody is a member.

        Present persons that it no longer holds depart with the reason `withdrawn`.
        The lease is compared with the times of the reads: later reads of a card are those of a stray.
        """
        raise NotImplementedError

    def feed(self, columns: Columns, received_ns: int | None = None) -> list[Transition]:
        """The transitions that these reads cause, in order.

        Args:
            received_ns: where given, reads dated later are clamped to it and counted.
        """
        raise NotImplementedError

    def tick(self, now_ns: int) -> list[Transition]:
        """The departures that are due by `now_ns`, in deadline order; later reads before it are late."""
        raise NotImplementedError

    def present_in(self, zone: int) -> list[PresentTag]:
        """The items in a zone, by EPC."""
        raise NotImplementedError

    def next_deadline_ns(self) -> int | None:
        """When to `tick` next.  Nothing is due before; it may turn out that nothing is due then either."""
        raise NotImplementedError

    @property
    def counters(self) -> Counters:
        """A copy of the counters."""
        raise NotImplementedError
