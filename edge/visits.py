"""Visits: a member's handle behind a random token that means nothing outside this gateway and dies with the visit."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from edge.presence_model import Transition

FORGETTING = ("withdrawn", "erased")


def new_token() -> str:
    """128 random bits as 32 hex digits."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class VisitChange:
    """One thing to say about a visit.

    Args:
        handle: whose it is, to be sealed; None for `left`, which names nobody.
        zone: index into the layout.
        dwell_s: how long it was in the zone; 0 for `entered`.
        reason: of `left`: `moved`, `timeout`, `exit` or `withdrawn`.
        cause: the transition behind it.
    """

    kind: Literal["entered", "left"]
    token: str
    handle: bytes | None
    zone: int
    dwell_s: float
    reason: str | None
    cause: Transition


@dataclass(slots=True)
class _Visit:
    """A live token.

    Args:
        entered_ns: by card: when it came to the place it is at now.
        last_read_ns: of any of the member's cards.
    """

    token: str
    entered_ns: dict[bytes, int]
    last_read_ns: int


class Visits:
    """Tokens by member handle, in memory only.

    Args:
        gap_s: unseen for longer, a visit is over and the next one gets another token.
    """

    def __init__(self, gap_s: int, mint: Callable[[], str] = new_token) -> None:
        self._gap_ns = gap_s * 1_000_000_000
        self._mint = mint
        self._visits: dict[bytes, _Visit] = {}
        self._silenced: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._visits)

    def apply(self, transition: Transition) -> list[VisitChange]:
        """What a person's transition means for the visit; nothing for one who was forgotten since."""
        handle = transition.handle
        assert handle is not None
        if handle in self._silenced:
            return []
        if transition.kind == "departed":
            return self._left(handle, transition, transition.zone, transition.reason)
        left: list[VisitChange] = []
        if transition.kind == "moved" and transition.from_zone is not None:
            left = self._left(handle, transition, transition.from_zone, "moved")
        visit = self._live(handle, transition)
        visit.entered_ns[transition.epc] = transition.t_ns
        visit.last_read_ns = max(visit.last_read_ns, transition.last_read_ns)
        entered = VisitChange("entered", visit.token, handle, transition.zone, 0.0, None, transition)
        return [entered, *left]  # a screen waits for the entry; the leaving, of the same moment, only tidies up

    def expire(self, now_ns: int) -> None:
        """End the visits of those who are in no zone and unseen for longer than the gap."""
        over = [h for h, v in self._visits.items() if not v.entered_ns and now_ns - v.last_read_ns > self._gap_ns]
        for handle in over:
            del self._visits[handle]

    def end(self, tokens: Iterable[str], cause: str) -> None:
        """These tokens are dead.  Where consent is gone, the person stays unmentioned until a new member table decides."""
        dead = set(tokens)
        for handle in [handle for handle, visit in self._visits.items() if visit.token in dead]:
            del self._visits[handle]
            if cause in FORGETTING:
                self._silenced.add(handle)

    def members_replaced(self) -> None:
        """A new member table is in force: it knows who consents."""
        self._silenced.clear()

    def _live(self, handle: bytes, transition: Transition) -> _Visit:
        visit = self._visits.get(handle)
        over = visit is not None and not visit.entered_ns and transition.t_ns - visit.last_read_ns > self._gap_ns
        if visit is None or over:
            visit = self._visits[handle] = _Visit(self._mint(), {}, transition.last_read_ns)
        return visit

    def _left(self, handle: bytes, transition: Transition, zone: int, reason: str | None) -> list[VisitChange]:
        """Nothing when the token died while the person was in the zone."""
        visit = self._visits.get(handle)
        entered_ns = visit.entered_ns.pop(transition.epc, None) if visit else None
        if visit is None or entered_ns is None:
            return []
        visit.last_read_ns = max(visit.last_read_ns, transition.last_read_ns)
        dwell_s = max(transition.t_ns - entered_ns, 0) / 1e9
        if transition.reason == "withdrawn":
            del self._visits[handle]
        return [VisitChange("left", visit.token, None, zone, dwell_s, reason, transition)]
