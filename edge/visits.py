"""Visits: a member's handle behind a random token that means nothing outside this gateway and dies with the visit."""

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from edge.presence_model import Transition

FORGETTING = ("withdrawn", "erased")


def new_token() -> str:
    """128 random bits as 32 hex digits."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class VisitChange:
    """One thing to say about a visit.

    Args:
        handle: whose it is, to be sealed; None but for `entered`: the others name nobody.
        zone: index into the layout.
        dwell_s: how long it was, or by now has been, in the zone; 0 for `entered`.
        reason: of `left`: `moved`, `timeout`, `exit` or `withdrawn`.
        cause: the transition behind it.
    """

    kind: Literal["entered", "left", "dwelled"]
    token: str
    handle: bytes | None
    zone: int
    dwell_s: float
    reason: str | None
    cause: Transition


class Stay(msgspec.Struct, frozen=True):
    """Where one card of a visit is, and since when; `serial` names the card's record in the engine, never the card."""

    serial: int
    zone: int
    since_ns: int


class KeptVisit(msgspec.Struct, frozen=True):
    """A visit as a snapshot keeps it."""

    handle: bytes
    token: str
    last_read_ns: int
    stays: tuple[Stay, ...]


class KeptVisits(msgspec.Struct, frozen=True):
    """All visits, and who must not be mentioned until the member table has another version than this one."""

    visits: tuple[KeptVisit, ...]
    silenced: tuple[tuple[bytes, int], ...]


@dataclass(slots=True)
class _Visit:
    """A live token.

    Args:
        stays: by serial: where it is now.
        last_read_ns: of any of the member's cards.
    """

    token: str
    stays: dict[int, Stay]
    last_read_ns: int


class Visits:
    """Tokens by member handle, in memory, and in the snapshot that a restart begins with.

    Args:
        gap_s: unseen for longer, a visit is over and the next one gets another token.
    """

    def __init__(self, gap_s: int, mint: Callable[[], str] = new_token) -> None:
        self._gap_ns = gap_s * 1_000_000_000
        self._mint = mint
        self._visits: dict[bytes, _Visit] = {}
        self._silenced: dict[bytes, int] = {}  # and the version of the member table that was in force
        self._members_version = 0

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
        if transition.kind == "dwelled":
            return self._dwelled(handle, transition)
        left: list[VisitChange] = []
        if transition.kind == "moved" and transition.from_zone is not None:
            left = self._left(handle, transition, transition.from_zone, "moved")
        visit = self._live(handle, transition)
        visit.stays[transition.serial] = Stay(transition.serial, transition.zone, transition.t_ns)
        visit.last_read_ns = max(visit.last_read_ns, transition.last_read_ns)
        entered = VisitChange("entered", visit.token, handle, transition.zone, 0.0, None, transition)
        return [entered, *left]  # a screen waits for the entry; the leaving, of the same moment, only tidies up

    def expire(self, now_ns: int) -> None:
        """End the visits of those who are in no zone and unseen for longer than the gap."""
        over = [h for h, v in self._visits.items() if not v.stays and now_ns - v.last_read_ns > self._gap_ns]
        for handle in over:
            del self._visits[handle]

    def end(self, tokens: Iterable[str], cause: str) -> None:
        """These tokens are dead.  Where consent is gone, the person stays unmentioned until a new member table decides."""
        dead = set(tokens)
        for handle in [handle for handle, visit in self._visits.items() if visit.token in dead]:
            del self._visits[handle]
            if cause in FORGETTING:
                self._silenced[handle] = self._members_version

    def members_replaced(self, version: int) -> bool:
        """This member table is in force: it knows who consents, unless it is the one that was in force when they withdrew.

        Returns: whether it is another than before.
        """
        before, self._members_version = self._members_version, version
        self._silenced = {handle: at for handle, at in self._silenced.items() if at == version}
        return version != before

    def owners(self) -> dict[str, bytes]:
        """Whose each live token is."""
        return {visit.token: handle for handle, visit in self._visits.items()}

    def keep_only(self, known: Collection[bytes]) -> None:
        """Forget everybody but these, also who was not to be mentioned."""
        self._visits = {handle: visit for handle, visit in self._visits.items() if handle in known}
        self._silenced = {handle: at for handle, at in self._silenced.items() if handle in known}

    def keep(self) -> KeptVisits:
        """A copy for a snapshot."""
        visits = (KeptVisit(h, v.token, v.last_read_ns, tuple(v.stays.values())) for h, v in self._visits.items())
        return KeptVisits(tuple(visits), tuple(self._silenced.items()))

    def restore(self, kept: KeptVisits, zones: Mapping[int, int]) -> None:
        """Go on from a copy.

        Args:
            zones: today's index of each zone of then; stays in the others are over.
        """
        self._silenced = dict(kept.silenced)
        for each in kept.visits:
            stays = {s.serial: Stay(s.serial, zones[s.zone], s.since_ns) for s in each.stays if s.zone in zones}
            self._visits[each.handle] = _Visit(each.token, stays, each.last_read_ns)

    def holds(self, token: str, zone: int) -> bool:
        """Whether this visit is in the zone, as far as is known."""
        visits = (visit for visit in self._visits.values() if visit.token == token)
        return any(stay.zone == zone for visit in visits for stay in visit.stays.values())

    def adopt(self, handle: bytes, token: str, last_read_ns: int) -> None:
        """Go on under a token that was given out after the copy was made; not for one who must not be mentioned."""
        known = self._visits.get(handle)
        if handle not in self._silenced and (known is None or known.token != token):
            self._visits[handle] = _Visit(token, {} if known is None else known.stays, last_read_ns)

    def lose(self, serial: int) -> tuple[str, Stay] | None:
        """A card's record is gone: the token and the stay that ends with it; None where it was in no zone."""
        for visit in self._visits.values():
            if serial in visit.stays:
                return visit.token, visit.stays.pop(serial)
        return None

    def was_left(self, token: str, zone: int) -> None:
        """It has been said already that the visit left the zone."""
        for visit in self._visits.values():
            if visit.token == token:
                visit.stays = {serial: stay for serial, stay in visit.stays.items() if stay.zone != zone}

    def _live(self, handle: bytes, transition: Transition) -> _Visit:
        visit = self._visits.get(handle)
        over = visit is not None and not visit.stays and transition.t_ns - visit.last_read_ns > self._gap_ns
        if visit is None or over:
            visit = self._visits[handle] = _Visit(self._mint(), {}, transition.last_read_ns)
        return visit

    def _left(self, handle: bytes, transition: Transition, zone: int, reason: str | None) -> list[VisitChange]:
        """Nothing when the token died while the person was in the zone."""
        visit = self._visits.get(handle)
        stay = visit.stays.pop(transition.serial, None) if visit else None
        if visit is None or stay is None:
            return []
        visit.last_read_ns = max(visit.last_read_ns, transition.last_read_ns)
        if transition.reason == "withdrawn":
            del self._visits[handle]
        return [VisitChange("left", visit.token, None, zone, _dwell_s(stay, transition), reason, transition)]

    def _dwelled(self, handle: bytes, transition: Transition) -> list[VisitChange]:
        """Nothing when the token died while the person was in the zone: to say that somebody dwells there would revive it."""
        visit = self._visits.get(handle)
        stay = visit.stays.get(transition.serial) if visit else None
        if visit is None or stay is None:
            return []
        visit.last_read_ns = max(visit.last_read_ns, transition.last_read_ns)
        dwell_s = _dwell_s(stay, transition)
        return [VisitChange("dwelled", visit.token, None, transition.zone, dwell_s, None, transition)]


def _dwell_s(stay: Stay, transition: Transition) -> float:
    return max(transition.t_ns - stay.since_ns, 0) / 1e9
