"""Orders to screens and actuators: absolute, fenced by version, and short-lived."""

import logging
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.errors import MessageError
from broker_config.messages import (
    ActuatorCommand,
    ActuatorResult,
    BaseItem,
    BaseSet,
    MomentClear,
    MomentSet,
    MomentShown,
    Version,
)
from broker_config.site import ActuatorId, Display, DisplayId, Site
from server.clock import NS_PER_MS, NS_PER_S, ClockNs, to_datetime, to_ns
from server.commands.retries import FINAL, NO_ANSWER, Retries
from server.decisions.rules import ActuatorAction, Content, MomentAction, Rule, Rules
from server.feed import Happening
from server.tables import CommandRow, DecisionRow, EpochRow, ProofRow
from server.work import Work

log = logging.getLogger(__name__)

MAX_COUNTER = 2**63 - 1
LONGEST_MOMENT_NS = 120 * NS_PER_S
"""As long as a rule file lets one stand."""
ACTUATOR_TTL_MS = 2_000
"""An order to a lamp that arrives later than this would surprise."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What an order follows from.

    Args:
        visit: whose it is; None for what is meant for nobody in particular.
        at_ns: when it happened at the antenna or the shelf.
    """

    decision: str
    visit: str | None
    language: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A moment that may still be on a screen."""

    decision: str
    visit: str | None
    until_ns: int


class CommandService:
    """Issues orders and records what became of them."""

    def __init__(self, site: Site, clock_ns: ClockNs) -> None:
        self._clock_ns = clock_ns
        self._zones = {display.id: display.zone for display in site.displays}
        self._displays = site.displays
        self._epoch, self._counter = 0, 0
        self._standing: dict[str, Standing] = {}
        self.retries = Retries(clock_ns)

    async def start_epoch(self, session: AsyncSession) -> None:
        """Make every version from here on newer than those of earlier starts.

        Not a mere count: a database put back from its backup would begin where agents and screens have long been.
        """
        row = await session.get(EpochRow, True)
        self._epoch = max(self._clock_ns() // NS_PER_S, row.epoch + 1 if row is not None else 1)
        await session.merge(EpochRow(only=True, epoch=self._epoch))

    async def load(self, session: AsyncSession) -> None:
        """Read what may stand on the screens: each one's last order, unless it took a moment away or that has ended."""
        self._standing = {}
        self.retries.forget()
        for display in self._zones:
            newest = (
                select(DecisionRow.id, DecisionRow.visit, CommandRow.issued_ns, CommandRow.on)
                .join(DecisionRow, DecisionRow.id == CommandRow.decision)
                .where(CommandRow.target == f"display/{display}")
                .order_by(CommandRow.epoch.desc(), CommandRow.counter.desc())
                .limit(1)
            )
            found = (await session.execute(newest)).one_or_none()
            if found is not None and found.on and await session.get(ProofRow, (found.id, "ended")) is None:
                self._standing[display] = Standing(found.id, found.visit, found.issued_ns + LONGEST_MOMENT_NS)

    def show(
        self, work: Work, display: Display, content: Content, rule: Rule, action: MomentAction, cause: Cause
    ) -> None:
        """Put a moment on a screen."""
        version, now_ns, ttl_ms = self._next(), self._clock_ns(), round(action.ttl_s * 1000)
        moment = MomentSet(
            display=DisplayId(display.id),
            version=version,
            decision=cause.decision,
            content=content.id,
            visit=cause.visit,
            text=content.text,
            because=rule.why,
            language=cause.language,
            screen_class=content.screen_class or "private",
            picture=content.picture,
            issued_at=to_datetime(now_ns),
            cause_at=to_datetime(cause.at_ns),
            ttl_ms=ttl_ms,
        )
        work.send(moment, display=display.id)
        self._write(work, f"display/{display.id}", version, cause.decision, now_ns, on=True)
        self._standing[display.id] = Standing(cause.decision, cause.visit, now_ns + ttl_ms * NS_PER_MS)

    def clear_elsewhere(self, work: Work, visit: str, zones: set[str], reason: str = "left") -> None:
        """Take a visit's moments off the screens of all zones but those it is in."""
        now_ns = self._clock_ns()
        for display, standing in list(self._standing.items()):
            if standing.until_ns <= now_ns:
                del self._standing[display]
            elif standing.visit == visit and self._zones[display] not in zones:
                del self._standing[display]
                self._clear(work, display, standing, reason, now_ns)

    def actuate(self, work: Work, action: ActuatorAction, decision: str) -> None:
        """Switch an actuator."""
        version, now_ns = self._next(), self._clock_ns()
        order = ActuatorCommand(
            actuator=ActuatorId(action.id),
            version=version,
            decision=decision,
            on=action.on,
            hold_ms=None if action.hold_s is None else round(action.hold_s * 1000),
            issued_at=to_datetime(now_ns),
            ttl_ms=ACTUATOR_TTL_MS,
        )
        work.send(order, actuator=action.id)
        self.retries.begin(order)
        self._write(work, f"actuator/{action.id}", version, decision, now_ns, on=action.on)

    def base_sets(self, rules: Rules) -> list[BaseSet]:
        """The impersonal content of every display, to be retained by the broker."""
        return [
            BaseSet(
                display=DisplayId(display.id),
                version=self._next(),
                items=tuple(
                    BaseItem(content=content.id, text=content.text, note=content.note, picture=content.picture)
                    for content in rules.contents.values()
                    if display.id in content.base
                ),
            )
            for display in self._displays
        ]

    async def take_result(self, work: Work, result: ActuatorResult) -> None:
        """Record what an actuator did; about an order we do not know, nothing.

        Raises:
            MessageError: a version from the future.
        """
        if result.version[0] > self._epoch or not 0 <= result.version[1] <= MAX_COUNTER:
            raise MessageError("the result of an order that no start of this server can have given")
        row = await work.session.get(CommandRow, (f"actuator/{result.actuator}", *result.version))
        if row is None:
            log.info("%s answers an order we do not know", result.actuator)
            return
        self.retries.answered(result.actuator, result.version, result.result)
        if row.result not in FINAL and row.result != result.result:
            _conclude(work, row, result.actuator, result.result, result.reason)

    async def retry(self, work: Work) -> None:
        """Send again what nobody has answered, and put down what nobody ever will."""
        for order in self.retries.take_due(work):
            row = await work.session.get(CommandRow, (f"actuator/{order.actuator}", *order.version))
            if row is not None and row.result is None:
                _conclude(work, row, order.actuator, NO_ANSWER, "no agent answered; see whether it is connected")

    async def take_proof(self, work: Work, shown: MomentShown) -> bool:
        """Record that a moment appeared or ended; false when we knew.

        Raises:
            MessageError: there is no such moment on that display.
        """
        about = await work.session.scalar(
            select(CommandRow.target).where(
                CommandRow.decision == shown.decision, CommandRow.target == f"display/{shown.display}"
            )
        )
        if about is None or await work.session.get(DecisionRow, shown.decision) is None:
            raise MessageError("a receipt for a moment that this display was never given")
        if await work.session.get(ProofRow, (shown.decision, shown.phase)) is not None:
            return False
        proof = ProofRow(
            decision=shown.decision,
            phase=shown.phase,
            display=shown.display,
            content=shown.content,
            at_ns=to_ns(shown.at),
            cause_ns=to_ns(shown.cause_at),
            ended_by=shown.ended_by,
        )
        work.session.add(proof)
        await work.session.flush()  # so that its twin in this very batch finds it
        standing = self._standing.get(shown.display)
        if shown.phase == "ended" and standing is not None and standing.decision == shown.decision:
            del self._standing[shown.display]
        facts: dict[str, object] = {"decision": shown.decision, "content": shown.content, "ended_by": shown.ended_by}
        facts["latency_ms"] = (proof.at_ns - proof.cause_ns) / NS_PER_MS if shown.phase == "started" else None
        work.happenings.append(Happening("shown", shown.phase, shown.at, shown.display, facts))
        return True

    def _clear(self, work: Work, display: str, standing: Standing, reason: str, now_ns: int) -> None:
        version = self._next()
        order = MomentClear(
            display=DisplayId(display),
            version=version,
            decision=standing.decision,
            visit=standing.visit,
            reason=reason,
            issued_at=to_datetime(now_ns),
        )
        work.send(order, display=display)
        self._write(work, f"display/{display}", version, standing.decision, now_ns, on=False)

    def _next(self) -> Version:
        self._counter += 1
        return self._epoch, self._counter

    @staticmethod
    def _write(work: Work, target: str, version: Version, decision: str | None, issued_ns: int, *, on: bool) -> None:
        work.write(
            CommandRow,
            target=target,
            epoch=version[0],
            counter=version[1],
            decision=decision,
            issued_ns=issued_ns,
            on=on,
            result=None,
        )


def _conclude(work: Work, row: CommandRow, actuator: str, result: str, reason: str | None) -> None:
    """Write down what became of an order, and tell the pages."""
    row.result = result
    facts: dict[str, object] = {"result": result, "on": row.on, "decision": row.decision}
    if reason is not None:
        facts["reason"] = reason
        log.warning("%s did not do as told: %s (%s)", actuator, result, reason)
    work.happenings.append(Happening("actuator", result, work.now, actuator, facts))
