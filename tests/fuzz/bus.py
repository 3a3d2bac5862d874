"""What must hold of the broker's edge and of the bus's messages, whatever the bytes are.

mqtt.stream             any bytes as a connection, read as the embedded broker reads it
mqtt.connect|publish|subscribe   the same, within one packet of that kind whose length is right
bus.message             any bytes as a message
bus.order               any bytes as a signed one
bus.filter              three texts as a topic and two filters
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping

from amqtt.mqtt import packet_class
from amqtt.mqtt.packet import MQTTFixedHeader

from broker_config.acl import Rights, is_filter, is_topic, is_within, matches
from broker_config.command_mac import NotAuthentic, append_mac, open_command
from broker_config.embedded.broker import BROKEN_PEER
from broker_config.embedded.connection import FramedReader
from broker_config.errors import MessageError
from broker_config.limits import MAX_PACKET_BYTES
from broker_config.messages import decode, encode
from broker_config.topics import parse_topic, topic_for
from tests.support.mqtt_raw import CONNECT, ODD, PUBLISH, SUBSCRIBE, conversation, packet

KEY, USER = bytes(range(32)), "agent-gw-1"
ORDER = topic_for("actuator_cmd", "demo", actuator="lamp-s1")
KINDS: Mapping[str, int] = {"connect": CONNECT, "publish": PUBLISH | 2, "subscribe": SUBSCRIBE}


def check_connection(data: bytes) -> None:
    """Every packet is read within its length, or the connection ends in one of the ways that the broker expects."""
    asyncio.run(_read_all(data))


def check_packet(kind: str, body: bytes) -> None:
    """One packet with these bytes in it, and another behind it, which is read as itself if at all."""
    check_connection(packet(KINDS[kind], body[:MAX_PACKET_BYTES]) + packet(0xC0, b""))


async def _read_all(data: bytes) -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    reader, end = FramedReader(stream, _room), 0
    try:
        while (header := await MQTTFixedHeader.from_stream(reader)) is not None:
            end = len(data) - len(stream._buffer)
            assert header.remaining_length <= MAX_PACKET_BYTES
            await packet_class(header).from_stream(reader, fixed_header=header)
            assert len(data) - len(stream._buffer) == end, "it read into the next packet"
            if reader._is_last:
                return  # a CONNECT of another version: answered, and closed
            assert reader._at == len(reader._packet), (
                "it left something of the packet, which would be taken for the next"
            )
    except BROKEN_PEER:
        assert not reader._is_broken or await reader.read(1) == b"", "it goes on in the middle of what was refused"


async def _room() -> None:
    return


def check_message(data: bytes) -> None:
    """A message is refused in words, or means the same again when it is written and read."""
    try:
        read = decode(data)
    except MessageError:
        return
    assert decode(encode(read)) == read


def check_order(data: bytes) -> None:
    """Nobody's bytes are the server's order, but those that were signed; and these only on their topic."""
    try:
        open_command(ORDER, data, USER, KEY)
    except NotAuthentic:
        signed = append_mac(ORDER, b'{"x":"' + data.hex().encode() + b'"}', {USER: KEY})
        said = open_command(ORDER, signed, USER, KEY)
        at = sum(data) % len(signed)
        altered = signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]
        assert _refused(ORDER, altered) or open_command(ORDER, altered, USER, KEY) == said
        assert _refused(ORDER + "x", signed)
        return
    raise AssertionError("bytes of nobody's were taken for an order")


def _refused(topic: str, payload: bytes) -> bool:
    try:
        open_command(topic, payload, USER, KEY)
    except NotAuthentic:
        return True
    return False


def check_filter(data: bytes) -> None:
    """A filter within another lets nothing through that the other does not; what is no topic is never allowed."""
    topic, inner, outer = [*data.decode("utf-8", "surrogateescape").split("\n"), "", ""][:3]
    parse_topic(topic)
    if is_within(inner, outer):
        assert is_filter(inner)
        assert is_filter(outer)
        assert not matches(topic, inner) or matches(topic, outer)
    if matches(topic, outer):
        assert is_topic(topic)
    rights = Rights((outer,), (outer,))
    assert rights.is_allowed_publish(topic) == matches(topic, outer)
    assert not rights.is_allowed_subscribe(inner) or is_within(inner, outer)


BUS: Mapping[str, Callable[[bytes], None]] = {
    "mqtt.stream": check_connection,
    "mqtt.connect": lambda data: check_packet("connect", data),
    "mqtt.publish": lambda data: check_packet("publish", data),
    "mqtt.subscribe": lambda data: check_packet("subscribe", data),
    "bus.message": check_message,
    "bus.order": check_order,
    "bus.filter": check_filter,
}


def bus_seeds(target: str) -> Iterator[bytes]:
    """What a search begins with."""
    said = conversation("agent-gw-2", "secret")
    name, _, kind = target.partition(".")
    if kind == "stream":
        yield b"".join(said)
        yield from said
    elif name == "mqtt":
        yield from (each[2:] for each in said if each[0] & 0xF0 == KINDS[kind] & 0xF0)
    elif kind == "filter":
        texts = (
            "tacet/1/demo/edge/gw-1/$state",
            "tacet/1/demo/edge/+/$state",
            "tacet/1/demo/#",
            "+/#",
            "a//b",
            *ODD[:8],
        )
        yield from (
            f"{topic}\n{inner}\n{outer}".encode() for topic in texts for inner in texts[:5] for outer in texts[:5]
        )
    else:
        body = b'{"specversion":"1.0","id":"1","source":"s","type":"%s","time":"2026-11-22T09:00:00Z","data":%s}'
        yield body % (b"tacet.members.offered.v1", b'{"version":3}')
        yield body % (b"tacet.edge.ack.v1", b'{"generation":"00","upto":1,"missing":[[2,3]]}')
        yield append_mac(ORDER, b'{"a":1}', {USER: bytes(32)})
