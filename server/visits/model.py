"""A visit in memory."""

from dataclasses import dataclass, field

from broker_config.site import AgentId, Site

MAX_EARLY = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a token is, and since which event that is known; `zone` None: nowhere."""

    zone: str | None
    as_of_ns: int


@dataclass(slots=True)
class Visit:
    """A member's stay, whichever agents see it.

    Args:
        id: the first token of it; also names the visit on the bus, and means nothing outside it.
        member: the link that only the server has.
        shown: moments shown so far.
        tokens: each agent's token, and where it is.
    """

    id: str
    member: str
    opened_ns: int
    seen_ns: int
    shown: int = 0
    tokens: dict[str, Place] = field(default_factory=dict)

    @property
    def zones(self) -> set[str]:
        """Where the member is now."""
        return {place.zone for place in self.tokens.values() if place.zone is not None}


class Restarts:
    """Since when each agent knows who is where.

    An agent that starts from its snapshot keeps that time, and nothing changes here.  One that starts with nothing no longer
    knows who was where, and will never say that they left.
    """

    def __init__(self, site: Site) -> None:
        self._agents = {zone.id: zone.agent for zone in site.zones}
        self._started_ns: dict[str, int] = {}

    def take(self, agent: AgentId, started_ns: int) -> None:
        """Take note of a start."""
        self._started_ns[agent] = max(started_ns, self._started_ns.get(agent, 0))

    def forgotten(self, zone: str, as_of_ns: int) -> bool:
        """Whether what was so in a zone then was seen by an earlier process."""
        return as_of_ns < self._started_ns.get(self._agents.get(zone, ""), 0)


class EarlyLeavings:
    """Leavings that came before the entry they end: a network may turn them round, and an entry that was lost is sent again.

    Kept in memory only, and the newest thousand: who enters in the same instant in which the server starts is not worth more.
    """

    def __init__(self) -> None:
        self._at_ns: dict[tuple[str, str], int] = {}

    def note(self, token: str, zone: str, at_ns: int) -> None:
        """A token left a zone in which it was not, as far as is known."""
        self._at_ns[token, zone] = max(at_ns, self._at_ns.pop((token, zone), 0))
        if len(self._at_ns) > MAX_EARLY:
            del self._at_ns[next(iter(self._at_ns))]

    def of(self, token: str, zone: str, entered_ns: int) -> int | None:
        """When the token left the zone that it entered then, if that is known already."""
        left_ns = self._at_ns.get((token, zone), -1)  # kept: an entry still older may come before the one it ends
        return left_ns if left_ns >= entered_ns else None
