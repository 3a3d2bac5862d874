"""A screen as the kiosk page is: at most one moment, fenced by version, gone when its time is over, its link or its clock.

Not product code: the page is JavaScript and held by tests of its own.  It is here so that what reaches a screen can be
held to what may be seen on one.  A page has its connection through the server; a screen of somebody's own has not.
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
from tests.faults.simulation.clockwork import NS_PER_S, World
from tests.faults.simulation.machine import Machine
from tests.faults.simulation.network import Connection

KEEPALIVE_S = 4
SILENT_S = 9.0
RETRY_S = (0.25, 2.0)
MAX_CLOCK_ERROR_MS = 50
ASK_EVERY_S, ASK_AGAIN_S, GOOD_FOR_S = 60.0, 5.0, 180.0
OWN = ("d-till",)
"""Screens that are no page of ours."""


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
        self._slip_ns = dice.randint(-MAX_CLOCK_ERROR_MS, MAX_CLOCK_ERROR_MS) * NS_PER_MS
        self._server_error_ns = 0
        self._trusted_until_s = 0.0
        self._client: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._unsent: list[MomentShown] = []

    @property
    def standing(self) -> Showing | None:
        """What is on it now."""
        return self.shown[-1] if self.shown and self.shown[-1].until_ns is None else None

    @property
    def connection(self) -> Connection | None:
        """Its way to the broker, while it has one."""
        return None if self._client is None else self._client.connection

    def kill(self, *, power: bool = False) -> None:
        """It is dark, too."""
        self._end("link", tell=False)
        super().kill(power=power)

    async def _main(self) -> None:
        self._trusted_until_s = 0.0
        assert self.loop is not None
        self.loop.create_task(self._keep_time())
        _, filters = filters_for("display", self._site, self.name)
        state = DisplayState(state="lost", session=f"{self.starts}", since=to_datetime(self.world.utc_ns))
        will = aiomqtt.Will(*self._message(state), qos=1, retain=True)
        while True:
            self._ask_time()
            try:
                async with aiomqtt.Client(
                    "broker", identifier=self.name, clean_session=True, will=will, keepalive=KEEPALIVE_S, timeout=5
                ) as self._client:
                    self._listen(self._client)
                    await self._client.subscribe([(each, 1) for each in filters])
                    await self._client.publish(*self._message(replace(state, state="ready")), qos=1, retain=True)
                    await self._send_receipts()
                    async for message in self._client.messages:
                        self._take(decode(bytes(message.payload)).data)
                        await self._send_receipts()
            except aiomqtt.MqttError:
                self._end("link")
            await asyncio.sleep(random.uniform(*RETRY_S))

    def _listen(self, client: Any) -> None:
        """Hang up on a broker that has said nothing for too long: nobody could take away what is shown."""
        left_s = SILENT_S - (self.world.now_ns - client.heard_ns) / NS_PER_S
        if client is not self._client or client.is_lost:
            return
        if left_s > 0:
            self.world.after(left_s, lambda: self._listen(client), self.loop)
            return
        self._end("link")
        client.hang_up()

    async def _keep_time(self) -> None:
        """As the page does: without the server's word on its time no moment's end is known, so none is shown."""
        while True:
            self._ask_time()
            if not self._trusts:
                self._end("link")
            await asyncio.sleep(ASK_EVERY_S if self.world.now_s + GOOD_FOR_S == self._trusted_until_s else ASK_AGAIN_S)

    def _ask_time(self) -> None:
        if self.server.app is not None and self.network.reaches(self.name) and self.network.reaches(self.server.name):
            self._server_error_ns = self.server.clock_error_ns + self._slip_ns
            self._trusted_until_s = self.world.now_s + GOOD_FOR_S

    @property
    def _trusts(self) -> bool:
        return self.world.now_s < self._trusted_until_s

    def _now_ns(self) -> int:
        """By its estimate of the server's clock."""
        return self.world.utc_ns + self._server_error_ns

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
        if not self._trusts or left_ns <= 0 or not self._passes(moment.version):
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
