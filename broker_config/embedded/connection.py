"""Bounds that amqtt 0.12.1 leaves open on one connection: what a packet may be, how slow a peer, how much waits for it."""

import asyncio
from collections.abc import Awaitable, Callable

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.errors import MQTTError
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler

from broker_config.limits import MAX_PACKET_BYTES

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


class PacketTooLarge(MQTTError):  # type: ignore[misc]  # amqtt is not followed by mypy
    """A client announced a packet larger than any message of ours."""


class PacketBroken(MQTTError):  # type: ignore[misc]
    """The fields of a packet do not end where its length says."""


class FramedReader(StreamReaderAdapter):  # type: ignore[misc]
    """Hands out a packet's bytes and not one of the next; refuses an oversized one as soon as it is announced.

    amqtt reads field by field and looks at a packet's length for some kinds only, so that a filter list, or a CONNECT,
    could be without end.  After a refusal the stream is out of step, so it reads as ended: the client must connect anew.

    Args:
        room: waited for before each packet, so that a flood waits on its sender's side.
    """

    def __init__(self, reader: asyncio.StreamReader, room: Callable[[], Awaitable[None]]) -> None:
        super().__init__(reader)
        self._room = room
        self._is_broken = False
        self._head: list[int] = []  # type and length, as far as they have come
        self._left = 0  # of the body

    async def read(self, n: int = -1) -> bytes:
        """Exactly `n` bytes, or none at the end of the stream."""
        if self._is_broken:
            return b""
        if self._left:
            return await self._read_body(n)
        return await self._read_head(n)

    async def _read_head(self, n: int) -> bytes:
        if n == 0:
            return b""
        if n != 1:
            raise self._broken(f"{n} more bytes are asked for than the packet has")
        if not self._head:
            await self._room()
        byte: bytes = await super().read(1)
        self._head.append(byte[0])
        if len(self._head) > 1 and byte[0] < 0x80:
            self._left = sum((part & 0x7F) << (7 * place) for place, part in enumerate(self._head[1:]))
            self._head = []
            if self._left > MAX_PACKET_BYTES:
                self._is_broken = True
                raise PacketTooLarge(f"a packet of {self._left} bytes; the limit is {MAX_PACKET_BYTES}")
        elif len(self._head) > LENGTH_BYTES:
            raise self._broken("a length of more than four bytes")
        return byte

    async def _read_body(self, n: int) -> bytes:
        if not 0 <= n <= self._left:
            raise self._broken(f"{n} bytes are asked for of a packet that has {self._left} more")
        try:
            async with asyncio.timeout(PACKET_WITHIN_S):
                data: bytes = await super().read(n)
        except TimeoutError:
            self._is_broken = True
            raise
        self._left -= n
        return data

    def _broken(self, why: str) -> PacketBroken:
        self._is_broken = True
        return PacketBroken(why)


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
