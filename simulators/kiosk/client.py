"""One display: pairs, holds its MQTT connection over the server's WebSocket, shows moments, sends receipts.

A lost link wipes the moment at once.  When another window took the display over, this one stands by until that is gone.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

import aiomqtt
import httpx
import msgspec
from websockets.exceptions import WebSocketException

from simulators.errors import SimulatorError
from simulators.kiosk import wire
from simulators.kiosk.memory import Memory
from simulators.kiosk.service import Service
from simulators.kiosk.trust import DisplayKey
from simulators.kiosk.tunnel import Tunnel, tunnel

PAIRING_POLL_S = 1.0
STAND_BY_POLL_S = 3.0
RETRY_S = 2.0
CLOCK_SYNC_S = 60.0
KEEPALIVE_S = 3  # paho gives a line up that does not answer within as long again: dark well within the ten seconds
GOOD_BYE_S = 2.0
MAX_RECEIPTS = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class News:
    """What a watcher of the display would see.

    Args:
        what: `code`, `ready`, `base`, `shows`, `ends`, `stands-by` or `trouble`.
    """

    display: str
    what: str
    text: str


async def heeded(call: Awaitable[T]) -> T:
    """The call's result, unless this task was cancelled meanwhile.

    aiomqtt waits by `asyncio.wait_for`, which in Python 3.11 swallows a cancellation that comes with the answer.
    """
    result = await call
    heed_cancellation()
    return result


def heed_cancellation() -> None:
    """Raise what was swallowed.  Not for a task that outlives a failed TaskGroup: there Python 3.11 never uncancels."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Kiosk:
    """Runs one display until cancelled.

    Args:
        url: the server's address, as http://127.0.0.1:8000 or https://tacet.shop.example; then the service has the TLS for it.
    """

    def __init__(self, url: str, display: str, service: Service, say: Callable[[News], None]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SimulatorError(f"{url}: not an address of the server, as http://127.0.0.1:8000")
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._display, self._service, self._tell = display, service, say
        self._memory = Memory(display)
        self._root = ""
        self._last_news: News | None = None
        self._tunnel: Tunnel | None = None
        self._key: DisplayKey | None = None
        self._receipts: deque[wire.MomentShown] = deque(maxlen=MAX_RECEIPTS)
        self._changed, self._shown = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Pair, connect, show; again after each trouble.

        Raises:
            SimulatorError: the site has no such display.
        """
        while True:
            try:
                await self._pair()
                await asyncio.create_task(self._show(), name=f"show {self._display}")
            except (httpx.HTTPError, aiomqtt.MqttError, msgspec.DecodeError, WebSocketException, OSError) as error:
                self._say("trouble", f"{error or type(error).__name__}; trying again")
            finally:
                self._wipe()
            heed_cancellation()
            await asyncio.sleep(RETRY_S)
            if self._tunnel is not None and self._tunnel.was_taken_over:
                await self._stand_by()

    async def _pair(self) -> None:
        """Until the owner has approved the code on the screen."""
        shown = None
        asked = await self._service.ask_pairing()
        while not asked.paired:
            if asked.code is None:  # too old; the screen gets another
                asked = await self._service.ask_pairing()
                continue
            if asked.code != shown:
                shown = asked.code
                self._say("code", shown)
            await asyncio.sleep(PAIRING_POLL_S)
            asked = await self._service.pairing()

    async def _stand_by(self) -> None:
        """While another client holds the display."""
        told = False
        while True:
            try:
                if not (await self._service.pairing()).connected:
                    return
            except (httpx.HTTPError, msgspec.DecodeError):
                return  # `run` says what the trouble is
            if not told:
                self._say("stands-by", "another window shows this display")
            told = True
            await asyncio.sleep(STAND_BY_POLL_S)

    async def _show(self) -> None:
        """Hold the connection and show what comes, until the link is lost."""
        self._key = await self._service.key()
        await self._service.sync_clock()
        self._root = f"tacet/1/{await self._service.site()}"
        session = secrets.token_hex(8)
        opening = tunnel(self._origin, self._service.cookie_header, self._service.tls)
        async with opening as self._tunnel, self._client(self._tunnel.path, session) as client:
            for name in ("base/set", "moment/set", "moment/clear"):
                await heeded(client.subscribe(f"{self._own}/{name}", qos=1))
            await heeded(client.subscribe(f"{self._root}/privacy/visit-ended", qos=1))
            try:
                await heeded(client.publish(f"{self._own}/$state", self._state("ready", session), qos=1, retain=True))
                self._say("ready", "connected")
                await self._serve(client)
            except asyncio.CancelledError:
                await self._say_good_bye(client, session)
                raise

    async def _say_good_bye(self, client: aiomqtt.Client, session: str) -> None:
        self._wipe()
        try:
            async with asyncio.timeout(GOOD_BYE_S):
                await self._send_receipts(client)
                await client.publish(f"{self._own}/$state", self._state("disconnected", session), qos=1, retain=True)
        except (TimeoutError, aiomqtt.MqttError):
            self._say("trouble", "the server did not hear the good-bye")

    def _client(self, path: str, session: str) -> aiomqtt.Client:
        return aiomqtt.Client(
            path,
            transport="unix",
            identifier=self._display,
            protocol=aiomqtt.ProtocolVersion.V311,
            will=aiomqtt.Will(f"{self._own}/$state", self._state("lost", session), qos=1, retain=True),
            keepalive=KEEPALIVE_S,
            timeout=10,
            max_queued_incoming_messages=100,
            max_queued_outgoing_messages=100,
        )

    async def _serve(self, client: aiomqtt.Client) -> None:
        """Messages, the moment's time, the clock and the receipts, each in its own task; the first trouble ends all."""
        trouble: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(client), name=f"listen {self._display}")
                tasks.create_task(self._speak(client), name=f"speak {self._display}")
                tasks.create_task(self._end_on_time(), name=f"end {self._display}")
                tasks.create_task(self._keep_time(), name=f"clock {self._display}")
        except* aiomqtt.MqttError as group:
            trouble = group.exceptions[0]
        if trouble is not None:
            raise aiomqtt.MqttError(str(trouble)) from trouble

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            if isinstance(message.payload, bytes):
                self._take(message.topic.value, message.payload)
        raise aiomqtt.MqttError("the connection ended")

    def _take(self, topic: str, payload: bytes) -> None:
        signed = None if self._key is None else self._key.opened(topic, payload)
        if signed is None:
            self._memory.refused += 1
            self._say("trouble", "an order that the server did not sign for this display")
            return
        try:
            data = wire.decode(signed)
        except msgspec.DecodeError as error:
            self._say("trouble", f"a message that cannot be read: {error}")
            return
        now, memory = self._service.now(), self._memory
        match data:
            case wire.BaseSet():
                memory.set_base(data)
                self._say("base", f"{len(data.items)} pages")
            case wire.MomentSet():
                self._note(memory.set_moment(data, now))
            case wire.MomentClear():
                self._note(memory.clear(data, now))
            case wire.VisitEnded():
                self._note(memory.end_visits(data, now))

    async def _end_on_time(self) -> None:
        """End the moment at its time, whatever becomes of the receipts: a line may swallow them without a word."""
        while True:
            self._shown.clear()
            self._note(self._memory.tick(self._service.now()))
            showing = self._memory.showing
            wait_s = None if showing is None else max(0.0, (showing.until - self._service.now()).total_seconds())
            try:
                async with asyncio.timeout(wait_s):
                    await self._shown.wait()
            except TimeoutError:
                continue

    async def _speak(self, client: aiomqtt.Client) -> None:
        """Send receipts as they come."""
        while True:
            self._changed.clear()
            await heeded(self._send_receipts(client))
            await self._changed.wait()

    async def _send_receipts(self, client: aiomqtt.Client) -> None:
        while self._receipts:
            receipt = self._receipts[0]
            payload = wire.encode(receipt, source=self._source, now=self._service.now())
            await client.publish(f"{self._own}/shown", payload, qos=1)
            self._receipts.popleft()

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_SYNC_S)
            try:
                await self._service.sync_clock()
            except (httpx.HTTPError, msgspec.DecodeError) as error:
                self._say("trouble", f"the server does not tell the time: {error}")

    def _wipe(self) -> None:
        self._note(self._memory.end("link", self._service.now()))

    def _note(self, receipts: Iterable[wire.MomentShown]) -> None:
        for receipt in receipts:
            self._receipts.append(receipt)
            showing = self._memory.showing
            if receipt.phase == "started" and showing is not None:
                self._say("shows", f"{receipt.content}: {showing.moment.sentence()}")
            else:
                self._say("ends", f"{receipt.content}: {receipt.ended_by}")
            self._changed.set()
            self._shown.set()

    def _state(self, state: str, session: str) -> bytes:
        data = wire.DisplayState(state, session, self._service.now())
        return wire.encode(data, source=self._source, now=datetime.now(UTC))

    def _say(self, what: str, text: str) -> None:
        """Tell the watcher; the same trouble again is no news."""
        news = News(self._display, what, text)
        if news != self._last_news or what != "trouble":
            self._tell(news)
        self._last_news = news

    @property
    def _own(self) -> str:
        return f"{self._root}/display/{self._display}"

    @property
    def _source(self) -> str:
        return f"/display/{self._display}"
