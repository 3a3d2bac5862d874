"""MQTT 3.1.1 as far as a proxy must know it: whole packets out of a byte stream, and the CONNECT both ways.

    type and flags u8 | remaining length, 1 to 4 bytes of 7 bits, low first | variable header and payload

Source: OASIS MQTT 3.1.1, sections 2.2 (fixed header) and 3.1 (CONNECT).
"""

import struct
from dataclasses import dataclass

from broker_config.mqtt_fields import (
    CLEAN_SESSION,
    HEAD_OF_CONNECT,
    PASSWORD,
    USER,
    WILL,
    WILL_RETAIN,
    Fields,
    Malformed,
)

CONNECT_HEADER = 0x10
DISCONNECT = b"\xe0\x00"
MAX_LENGTH_BYTES = 4


class PacketTooLarge(Malformed):
    """The peer announced a packet longer than it may send."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker is to say when the client vanishes."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class Connect:
    """A CONNECT packet; `keep_alive_s` 0 means the client promises nothing."""

    client_id: str
    clean_session: bool
    keep_alive_s: int
    will: Will | None = None
    user: str | None = None
    password: bytes | None = None

    def to_bytes(self) -> bytes:
        """The whole packet.  A password without a user is not allowed by the standard, and not sent."""
        flags = CLEAN_SESSION if self.clean_session else 0
        payload = _field(self.client_id.encode())
        if self.will is not None:
            flags |= WILL | self.will.qos << 3 | (WILL_RETAIN if self.will.retain else 0)
            payload += _field(self.will.topic.encode()) + _field(self.will.payload)
        if self.user is not None:
            flags |= USER
            payload += _field(self.user.encode())
            if self.password is not None:
                flags |= PASSWORD
                payload += _field(self.password)
        body = HEAD_OF_CONNECT + struct.pack(">BH", flags, self.keep_alive_s) + payload
        return bytes([CONNECT_HEADER]) + encode_length(len(body)) + body


class PacketSplitter:
    """Feed any slices, get whole packets, each still in its bytes."""

    def __init__(self, max_packet_bytes: int) -> None:
        self._max_bytes = max_packet_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that `data` completes.

        Raises:
            PacketTooLarge: a length above the limit was announced; nothing of that packet is waited for.
            Malformed: a length of more than four bytes.
        """
        self._buffer += data
        packets: list[bytes] = []
        while (size := self._next_size()) is not None:
            if size > self._max_bytes:
                raise PacketTooLarge(f"a packet of {size} bytes, more than {self._max_bytes}")
            if len(self._buffer) < size:
                break
            packets.append(bytes(self._buffer[:size]))
            del self._buffer[:size]
        return packets

    def _next_size(self) -> int | None:
        """Size of the packet at the front, fixed header included; None until its length is all here."""
        length = 0
        for i in range(MAX_LENGTH_BYTES):
            if len(self._buffer) < i + 2:
                return None
            byte = self._buffer[i + 1]
            length |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                return 2 + i + length
        raise Malformed("a remaining length of more than four bytes")


def encode_length(length: int) -> bytes:
    """The remaining length as it stands in the fixed header."""
    encoded = bytearray()
    while True:
        length, digit = length >> 7, length & 0x7F
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(encoded)


def parse_connect(packet: bytes) -> Connect:
    """What a whole CONNECT packet says.

    Args:
        packet: with its fixed header, as `PacketSplitter` gives it.
    Raises:
        Malformed: another packet, another protocol version, a forbidden flag, or fields that do not fill it exactly.
    """
    if packet[:1] != bytes([CONNECT_HEADER]):
        raise Malformed("the first packet is not a CONNECT")
    start = 1 + next((i + 1 for i, byte in enumerate(packet[1:5]) if byte < 0x80), 0)
    fields = Fields(packet[start:])
    if fields.take(len(HEAD_OF_CONNECT)) != HEAD_OF_CONNECT:
        raise Malformed("the protocol is not MQTT 3.1.1; set protocolVersion 4")
    flags, keep_alive_s = struct.unpack(">BH", fields.take(3))
    _check_flags(flags)
    connect = Connect(
        client_id=fields.text(),
        clean_session=bool(flags & CLEAN_SESSION),
        keep_alive_s=keep_alive_s,
        will=Will(fields.text(), fields.data(), flags >> 3 & 3, bool(flags & WILL_RETAIN)) if flags & WILL else None,
        user=fields.text() if flags & USER else None,
        password=fields.data() if flags & PASSWORD else None,
    )
    fields.end()
    return connect


def _check_flags(flags: int) -> None:
    if flags & 0x01:
        raise Malformed("a reserved flag is set")
    if (not flags & WILL and flags & 0x38) or flags & 0x18 == 0x18:
        raise Malformed("the will's flags contradict each other")
    if flags & PASSWORD and not flags & USER:
        raise Malformed("a password without a user")


def _field(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
