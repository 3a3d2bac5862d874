"""Orders to actuators that nobody has answered yet: sent again, the same version, until there is a final answer.

A retry can do no harm: who has carried the order out answers from memory, who gets it too late says `expired`.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy.exc import OperationalError

from broker_config.messages import ActuatorCommand, Version
from server.clock import NS_PER_MS, NS_PER_S, ClockNs
from server.work import Ledger, Work

log = logging.getLogger(__name__)

FIRST_NS = 700 * NS_PER_MS
GIVE_UP_NS = 30 * NS_PER_S
FINAL = frozenset({"done", "stale", "expired", "wrong-target", "device-lost", "unknown"})
"""What an order ends with; after anything else it may still be carried out."""
NO_ANSWER = "no-answer"

Key = tuple[str, Version]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order without a final answer."""

    order: ActuatorCommand
    due_ns: int
    pause_ns: int
    until_ns: int


class Retries:
    """The orders that wait.  In memory: after a restart they are older than any of them may be."""

    def __init__(self, clock_ns: ClockNs) -> None:
        self.retried = self.unanswered = 0
        self._clock_ns = clock_ns
        self._waiting: dict[Key, Waiting] = {}
        self._some = asyncio.Event()

    def forget(self) -> None:
        """What a failed transaction may have left behind is not to be sent."""
        self._waiting.clear()

    def begin(self, order: ActuatorCommand) -> None:
        """An order is being sent for the first time."""
        now_ns = self._clock_ns()
        waiting = Waiting(order, now_ns + FIRST_NS, FIRST_NS, now_ns + GIVE_UP_NS)
        self._waiting[order.actuator, order.version] = waiting
        self._some.set()

    def answered(self, actuator: str, version: Version, result: str) -> None:
        """The actuator's word."""
        if result in FINAL:
            self._waiting.pop((actuator, version), None)

    def take_due(self, work: Work) -> list[ActuatorCommand]:
        """Send again what is due; those given up."""
        now_ns = self._clock_ns()
        over = [key for key, each in self._waiting.items() if each.until_ns <= now_ns]
        given_up = [self._waiting.pop(key).order for key in over]
        for key, each in self._waiting.items():
            if each.due_ns <= now_ns:
                pause_ns = each.pause_ns * 2
                self._waiting[key] = replace(each, due_ns=now_ns + pause_ns, pause_ns=pause_ns)
                work.send(each.order, actuator=each.order.actuator)
                self.retried += 1
        self.unanswered += len(given_up)
        return given_up

    async def next_due(self) -> None:
        """Return once something may be due."""
        while not self._waiting:  # again, where what began was forgotten or answered in the same instant
            self._some.clear()
            await self._some.wait()
        due_ns = min(min(each.due_ns, each.until_ns) for each in self._waiting.values())
        await asyncio.sleep(max(due_ns - self._clock_ns(), 0) / NS_PER_S + 0.01)


class Retrier(Protocol):
    """The part of the command service that is used here."""

    retries: Retries

    async def retry(self, work: Work) -> None: ...


async def keep_retrying(ledger: Ledger, commands: Retrier) -> None:
    """Go on until cancelled."""
    while True:
        await commands.retries.next_due()
        try:
            async with ledger.transaction() as work:
                await commands.retry(work)
        except OperationalError as error:
            log.warning("the database cannot be written: %s", error.orig)
            await asyncio.sleep(1.0)
