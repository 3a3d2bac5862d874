"""A screen as the kiosk page is: at most one moment, fenced by version, gone when its time is over or its link.

Not product code: the page is JavaScript and held by tests of its own.  It is here so that what reaches a screen can be
held to what may be seen on one.
"""

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import aiomqtt
from msgspec.structs import replace

from broker_config.messages import (
    Data,
    DisplayState,
    Envelope,
    MomentClear,
    MomentSet,
    MomentShown,
    VisitEnded,
    decode,
    encode,
)
from broker_config.site import Display, DisplayId, Site
from broker_config.topics import BY_NAME, filters_for, topic_for
from server.clock import NS_PER_MS, to_datetime, to_ns
from tests.faults.simulation.clockwork import World
from tests.faults.simulation.machines import Machine

KEEPALIVE_S = 15
RETRY_S = (0.25, 2.0)
MAX_CLOCK_ERROR_MS = 50


@dataclass(slots=True)
class Showing:
    """One moment on the screen; `until_ns` None while it is there.  True UTC ns."""

    moment: MomentSet
    from_ns: int
    until_ns: int | None = None


class Screen(Machine):
    """A display's page."""

    def __init__(self, world: World, network: Any, broker: Any, site: Site, display: Display) -> None:
        super().__init__(world, network, broker, display.id, None)
        self._site, self.display = site, display
        self.shown: list[Showing] = []
        self._fence = (-1, -1)
        dice = world.dice(f"clock of {display.id}")
        self._clock_error_ns = dice.randint(-MAX_CLOCK_ERROR_MS, MAX_CLOCK_ERROR_MS) * NS_PER_MS
        self._client: aiomqtt.Client | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unsent: list[MomentShown] = []

    @property
    def standing(self) -> Showing | None:
        """What is on it now."""
        return self.shown[-1] if self.shown and self.shown[-1].until_ns is None else None

    def kill(self, *, power: bool = False) -> None:
        """It is dark, too."""
        self._end("link", tell=False)
        super().kill(power=power)

    async def _main(self) -> None:
        _, filters = filters_for("display", self._site, self.name)
        state = DisplayState(state="lost", session=f"{self.starts}", since=to_datetime(self.world.utc_ns))
        will = aiomqtt.Will(*self._message(state), qos=1, retain=True)
        while True:
            try:
                async with aiomqtt.Client(
                    "broker", identifier=self.name, clean_session=True, will=will, keepalive=KEEPALIVE_S, timeout=5
                ) as self._client:
                    await self._client.subscribe([(each, 1) for each in filters])
                    await self._client.publish(*self._message(replace(state, state="ready")), qos=1, retain=True)
                    await self._send_receipts()
                    async for message in self._client.messages:
                        self._take(decode(bytes(message.payload)).data)
                        await self._send_receipts()
            except aiomqtt.MqttError:
                self._end("link")
            await asyncio.sleep(random.uniform(*RETRY_S))

    def _now_ns(self) -> int:
        """By its estimate of the server's clock."""
        return self.world.utc_ns + self._clock_error_ns

    def _take(self, data: Data) -> None:
        match data:
            case MomentSet():
                self._show(data)
            case MomentClear():
                now = self.standing
                if self._passes(data.version) and now is not None:
                    everything = data.decision is None and data.visit is None
                    of_visit = data.visit is not None and data.visit == now.moment.visit
                    if everything or of_visit or data.decision == now.moment.decision:
                        self._end("clear")
            case VisitEnded():
                if self.standing is not None and self.standing.moment.visit in data.visits:
                    self._end("clear")

    def _show(self, moment: MomentSet) -> None:
        left_ns = to_ns(moment.issued_at) + moment.ttl_ms * NS_PER_MS - self._now_ns()
        left_ns = min(left_ns, moment.ttl_ms * NS_PER_MS)
        if left_ns <= 0 or not self._passes(moment.version):
            return
        self._end("replaced")
        self.world.note("shows", self.name, moment.decision)
        self.shown.append(Showing(moment, self.world.utc_ns))
        assert self.loop is not None
        self._timer = self.loop.call_later(left_ns / 1e9, self._time_is_over)
        self._receipt(moment, "started", None)

    def _time_is_over(self) -> None:
        assert self.loop is not None
        self._end("ttl")
        self.loop.create_task(self._send_receipts())

    def _end(self, by: str, *, tell: bool = True) -> None:
        now = self.standing
        if now is None:
            return
        self.world.note("base", self.name, by)
        now.until_ns = self.world.utc_ns
        if self._timer is not None:
            self._timer.cancel()
        if tell:
            self._receipt(now.moment, "ended", by)

    def _receipt(self, moment: MomentSet, phase: Any, by: str | None) -> None:
        self._unsent.append(
            MomentShown(
                display=DisplayId(self.name),
                decision=moment.decision,
                content=moment.content,
                phase=phase,
                at=to_datetime(self._now_ns()),
                cause_at=moment.cause_at,
                ended_by=by,
            )
        )

    async def _send_receipts(self) -> None:
        while self._unsent and self._client is not None:
            try:
                await self._client.publish(*self._message(self._unsent[0]), qos=1)
            except aiomqtt.MqttError:
                return
            if self._unsent:
                self._unsent.pop(0)

    def _passes(self, version: tuple[int, int]) -> bool:
        if tuple(version) <= self._fence:
            return False
        self._fence = tuple(version)  # type: ignore[assignment]
        return True

    def _message(self, data: Data) -> tuple[str, bytes]:
        self._number = getattr(self, "_number", 0) + 1
        envelope = Envelope(
            specversion="1.0",
            id=f"{self.name}-{self._number}",
            source=self.name,
            type=data.type_name,
            time=to_datetime(self.world.utc_ns),
            data=data,
        )
        return topic_for(BY_NAME[data.topic].name, self._site.id, display=self.name), encode(envelope)
