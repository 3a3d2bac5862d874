"""Bounds that amqtt 0.12.1 leaves open on one connection: packet size, silence, and the size of an offline queue."""

import asyncio

from amqtt.adapters import StreamReaderAdapter
from amqtt.errors import MQTTError
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler

from broker_config.messages import MAX_PAYLOAD_BYTES

MAX_PACKET_BYTES = MAX_PAYLOAD_BYTES + 1024
"""A payload at its limit, and a topic."""
SILENCE_FACTOR = 1.5
"""A client that is silent for this many keep-alives is gone [MQTT-3.1.2-24]."""


class PacketTooLarge(MQTTError):  # type: ignore[misc]  # amqtt is not followed by mypy
    """A client announced a packet larger than any message of ours."""


class BoundedReader(StreamReaderAdapter):  # type: ignore[misc]  # amqtt is not followed by mypy
    """Refuses to gather an oversized packet; amqtt has no such limit.

    After the refusal the stream is out of step, so it reads as ended: the client must connect anew.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self._is_broken = False

    async def read(self, n: int = -1) -> bytes:
        """Exactly `n` bytes, or none at the end of the stream."""
        if self._is_broken:
            return b""
        if n > MAX_PACKET_BYTES:
            self._is_broken = True
            raise PacketTooLarge(f"a packet of {n} bytes; the limit is {MAX_PACKET_BYTES}")
        data: bytes = await super().read(n)
        return data


class Handler(BrokerProtocolHandler):  # type: ignore[misc]  # amqtt is not followed by mypy
    """Drops a client that went silent without closing; amqtt would keep it, and its last will, for ever."""

    def handle_read_timeout(self) -> None:
        """End the connection as an abnormal one, so that the last will is sent."""
        if self._disconnect_waiter is not None and not self._disconnect_waiter.done():
            self._disconnect_waiter.set_result(None)
