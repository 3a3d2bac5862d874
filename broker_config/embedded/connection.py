"""Bounds that amqtt 0.12.1 leaves open on one connection: what a packet may be, how slow a peer, how much waits for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.errors import MQTTError
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler

from broker_config.embedded.packets import CONNECT, check_packet
from broker_config.limits import MAX_PACKET_BYTES
from broker_config.mqtt_fields import HEAD_OF_CONNECT, Malformed

log = logging.getLogger(__name__)
SILENCE_FACTOR = 1.5
"""A client that is silent for this many keep-alives is gone [MQTT-3.1.2-24]."""
PACKET_WITHIN_S = 20.0
"""A packet that was begun has to be there; amqtt would wait for its rest for ever."""
DRAIN_WITHIN_S = 10.0
"""A client that takes nothing off its line for so long is gone."""
MAX_UNTAKEN_MESSAGES = 10_000
MAX_UNTAKEN_BYTES = 16 * 1024 * 1024
"""What may wait for a client that is connected; a deaf one is cut off, and its session goes on as that of one who is away."""
LENGTH_BYTES = 4


class PacketRefused(MQTTError):  # type: ignore[misc]  # amqtt is not followed by mypy
    """A client sent, or announced, what is no packet, or one larger than any message of ours."""


class FramedReader(StreamReaderAdapter):  # type: ignore[misc]
    """Hands out whole, well-formed packets, field by field as amqtt asks; refuses an oversized one as it is announced.

    After a refusal the stream is out of step, so it reads as ended: the client must connect anew.

    Args:
        room: waited for before each packet, so that a flood waits on its sender's side.
    """

    def __init__(self, reader: asyncio.StreamReader, room: Callable[[], Awaitable[None]]) -> None:
        super().__init__(reader)
        self._room = room
        self._is_broken = self._is_last = False
        self._packet, self._at = b"", 0

    async def read(self, n: int = -1) -> bytes:
        """Exactly `n` bytes of the packet, or none at the end of the stream."""
        if self._is_broken:
            return b""
        if n and self._at == len(self._packet):
            if self._is_last:
                return b""
            self._packet, self._at = await self._next_packet(), 0
        if not 0 <= n <= len(self._packet) - self._at:
            raise self._refused(f"{n} bytes are asked for where there are {len(self._packet) - self._at}")
        self._at += n
        return self._packet[self._at - n : self._at]

    async def _next_packet(self) -> bytes:
        await self._room()
        head: bytes = await super().read(1)
        try:
            async with asyncio.timeout(PACKET_WITHIN_S):
                while len(head) == 1 or (head[-1] & 0x80 and len(head) <= LENGTH_BYTES):
                    head += await super().read(1)
                length = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(head[1:]))
                if head[-1] & 0x80 or length > MAX_PACKET_BYTES:
                    raise self._refused(f"a packet of {length} bytes; the limit is {MAX_PACKET_BYTES}")
                body: bytes = await super().read(length)
        except TimeoutError:
            self._is_broken = True
            raise
        try:
            check_packet(head[0], body)
        except Malformed as error:
            raise self._refused(str(error)) from error
        # amqtt takes a CONNECT of another version apart as if it were its own, before it answers no.
        self._is_last = head[0] >> 4 == CONNECT and not body.startswith(HEAD_OF_CONNECT)
        return head + body

    def _refused(self, why: str) -> PacketRefused:
        self._is_broken = True
        log.debug("packet refused: %s", why)
        return PacketRefused(why)


class BoundedWriter(StreamWriterAdapter):  # type: ignore[misc]
    """Cuts a client off that does not take what is sent to it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__(writer)
        self.cut: Callable[[], None] = writer.transport.abort

    async def drain(self) -> None:
        """Wait until most of it is on its way.

        Raises:
            ConnectionResetError: it was not within `DRAIN_WITHIN_S`.
        """
        try:
            async with asyncio.timeout(DRAIN_WITHIN_S):
                await super().drain()
        except TimeoutError as error:
            self.cut()
            raise ConnectionResetError("the client takes nothing") from error


class Handler(BrokerProtocolHandler):  # type: ignore[misc]
    """Drops a client that went silent without closing, or deaf; amqtt would keep it, its will and its messages for ever."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self._untaken, self._untaken_bytes = 0, 0

    def handle_read_timeout(self) -> None:
        """End the connection as an abnormal one, so that the last will is sent."""
        if self._disconnect_waiter is not None and not self._disconnect_waiter.done():
            self._disconnect_waiter.set_result(None)

    async def mqtt_publish(self, topic: str, data: bytes, *arguments: object, **options: object) -> object:
        """Send a message, and wait for the answer where its quality asks for one."""
        if self._untaken >= MAX_UNTAKEN_MESSAGES or self._untaken_bytes + len(data) > MAX_UNTAKEN_BYTES:
            if self.writer is not None:
                self.writer.cut()
            raise MQTTError(f"too much waits for {self.session.client_id if self.session else 'a client'}")
        self._untaken, self._untaken_bytes = self._untaken + 1, self._untaken_bytes + len(data)
        try:
            return await super().mqtt_publish(topic, data, *arguments, **options)
        finally:
            self._untaken, self._untaken_bytes = self._untaken - 1, self._untaken_bytes - len(data)
