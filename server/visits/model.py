"""A visit in memory."""

from dataclasses import dataclass, field

from broker_config.site import AgentId, Site


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
        tokens: each agent's token, and where it is; changed by `put`.
    """

    id: str
    member: str
    opened_ns: int
    seen_ns: int
    shown: int = 0
    tokens: dict[str, Place] = field(default_factory=dict)
    _inside: dict[str, str] = field(default_factory=dict)

    @property
    def zones(self) -> set[str]:
        """Where the member is now."""
        return set(self._inside.values())

    def put(self, token: str, place: Place) -> None:
        """Take note of where a token is."""
        self.tokens[token] = place
        self._inside.pop(token, None)
        if place.zone is not None:
            self._inside[token] = place.zone


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
