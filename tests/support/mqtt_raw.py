"""MQTT 3.1.1 packets as bytes, also such as no library would send; and what a mutating replay makes of them."""

import contextlib
import random
import struct
from asyncio import StreamReader, StreamWriter, open_connection
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 0x10, 0x30, 0x82, 0xA2, 0xC0, 0xE0
ACCEPTED = b"\x20\x02\x00\x00"
ODD = (
    "+", "#", "/", "//", "+/+", "tacet/#", "tacet/1/demo/#", "", " ", "$SYS", "$SYS/broker", "$share/g/#", "$share/g/tacet/1/demo/#",
    "\0", "agent-gw-1\0", "agent-gw-2/../agent-gw-1", "agent-gw-1/#", "AGENT-GW-1", "agent-gw-1 ", "agent-gw-1\n", "a" * 60_000,
    "\u202eagent", "\ufeffagent-gw-1", "\ud7ff", "%u", "%c", "${username}",
)  # fmt: skip
"""Names that a broker may take for something else: wildcards, system topics, shared groups, ends of strings, look-alikes."""


def field(text: str | bytes) -> bytes:
    """A string or bytes behind their length."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return struct.pack("!H", len(data)) + data


def packet(first_byte: int, body: bytes) -> bytes:
    """A whole packet."""
    return bytes([first_byte]) + length(len(body)) + body


def length(value: int) -> bytes:
    """A remaining length."""
    encoded = bytearray()
    while True:
        value, part = divmod(value, 128)
        encoded.append(part | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def connect(
    user: str,
    password: str,
    *,
    client_id: str | None = None,
    keep_alive_s: int = 60,
    will: tuple[str, bytes] | None = None,
) -> bytes:
    """CONNECT, clean session; a will is retained and of QoS 1."""
    flags = 0b1100_0010 | (0b0010_1100 if will else 0)
    body = (
        field("MQTT")
        + bytes([4, flags])
        + struct.pack("!H", keep_alive_s)
        + field(user if client_id is None else client_id)
    )
    if will:
        body += field(will[0]) + field(will[1])
    return packet(CONNECT, body + field(user) + field(password))


def publish(topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, number: int = 1) -> bytes:
    """PUBLISH."""
    numbered = struct.pack("!H", number) if qos else b""
    return packet(PUBLISH | qos << 1 | int(retain), field(topic) + numbered + payload)


def subscribe(*filters: str, number: int = 1) -> bytes:
    """SUBSCRIBE with QoS 1."""
    return packet(SUBSCRIBE, struct.pack("!H", number) + b"".join(field(each) + b"\x01" for each in filters))


@asynccontextmanager
async def raw(host: str, port: int, opening: bytes = b"") -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    """A TCP connection on which `opening` was sent; cut at the end."""
    reader, writer = await open_connection(host, port)
    try:
        writer.write(opening)
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def conversation(user: str, password: str, site: str = "tacet/1/demo") -> list[bytes]:
    """What a display and an agent say in their lives, packet by packet."""
    return [
        connect(user, password, will=(f"{site}/edge/gw-2/$state", b"lost")),
        subscribe(f"{site}/edge/gw-2/ack", f"{site}/edge/gw-2/cmd/members", f"{site}/txn/settled"),
        publish(f"{site}/edge/gw-2/$state", b'{"specversion":"1.0"}', retain=True),
        publish(f"{site}/edge/gw-2/stats", b"x" * 300, qos=0),
        publish(f"{site}/edge/gw-2/dropped", b"{}", qos=2, number=7),
        packet(0x62, b"\x00\x07"),
        packet(0x40, b"\x00\x01"),
        packet(UNSUBSCRIBE, b"\x00\x09" + field(f"{site}/txn/settled")),
        packet(PINGREQ, b""),
        packet(DISCONNECT, b""),
    ]


def mutated(packets: list[bytes], rng: random.Random) -> bytes:
    """The conversation with a few things wrong: bits, lengths, order, repetition, truncation, foreign bytes."""
    said = [bytearray(each) for each in packets]
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(said))
        match rng.randrange(8):
            case 0:
                said[at][rng.randrange(len(said[at]))] ^= 1 << rng.randrange(8)
            case 1:
                said[at] = said[at][: rng.randrange(len(said[at]) + 1)] or bytearray(b"\0")
            case 2:
                said.insert(at, bytearray(said[at]))
            case 3:
                said[at], said[-1] = said[-1], said[at]
            case 4:
                said[at][1:2] = length(rng.choice((0, 1, 127, 128, 16_384, 2_097_152, 268_435_455)))
            case 5:
                said.insert(at, bytearray(rng.randbytes(rng.randint(1, 40))))
            case 6:
                spot = rng.randrange(len(said[at]))
                said[at][spot:spot] = rng.choice(
                    (b"\0", b"\xff\xff", b"#", b"+", b"$SYS/", b"\xed\xa0\x80", bytes(200))
                )
            case _:
                said[at] = bytearray([rng.randrange(256)]) + said[at][1:]
    return b"".join(said)
