"""From an event to decisions: which rules speak of it, what the gates say, what follows."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from broker_config.messages import DecisionMade, ShelfPick, VisitDwelled, VisitEntered
from broker_config.site import Actuator, Display, ShelfId, Site, ZoneId
from server.clock import NS_PER_MS, ClockNs, to_datetime, to_ns
from server.commands.service import Cause, CommandService
from server.db import Database
from server.decisions import store
from server.decisions.engine import Verdict, decide
from server.decisions.explain import explain
from server.decisions.gates import OPENNESS, Context, DecisionData, MemberFacts
from server.decisions.model import DecisionRecord, moment_s
from server.decisions.rules import Content, Rule, Rules, Trigger, load_rules
from server.errors import NotFound
from server.feed import Happening
from server.members.store import Profile
from server.visits.model import Visit
from server.work import Work


@dataclass(frozen=True, slots=True)
class Event:
    """What may set off rules.

    Args:
        place: the zone or shelf that rules name.
        member: None where it names nobody.
        gtin: the article, where one is known.
    """

    id: str
    trigger: Trigger
    place: str
    zone: str
    shelf: str | None
    at_ns: int
    gtin: str | None = None
    visit: Visit | None = None
    member: MemberFacts | None = None
    language: str = ""


class DecisionService:
    """Holds the rules in force and decides by them."""

    def __init__(self, site: Site, rules_path: Path, commands: CommandService, db: Database, clock_ns: ClockNs) -> None:
        self._site, self._path, self._commands, self._db, self._clock_ns = site, rules_path, commands, db, clock_ns
        self._timezone = ZoneInfo(site.timezone)
        self._shelf_zones = {shelf.id: shelf.zone for shelf in site.shelves}
        self._actuators = {actuator.id: actuator for actuator in site.actuators}
        self.rules = load_rules(rules_path, site)

    def reload(self) -> Rules:
        """Read the rule file again; where it is bad, the old rules stay.

        Raises:
            ConfigError: what is wrong with it.
        """
        self.rules = load_rules(self._path, self._site)
        return self.rules

    async def latest(self, limit: int) -> list[DecisionRecord]:
        """The newest decisions, newest first."""
        async with self._db.session() as session:
            return await store.latest(session, limit)

    async def get(self, decision: str) -> DecisionRecord:
        """One decision.

        Raises:
            NotFound: there is none of that id.
        """
        async with self._db.session() as session:
            record = await store.find(session, decision)
        if record is None:
            raise NotFound(f"there is no decision {decision[:40]!r}")
        return record

    def on_visit(
        self, work: Work, event_id: str, data: VisitEntered | VisitDwelled, visit: Visit, profile: Profile
    ) -> None:
        """A member's visit entered a zone, or has been in it for a while."""
        at_ns = to_ns(data.detected_at)
        event = Event(
            event_id,
            "visit.dwelled" if isinstance(data, VisitDwelled) else "visit.entered",
            data.zone,
            data.zone,
            None,
            at_ns,
            visit=visit,
            member=profile.facts,
            language=profile.language,
        )
        self._consider(work, event)

    def on_shelf(self, work: Work, event_id: str, trigger: Trigger, data: ShelfPick, gtin: str | None) -> None:
        """Something was taken off a shelf or put back."""
        zone = self._shelf_zones[ShelfId(data.shelf)]
        event = Event(
            event_id, trigger, data.shelf, zone, data.shelf, to_ns(data.detected_at), gtin, language=self._site.language
        )
        self._consider(work, event)

    def _consider(self, work: Work, event: Event) -> None:
        spoken: set[str] = set()
        for rule in self.rules.matching(event.trigger, event.place):
            if rule.actuator is not None:
                self._decide(work, event, rule, self._actuators[rule.actuator.id], spoken=False)
                continue
            displays = self._screens(rule, event.zone)
            shown = [d.id for d in displays if self._decide(work, event, rule, d, spoken=d.id in spoken)]
            spoken.update(shown)
            if shown and event.visit is not None:
                event.visit.shown += 1  # saved with the visit: see `server.inbox`

    def _screens(self, rule: Rule, zone: str) -> list[Display]:
        """The displays of the zone whose class permits the content; where none does, one, to say so."""
        content = self._content(rule)
        here = [display for display in self._site.displays if display.zone == zone]
        wanted = OPENNESS[content.screen_class or "private"] if content else 0
        return [display for display in here if OPENNESS[display.screen_class] >= wanted] or here[:1]

    def _decide(self, work: Work, event: Event, rule: Rule, place: Display | Actuator, *, spoken: bool) -> bool:
        """Decide, store, tell, and act where the answer is yes; true when a moment was shown."""
        now_ns = self._clock_ns()
        data = DecisionData(
            trigger=event.trigger,
            zone=ZoneId(event.zone),
            shelf=event.shelf,
            gtin=event.gtin,
            member=event.member,
            shown=event.visit.shown if event.visit else 0,
            spoken=spoken,
        )
        context = self._context(rule, place, now_ns)
        verdict = decide(data, rule, context)
        record = self._record(event, rule, place, data, context, verdict, now_ns)
        work.write_all([store.to_row(record)])
        self._tell(work, record)
        if verdict.outcome == "acted" and rule.actuator is not None:
            self._commands.actuate(work, rule.actuator, record.decision)
        if verdict.outcome == "shown" and isinstance(place, Display) and rule.moment is not None and context.content:
            cause = Cause(record.decision, record.visit, event.language or self._site.language, event.at_ns)
            self._commands.show(work, place, context.content, rule, rule.moment, cause)
        return verdict.outcome == "shown"

    def _content(self, rule: Rule) -> Content | None:
        return self.rules.contents[rule.moment.content] if rule.moment is not None else None

    def _context(self, rule: Rule, place: Display | Actuator, now_ns: int) -> Context:
        local: datetime = to_datetime(now_ns).astimezone(self._timezone)
        on_screen = isinstance(place, Display)
        return Context(
            local_time=local.isoformat(timespec="seconds"),
            minute=local.hour * 60 + local.minute,
            display=place.id if on_screen else None,
            screen_class=place.screen_class if isinstance(place, Display) else None,
            content=self._content(rule),
        )

    def _record(
        self,
        event: Event,
        rule: Rule,
        place: Display | Actuator,
        data: DecisionData,
        context: Context,
        verdict: Verdict,
        now_ns: int,
    ) -> DecisionRecord:
        return DecisionRecord(
            decision=secrets.token_hex(16),
            at=to_datetime(now_ns),
            rule=rule.id,
            rule_version=rule.version,
            rule_why=rule.why,
            rule_author=rule.author,
            outcome=verdict.outcome,
            reason=verdict.reason,
            place=event.zone,
            display=context.display,
            content=context.content.id if context.content else None,
            visit=event.visit.id if event.visit else None,
            event=event.id,
            data=msgspec.to_builtins(data),
            context=msgspec.to_builtins(context) | {"rule": msgspec.to_builtins(rule)},
            gates=verdict.gates,
            say=explain(verdict, rule, context, place),
            latency_ms=round((now_ns - event.at_ns) / NS_PER_MS, 3),
        )

    @staticmethod
    def _tell(work: Work, record: DecisionRecord) -> None:
        made = DecisionMade(
            decision=record.decision,
            rule=record.rule,
            rule_version=record.rule_version,
            outcome=record.outcome,
            reason=record.reason,
            place=record.place,
            visit=record.visit,
            latency_ms=record.latency_ms,
        )
        work.send(made)
        facts: dict[str, object] = {
            "decision": record.decision,
            "rule": record.rule,
            "outcome": record.outcome,
            "reason": record.reason,
            "visit": record.visit,
            "display": record.display,
            "say": record.say,
            "moment_s": moment_s(record),
        }
        work.happenings.append(Happening("decision", "made", record.at, record.place, facts))
