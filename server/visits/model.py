"""A visit in memory."""

from dataclasses import dataclass, field


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
