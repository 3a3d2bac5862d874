"""Whether every loop of a program moves: the service manager's watchdog is answered only while all of them do.

A loop beats where it goes round, and rests where it rightly waits for the world, as long as that takes.  Patience is counted
in looks, not in time: while the event loop itself is held up nobody is looked at, and nobody pings either.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from broker_config.service_notify import ServiceNotifier

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
PING_SHARE = 0.5
"""Of the watchdog's patience, after which it is answered again.  Source: sd_watchdog_enabled(3)."""


class Heartbeat:
    """One loop's sign of life.

    Args:
        limit_looks: as many looks without a beat mean that it is stuck.
    """

    def __init__(self, name: str, limit_looks: int) -> None:
        self.name = name
        self._limit_looks = limit_looks
        self._looks: int | None = None

    @property
    def stuck(self) -> bool:
        """Whether it should have moved by now."""
        return self._looks is not None and self._looks >= self._limit_looks

    def beat(self) -> None:
        """It moves, and will again within its limit."""
        self._looks = 0

    def rest(self) -> None:
        """It waits for what may never come."""
        self._looks = None

    @asynccontextmanager
    async def resting(self) -> AsyncIterator[None]:
        """While the block waits for the world; leaving it must come to an end again."""
        self.rest()
        try:
            yield
        finally:
            self.beat()

    def look(self) -> None:
        """So much time has gone by."""
        if self._looks is not None:
            self._looks += 1


class Heartbeats:
    """The loops of one program."""

    def __init__(self) -> None:
        self._beats: list[Heartbeat] = []

    def add(self, name: str, within_s: float) -> Heartbeat:
        """A loop, resting until its first beat, which from then on moves at least every `within_s`."""
        beat = Heartbeat(name, math.ceil(within_s / LOOK_EVERY_S))
        self._beats.append(beat)
        return beat

    def look(self) -> tuple[str, ...]:
        """One look at all; the names of those that are stuck."""
        for beat in self._beats:
            beat.look()
        return tuple(beat.name for beat in self._beats if beat.stuck)


class Watchdog:
    """Answers the service manager's watchdog while nothing is stuck, and says what is."""

    def __init__(
        self, heartbeats: Heartbeats, notifier: ServiceNotifier, now_s: Callable[[], float] | None = None
    ) -> None:
        self._heartbeats, self._notifier = heartbeats, notifier
        self._now_s = now_s or asyncio.get_running_loop().time
        self._ping_due_s = -math.inf
        self._stuck: tuple[str, ...] = ()

    async def run(self) -> None:
        """Look for ever."""
        watchdog_s = self._notifier.watchdog_s
        pause_s = LOOK_EVERY_S if watchdog_s is None else min(LOOK_EVERY_S, watchdog_s * PING_SHARE / 2)
        since_look_s = LOOK_EVERY_S
        while True:
            self.ping()
            await asyncio.sleep(pause_s)
            since_look_s += pause_s
            if since_look_s >= LOOK_EVERY_S:
                since_look_s = 0.0
                self.look()

    def look(self) -> None:
        """One look; a change is logged and told."""
        stuck = self._heartbeats.look()
        if stuck == self._stuck:
            return
        self._stuck = stuck
        if stuck:
            log.error("stuck: %s; the watchdog is not answered until they move, so that we are started anew", stuck)
            self._notifier.status(f"stuck: {', '.join(stuck)}")
        else:
            log.warning("everything moves again")
            self._notifier.status("running")

    def ping(self) -> None:
        """Answer when half of the watchdog's patience is over, and nothing is stuck."""
        watchdog_s = self._notifier.watchdog_s
        if watchdog_s is not None and not self._stuck and self._now_s() >= self._ping_due_s:
            self._ping_due_s = self._now_s() + watchdog_s * PING_SHARE
            self._notifier.alive()
