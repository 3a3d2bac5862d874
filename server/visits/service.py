"""Visits: the tokens of one member joined, where they are now, and their end."""

import logging

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.errors import MessageError
from broker_config.identity import open_handle
from broker_config.messages import VisitDwelled, VisitEnded, VisitEntered, VisitLeft
from broker_config.site import AgentId, Site
from server.clock import NS_PER_S, ClockNs, to_ns
from server.commands.service import CommandService
from server.decisions.store import forget_member
from server.feed import Happening
from server.identities import Identities
from server.members import store
from server.members.store import Profile
from server.tables import VisitRow, VisitTokenRow
from server.visits.leavings import Leavings
from server.visits.model import Place, Restarts, Visit
from server.work import Work

log = logging.getLogger(__name__)

MAX_SLACK_NS = 30 * NS_PER_S
"""How much longer than the agents we wait at most, so that theirs is the first word on a visit's end."""
TOLERANCE_NS = NS_PER_S
UNSURE = ("timeout", "restart")
"""Reasons of a leaving that nobody saw happen."""
LONGEST_NS = 24 * 3600 * NS_PER_S
"""A visit whose agent never said that it ended, because the agent is gone."""
TOKENS_TOGETHER = 1000
"""In one message: a broker ends the connection of who sends a longer one than it takes, and would do so again and again."""
LATEST_NS = 3600 * NS_PER_S
"""For so long after a leaving it ends late entries also across a restart."""


class VisitService:
    """Open visits, in memory and in the database."""

    def __init__(self, site: Site, identities: Identities, commands: CommandService, clock_ns: ClockNs) -> None:
        self._identities, self._commands, self._clock_ns = identities, commands, clock_ns
        self._gap_ns = site.visit_gap_s * NS_PER_S
        self._slack_ns = min(MAX_SLACK_NS, self._gap_ns // 2)
        self._restarts = Restarts(site)
        self._by_token: dict[str, Visit] = {}
        self._by_member: dict[str, Visit] = {}
        self._profiles: dict[str, Profile] = {}
        self._leavings = Leavings()

    async def load(self, session: AsyncSession) -> None:
        """Read the open visits.  What is dated later than now, a clock that was ahead has dated: it counts as of now."""
        now_ns = self._clock_ns()
        self._by_token, self._by_member, self._profiles = {}, {}, {}
        rows = await session.scalars(select(VisitRow).where(VisitRow.closed_ns.is_(None)))
        visits = {
            row.id: Visit(row.id, row.member, row.opened_ns, min(row.seen_ns, now_ns), row.shown)
            for row in rows
            if row.member
        }
        for token in await session.scalars(select(VisitTokenRow).where(VisitTokenRow.visit.in_(visits))):
            visits[token.visit].put(token.token, Place(token.zone, min(token.as_of_ns, now_ns)))
        for visit in visits.values():
            self._put(visit)
        await self._leavings.load(session, now_ns - LATEST_NS, now_ns)

    def counts(self) -> dict[str, int]:
        """Visits in each zone now."""
        found: dict[str, int] = {}
        for visit in self._by_member.values():
            for zone in visit.zones:
                found[zone] = found.get(zone, 0) + 1
        return found

    async def profile(self, work: Work, visit: Visit) -> Profile:
        """Whom a visit is of."""
        profile = await self._profile(work, visit.member)
        assert profile is not None, "an open visit has its member"
        return profile

    async def enter(self, work: Work, agent: AgentId, event_id: str, data: VisitEntered) -> Visit | None:
        """Take note that a visit is in a zone; None where nobody may be recognised by it (any more), or has left again:
        messages may come out of order.

        Raises:
            MessageError: `who` cannot be opened.
        """
        visit = self._by_token.get(data.visit) or await self._open(work, agent, event_id, data)
        if visit is None:
            # The agent's table is older than the member's consent: let it forget the token now.
            work.send(VisitEnded(visits=(data.visit,), cause="withdrawn"))
            return None
        at_ns = to_ns(data.detected_at)
        left = self._leavings.ended(data.visit, data.zone, at_ns)
        if at_ns >= visit.tokens[data.visit].as_of_ns:
            gone = left or self._restarts.forgotten(data.zone, at_ns)
            visit.put(data.visit, Place(None if gone else data.zone, at_ns))
        visit.seen_ns = max(visit.seen_ns, at_ns)
        self.save(work, visit, data.visit)
        if left:
            return None
        self._commands.clear_elsewhere(work, visit.id, visit.zones)
        work.happenings.append(Happening("visit", "entered", data.detected_at, data.zone, {"visit": visit.id}))
        return visit

    def agent_started(self, work: Work, agent: AgentId, started_ns: int) -> None:
        """An agent's earlier tokens are dead: whoever held one is seen nowhere until the agent says so under a new one."""
        self._restarts.take(agent, started_ns)
        for visit in self._by_member.values():
            dead = [
                t
                for t, place in visit.tokens.items()
                if place.zone and self._restarts.forgotten(place.zone, place.as_of_ns)
            ]
            for token in dead:
                visit.put(token, Place(None, visit.tokens[token].as_of_ns))
            if dead:
                self.save(work, visit, *dead)

    def leave(self, work: Work, data: VisitLeft) -> None:
        """Take note that a visit is no longer in a zone."""
        self._leavings.note(data)
        visit = self._by_token.get(data.visit)
        if visit is None:
            return
        place = visit.tokens[data.visit]
        if place.zone == data.zone and to_ns(data.detected_at) >= place.as_of_ns:
            visit.put(data.visit, Place(None, place.as_of_ns))  # a later entry elsewhere may still be on its way
        visit.seen_ns = max(visit.seen_ns, to_ns(data.last_read_at))
        self.save(work, visit, data.visit)
        if data.reason not in UNSURE:  # a body in the way is no reason to blank a screen; its own time is short
            self._commands.clear_elsewhere(work, visit.id, visit.zones)
        facts: dict[str, object] = {"visit": visit.id, "reason": data.reason, "dwell_s": data.dwell_s}
        work.happenings.append(Happening("visit", "left", data.detected_at, data.zone, facts))

    def dwell(self, work: Work, data: VisitDwelled) -> Visit | None:
        """Take note that a visit has been in a zone for a while; None where the token is not known (any more)."""
        visit = self._by_token.get(data.visit)
        if visit is None:
            return None
        visit.seen_ns = max(visit.seen_ns, to_ns(data.last_read_at))
        self.save(work, visit)
        facts: dict[str, object] = {"visit": visit.id, "dwell_s": data.dwell_s}
        work.happenings.append(Happening("visit", "dwelled", data.detected_at, data.zone, facts))
        return visit

    def save(self, work: Work, visit: Visit, *tokens: str) -> None:
        """Write a visit as it is now, and of its tokens those whose place has changed: a long one has many."""
        _write(work, visit, closed_ns=None, cause=None)
        for token in tokens:
            place = visit.tokens[token]
            work.write(VisitTokenRow, token=token, visit=visit.id, zone=place.zone, as_of_ns=place.as_of_ns)

    def close_overdue(self, work: Work) -> None:
        """End the visits of those who have not been seen for the site's gap."""
        for visit in list(self._by_member.values()):
            unseen_ns = self._clock_ns() - visit.seen_ns
            if unseen_ns > (LONGEST_NS if visit.zones else self._gap_ns + self._slack_ns):
                self._time_out(work, visit)

    async def end_member(self, work: Work, member: str, cause: str) -> None:
        """End a member's visits on every screen and at every agent, and forget that the earlier ones were theirs."""
        visit = self._by_member.get(member)
        if visit is not None:
            self._end(work, visit, cause)
        await forget_member(work.session, member)
        now_ns = self._clock_ns()
        still_open = VisitRow.member == member, VisitRow.closed_ns.is_(None)
        await work.session.execute(update(VisitRow).where(*still_open).values(closed_ns=now_ns, cause=cause))
        await work.session.execute(update(VisitRow).where(VisitRow.member == member).values(member=None, cause=cause))
        self.forget_profile(member)

    def clear_moments(self, work: Work, member: str, reason: str) -> None:
        """Take a member's moments off the screens; the visit goes on."""
        visit = self._by_member.get(member)
        if visit is not None:
            self._commands.clear_elsewhere(work, visit.id, set(), reason)

    def forget_profile(self, member: str) -> None:
        """What we remember of a member has changed."""
        self._profiles.pop(member, None)

    async def _open(self, work: Work, agent: AgentId, event_id: str, data: VisitEntered) -> Visit | None:
        """The visit that an unknown token belongs to, opened where there is none."""
        seal_key = self._identities.seal_key(agent)
        if seal_key is None:
            raise MessageError(f"there is no seal key for {agent}")
        member = await store.member_of_handle(work.session, agent, open_handle(seal_key, data.who, event_id))
        profile = await self._profile(work, member) if member is not None else None
        if member is None or profile is None or "recognise" not in profile.facts.purposes:
            return None
        at_ns = to_ns(data.detected_at)
        visit = self._current(work, member, at_ns) or await self._reopen(work, member, data.visit, at_ns)
        if visit is None:
            visit = Visit(data.visit, member, at_ns, at_ns)
        if data.visit not in visit.tokens:
            visit.put(data.visit, Place(None, at_ns))
        self._put(visit)
        return visit

    def _current(self, work: Work, member: str, at_ns: int) -> Visit | None:
        """The member's open visit; one whose gap has passed ends here, for a new token after it is a new visit."""
        visit = self._by_member.get(member)
        if visit is None or visit.zones or at_ns - visit.seen_ns < self._gap_ns - TOLERANCE_NS:
            return visit
        self._time_out(work, visit)
        return None

    async def _reopen(self, work: Work, member: str, token: str, at_ns: int) -> Visit | None:
        """The visit of a token that we took for over and its agent did not, or not yet.

        What was before the end that we told comes late, and puts nobody anywhere: its agent forgets the token.
        """
        known = await work.session.get(VisitTokenRow, token)
        row = await work.session.get(VisitRow, known.visit) if known is not None else None
        if row is None or row.member != member:
            return None
        visit = Visit(row.id, member, row.opened_ns, row.seen_ns, row.shown)
        if row.closed_ns is not None and at_ns < row.closed_ns:
            visit.put(token, Place(None, row.closed_ns))
        return visit

    async def _profile(self, work: Work, member: str) -> Profile | None:
        if member not in self._profiles:
            profile = await store.load_profile(work.session, member)
            if profile is None:
                return None
            self._profiles[member] = profile
        return self._profiles[member]

    def _put(self, visit: Visit) -> None:
        self._by_member[visit.member] = visit
        self._by_token.update(dict.fromkeys(visit.tokens, visit))

    def _time_out(self, work: Work, visit: Visit) -> None:
        self._end(work, visit, "timeout")
        _write(work, visit, closed_ns=self._clock_ns(), cause="timeout")

    def _end(self, work: Work, visit: Visit, cause: str) -> None:
        del self._by_member[visit.member]
        for token in visit.tokens:
            del self._by_token[token]
        self._profiles.pop(visit.member, None)
        self._commands.clear_elsewhere(work, visit.id, set(), cause)
        tokens = tuple(dict.fromkeys((visit.id, *visit.tokens)))
        for start in range(0, len(tokens), TOKENS_TOGETHER):
            work.send(VisitEnded(visits=tokens[start : start + TOKENS_TOGETHER], cause=cause))
        facts: dict[str, object] = {"visit": visit.id, "cause": cause}
        work.happenings.append(Happening("visit", "ended", work.now, "", facts))
        log.info("a visit ended: %s", cause)


def _write(work: Work, visit: Visit, *, closed_ns: int | None, cause: str | None) -> None:
    work.write(
        VisitRow,
        id=visit.id,
        member=visit.member,
        opened_ns=visit.opened_ns,
        seen_ns=visit.seen_ns,
        closed_ns=closed_ns,
        cause=cause,
        shown=visit.shown,
    )
