"""The kiosk's way to the broker: WebSocket in, TCP out, with the display's own credential put into its CONNECT.

A browser never learns a broker secret.  What it may do is bounded here (packet size, bytes, packets, idle time) and
again by the broker's ACL.  One browser per display: the newest wins, the older is closed with `TAKEN_OVER`.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from broker_config.errors import ConfigError
from broker_config.identity import load_credential
from broker_config.messages import MAX_PAYLOAD_BYTES
from broker_config.mqtt_fields import Malformed
from broker_config.site import DisplayId
from broker_config.tls import BrokerTls, ClientTls
from broker_config.topics import topic_for, user_name
from server.clock import ClockNs
from server.config import BrokerAddress
from server.displays.limits import Allowance
from server.displays.mqtt_packets import DISCONNECT, Connect, PacketSplitter, PacketTooLarge, parse_connect

log = logging.getLogger(__name__)

NORMAL, POLICY, TOO_BIG, TRY_LATER, TAKEN_OVER = 1000, 1008, 1009, 1013, 4009
MAX_PACKET_BYTES = MAX_PAYLOAD_BYTES + 1024  # a full payload, its topic and header
MAX_KEEP_ALIVE_S = 60
CONNECT_WITHIN_S = 10.0
BROKER_WITHIN_S = 5.0
HAND_OVER_WITHIN_S = 2.0
UP_BYTES_PER_S, UP_BYTES_BURST = 64 * 1024, 256 * 1024
UP_PACKETS_PER_S, UP_PACKETS_BURST = 20, 100
CHUNK_BYTES = 64 * 1024

MayBe = Callable[[DisplayId], Awaitable[bool]]
"""Whether this browser's cookies make it the display."""


class Channel(Protocol):
    """The browser's end, as the proxy needs it."""

    async def receive(self) -> bytes:
        """The next binary message.  Raises ConnectionError when the browser is gone, Malformed where it is text."""

    async def send(self, data: bytes) -> None:
        """One binary message.  Raises ConnectionError when the browser is gone."""


@dataclass(slots=True)
class ProxyCounters:
    """Health counters since start."""

    opened: int = 0
    refused_origin: int = 0
    refused_cookie: int = 0
    refused_connect: int = 0
    wills_dropped: int = 0
    taken_over: int = 0
    broker_unavailable: int = 0
    broken_protocol: int = 0
    oversized: int = 0
    rate_limited: int = 0
    idle: int = 0
    bytes_up: int = 0
    bytes_down: int = 0


@dataclass(frozen=True, slots=True)
class Closing:
    """How a link ends, as the WebSocket close code and reason say it."""

    code: int
    reason: str


class LinkRefused(Exception):
    """The link cannot go on."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.closing = Closing(code, reason)


@dataclass(eq=False, slots=True)
class Link:
    """One browser that holds a display's connection."""

    taken_over: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Pipe:
    """Both ends of a link, and how long the browser may be silent."""

    channel: Channel
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    browser_packets: PacketSplitter
    silence_s: float


class MqttProxy:
    """Pipes the browsers of paired displays to the broker.

    Args:
        broker: where it is; over TLS each display shows its own certificate, which is beside the server's.
        identity: the folder with each display's credential.
        clock_ns: any clock that does not step, for the rates.
    """

    def __init__(self, broker: BrokerAddress, site: str, identity: Path, clock_ns: ClockNs) -> None:
        self.counters = ProxyCounters()
        self._broker, self._site, self._identity, self._clock_ns = broker, site, identity, clock_ns
        self._links: dict[DisplayId, Link] = {}
        self._tls: dict[str, ClientTls] = {}

    def is_connected(self, display: DisplayId) -> bool:
        """Whether some browser holds this display's connection now."""
        return display in self._links

    async def run(self, channel: Channel, may_be: MayBe) -> Closing:
        """Serve one accepted WebSocket until it ends; how it is to be closed."""
        self.counters.opened += 1
        packets = PacketSplitter(MAX_PACKET_BYTES)
        try:
            connect, rest = await self._receive_connect(channel, packets)
            display = await self._named_display(connect, may_be)
            own = self._with_credential(connect, display)
            async with self._hold(display) as link, self._open_broker(display) as (reader, writer):
                writer.write(own.to_bytes() + rest)
                pipe = Pipe(channel, reader, writer, packets, 1.5 * own.keep_alive_s)
                return await self._run_pipe(pipe, link)
        except LinkRefused as refused:
            return refused.closing
        except ConnectionError:
            return Closing(NORMAL, "the browser left")

    async def _receive_connect(self, channel: Channel, packets: PacketSplitter) -> tuple[Connect, bytes]:
        """The browser's CONNECT, and whatever whole packets came with it."""
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                got: list[bytes] = []
                while not got:
                    got = packets.feed(await channel.receive())
            return parse_connect(got[0]), b"".join(got[1:])
        except TimeoutError as error:
            self.counters.idle += 1
            raise LinkRefused(POLICY, "no CONNECT came") from error
        except Malformed as error:
            raise self._broken(error) from error

    async def _named_display(self, connect: Connect, may_be: MayBe) -> DisplayId:
        """The display that the browser says it is, where its cookie agrees."""
        display = DisplayId(connect.client_id)
        if not await may_be(display):
            self.counters.refused_connect += 1
            raise LinkRefused(POLICY, "this browser is not paired as that display")
        return display

    def _with_credential(self, connect: Connect, display: DisplayId) -> Connect:
        """The CONNECT as the display itself would send it.

        A will is kept only on the display's own `$state`: the broker delivers wills, and not every broker checks them.
        """
        will = connect.will
        if will is not None and will.topic != topic_for("display_state", self._site, display=display):
            self.counters.wills_dropped += 1
            will = None
        try:
            credential = load_credential(self._identity / f"{user_name('display', display)}.toml")
        except ConfigError as error:
            log.warning("display %s cannot connect: %s", display, error)
            raise LinkRefused(TRY_LATER, "the display has no credential yet") from error
        return replace(
            connect,
            client_id=credential.user,
            user=credential.user,
            password=credential.password.encode(),
            will=will,
            keep_alive_s=min(connect.keep_alive_s or MAX_KEEP_ALIVE_S, MAX_KEEP_ALIVE_S),
        )

    @asynccontextmanager
    async def _hold(self, display: DisplayId) -> AsyncIterator[Link]:
        """The display's connection, taken from whoever held it."""
        older, link = self._links.get(display), Link()
        self._links[display] = link
        try:
            if older is not None:
                self.counters.taken_over += 1
                older.taken_over.set()
                with suppress(TimeoutError):  # then the broker itself ends the older one: same client id
                    async with asyncio.timeout(HAND_OVER_WITHIN_S):
                        await older.ended.wait()
            yield link
        finally:
            link.ended.set()
            if self._links.get(display) is link:
                del self._links[display]

    @asynccontextmanager
    async def _open_broker(
        self, display: DisplayId
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        try:
            async with asyncio.timeout(BROKER_WITHIN_S):
                tls = None if self._broker.tls is None else self._context(self._broker.tls, display)
                place = self._broker.host, self._broker.port
                reader, writer = await asyncio.open_connection(*place, limit=CHUNK_BYTES, ssl=tls)
        except ConfigError as error:
            log.warning("display %s cannot connect: %s", display, error)
            raise LinkRefused(TRY_LATER, "the display has no certificate yet") from error
        except OSError as error:  # TimeoutError is one
            self.counters.broker_unavailable += 1
            raise LinkRefused(TRY_LATER, "the broker does not answer") from error
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(OSError):  # TimeoutError is one
                async with asyncio.timeout(HAND_OVER_WITHIN_S):
                    await writer.wait_closed()

    def _context(self, own: BrokerTls, display: DisplayId) -> ssl.SSLContext:
        """For a connection in the display's name."""
        user = user_name("display", display)
        if user not in self._tls:
            folder = own.certificate.parent
            files = BrokerTls(ca=own.ca, certificate=folder / f"{user}.pem", key=folder / f"{user}.key")
            self._tls[user] = ClientTls(files)
        return self._tls[user].context()

    async def _run_pipe(self, pipe: Pipe, link: Link) -> Closing:
        """Both ways until one of them ends; a taken-over link says good-bye, so that its will stays unsaid."""
        async with asyncio.TaskGroup() as tasks:
            ways = [tasks.create_task(self._up(pipe)), tasks.create_task(self._down(pipe))]
            ways.append(tasks.create_task(_until_taken_over(pipe, link)))
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        return max((way.result() for way in done), key=lambda closing: closing.code)

    async def _up(self, pipe: Pipe) -> Closing:
        """Browser to broker, within limits."""
        in_bytes = Allowance(UP_BYTES_PER_S, UP_BYTES_BURST, self._clock_ns)
        in_packets = Allowance(UP_PACKETS_PER_S, UP_PACKETS_BURST, self._clock_ns)
        try:
            while True:
                async with asyncio.timeout(pipe.silence_s):  # `wait_for` may swallow the cancellation that ends us
                    data = await pipe.channel.receive()
                packets = pipe.browser_packets.feed(data)
                self.counters.bytes_up += len(data)
                if not (in_bytes.spend(len(data)) and in_packets.spend(len(packets))):
                    self.counters.rate_limited += 1
                    return Closing(POLICY, "too much at once")
                pipe.writer.write(b"".join(packets))
                async with asyncio.timeout(BROKER_WITHIN_S):
                    await pipe.writer.drain()
        except TimeoutError:
            self.counters.idle += 1
            return Closing(POLICY, "silent for too long")
        except Malformed as error:
            return self._broken(error).closing
        except OSError:
            return Closing(NORMAL, "an end is gone")

    async def _down(self, pipe: Pipe) -> Closing:
        """Broker to browser, whole packets only."""
        packets = PacketSplitter(MAX_PACKET_BYTES)
        try:
            while data := await pipe.reader.read(CHUNK_BYTES):
                if whole := b"".join(packets.feed(data)):
                    self.counters.bytes_down += len(whole)
                    await pipe.channel.send(whole)
        except Malformed as error:
            return self._broken(error).closing
        except OSError:
            return Closing(NORMAL, "an end is gone")
        return Closing(TRY_LATER, "the broker closed the connection")

    def _broken(self, error: Malformed) -> LinkRefused:
        if isinstance(error, PacketTooLarge):
            self.counters.oversized += 1
            return LinkRefused(TOO_BIG, str(error))
        self.counters.broken_protocol += 1
        return LinkRefused(POLICY, str(error))


async def _until_taken_over(pipe: Pipe, link: Link) -> Closing:
    await link.taken_over.wait()
    pipe.writer.write(DISCONNECT)
    return Closing(TAKEN_OVER, "another window shows this display now")
