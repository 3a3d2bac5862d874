"""Actuators behind commands: absolute states, done at most once, back to the safe state whenever nobody is in charge.

The intent is on the disk before the device moves and the outcome after it, so a crash in between is known as such.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

import msgspec

from broker_config.backoff import Backoff
from broker_config.messages import ActuatorCommand, ActuatorResult, ActuatorState, Version
from broker_config.site import ActuatorId
from edge.actuators.fence import NEVER, Fence, judge
from edge.health import Health
from edge.server_clock import ServerTime
from readers.errors import ReaderError

log = logging.getLogger(__name__)
MAX_WAITING = 16
MAX_REOPEN_S = 2.0
REFRESH_S = 5.0  # the state is told again, which is harmless and shows a board that is gone
LINK_LOST: Literal["link-lost"] = "link-lost"
REASONS = {
    "unsynced": "the agent does not know the server's time, so it cannot tell how old the command is",
    "ahead": "the command was issued later than now, by the server's time as the agent knows it; it asks anew",
}


class TrustedClock(Protocol):
    """The part of `edge.server_clock.ServerClock` that is used here."""

    def now(self) -> ServerTime | None: ...
    def doubt(self) -> None: ...


class Relay(Protocol):
    """The part of `edge.actuators.registry.Relay` that is used here."""

    @property
    def safe(self) -> bool: ...
    async def switch(self, *, on: bool) -> None: ...


class Ledger(Protocol):
    """Where outcomes and fences are kept; the agent puts the outbox behind it."""

    async def load(self, key: str) -> bytes | None:
        """What was kept under `key`."""

    async def keep(self, state: Mapping[str, bytes], result: ActuatorResult | None) -> None:
        """Keep state and result in one transaction; returns after its commit."""


class ActuatorLine:
    """One actuator: its commands in turn, its device opened again when lost.

    Args:
        open_relay: opens the device in its safe state and leaves it so.
        show: publishes the retained state.
    """

    def __init__(
        self,
        actuator_id: str,
        open_relay: Callable[[], AbstractAsyncContextManager[Relay]],
        ledger: Ledger,
        show: Callable[[ActuatorState], None],
        health: Health,
        clock: TrustedClock,
        *,
        refresh_s: float = REFRESH_S,
    ) -> None:
        self.actuator_id = actuator_id
        self._open_relay, self._ledger, self._show, self._health = open_relay, ledger, show, health
        self._clock, self._refresh_s = clock, refresh_s
        self._waiting: asyncio.Queue[ActuatorCommand | Literal["link-lost"]] = asyncio.Queue(MAX_WAITING)
        self._fence = Fence()
        self._on: bool | None = None
        self._revert_at_s: float | None = None

    def command(self, command: ActuatorCommand) -> None:
        """Take a command in; of too many the oldest is superseded, and the server's next retry says so."""
        self._put(command)

    def link_lost(self) -> None:
        """Nobody can command us: back to the safe state."""
        self._put(LINK_LOST)

    async def run(self) -> None:
        """Serve for ever.  Device trouble is weather: reported, answered `device-lost`, retried."""
        await self._recall()
        backoff = Backoff(max_s=MAX_REOPEN_S)
        while True:
            try:
                async with self._open_relay() as relay:
                    backoff.reset()
                    self._health.ready(self.actuator_id)
                    self._now_is(relay.safe)
                    await self._obey(relay)
            except ReaderError as error:
                if self._health.lost(self.actuator_id, str(error)):
                    log.warning("actuator %s lost: %s", self.actuator_id, error)
                self._revert_at_s = None
                self._now_is(None)
            await self._decline_for(backoff.next_delay_s())

    async def _recall(self) -> None:
        kept = await self._ledger.load(self._key)
        if kept is None:
            return
        try:
            self._fence = msgspec.json.decode(kept, type=Fence)
        except msgspec.DecodeError as error:
            # Not to start would be worse: commands are short-lived, and what is too old is refused without a fence too.
            log.error("what was kept of actuator %s is damaged, and counts as never kept: %s", self.actuator_id, error)  # noqa: TRY400
        if self._fence.version != NEVER and self._fence.result is None:
            # We died between intent and outcome: nobody knows whether it was done, so it is said, and never done again.
            await self._keep(self._fence.end("unknown"))

    async def _obey(self, relay: Relay) -> None:
        """Commands, the end of a hold, and the regular reminder of the state, until the device fails."""
        while True:
            if self._is_hold_over():  # looked at before each order: however many come, a hold ends in its time
                await self._switch(relay, relay.safe, None)
            try:
                async with asyncio.timeout_at(self._next_look_s()):
                    order = await self._waiting.get()
            except TimeoutError:
                if not self._is_hold_over():
                    await relay.switch(on=self._on is True)
                continue
            if order == LINK_LOST:
                await self._switch(relay, relay.safe, None)
            else:
                await self._execute(relay, order)

    def _is_hold_over(self) -> bool:
        return self._revert_at_s is not None and asyncio.get_running_loop().time() >= self._revert_at_s

    def _next_look_s(self) -> float:
        """When the hold ends, or the present state is to be told once more."""
        remind_at_s = asyncio.get_running_loop().time() + self._refresh_s
        return remind_at_s if self._revert_at_s is None else min(remind_at_s, self._revert_at_s)

    async def _execute(self, relay: Relay, command: ActuatorCommand) -> None:
        if not await self._passes(command):
            return
        await self._keep(self._fence.begin(command.version, command.decision))
        if judge(command, self.actuator_id, Fence(), self._clock.now()) != "act":
            await self._keep(self._fence.end("expired"))  # a slow disk took so long over the intent
            return
        try:
            await self._switch(relay, command.on, command.hold_ms)
        except ReaderError:
            await self._keep(self._fence.end("device-lost"))
            raise
        await self._keep(self._fence.end("done"))

    async def _passes(self, command: ActuatorCommand) -> bool:
        """Whether it may act; otherwise it is answered here.  A retry gets the answer of the first time."""
        verdict = judge(command, self.actuator_id, self._fence, self._clock.now())
        if verdict == "act":
            return True
        answer: str = verdict
        if verdict == "repeat":
            answer = self._fence.answer(command.version) or "unknown"
        elif verdict in REASONS:
            answer = "refused"
            self._health.tally.refused_commands += 1
            self._clock.doubt()
        await self._ledger.keep({}, self._result_of(command.version, command.decision, answer, REASONS.get(verdict)))
        return False

    async def _switch(self, relay: Relay, on: bool, hold_ms: int | None) -> None:
        await relay.switch(on=on)
        self._revert_at_s = None if hold_ms is None else asyncio.get_running_loop().time() + hold_ms / 1000
        self._now_is(on)

    async def _decline_for(self, delay_s: float) -> None:
        """While the device is away, say so to every command that would have acted."""
        deadline = asyncio.get_running_loop().time() + delay_s
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    order = await self._waiting.get()
            except TimeoutError:
                return
            if order != LINK_LOST and await self._passes(order):
                await self._ledger.keep({}, self._result_of(order.version, order.decision, "device-lost"))

    async def _keep(self, fence: Fence) -> None:
        """Remember how far a command has come; with an outcome, its result goes out in the same transaction."""
        self._fence = fence
        result = None if fence.result is None else self._result_of(fence.version, fence.decision, fence.result)
        await self._ledger.keep({self._key: msgspec.json.encode(fence)}, result)

    def _result_of(
        self, version: Version, decision: str | None, result: str, reason: str | None = None
    ) -> ActuatorResult:
        return ActuatorResult(
            actuator=ActuatorId(self.actuator_id), version=version, decision=decision, result=result, reason=reason
        )

    def _now_is(self, on: bool | None) -> None:
        self._on = on
        version = self._fence.version if self._fence.version != NEVER else None
        link = "ok" if on is not None else "lost"
        self._show(ActuatorState(actuator=ActuatorId(self.actuator_id), on=on, link=link, version=version))

    def _put(self, order: ActuatorCommand | Literal["link-lost"]) -> None:
        if self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait(order)

    @property
    def _key(self) -> str:
        return f"actuator/{self.actuator_id}"
