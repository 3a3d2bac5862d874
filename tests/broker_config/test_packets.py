"""Which bytes the embedded broker takes for a packet of MQTT 3.1.1."""

import asyncio

import pytest

from broker_config.embedded.connection import FramedReader, PacketRefused
from broker_config.embedded.packets import check_packet
from broker_config.limits import MAX_PACKET_BYTES
from broker_config.mqtt_fields import Malformed
from tests.support.mqtt_raw import connect, conversation, field, packet, publish, subscribe

CONNECT = connect("agent-gw-1", "secret", will=("a/b", b"gone"))[2:]


@pytest.mark.parametrize("said", conversation("agent-gw-1", "secret"), ids=lambda said: f"{said[0]:02x}")
def test_what_a_client_says_is_one(said: bytes) -> None:
    head = 3 if said[1] & 0x80 else 2
    check_packet(said[0], said[head:])


@pytest.mark.parametrize(
    ("first_byte", "body", "why"),
    [
        (0x00, b"", "comes from no client"),
        (0x20, b"\0\0", "comes from no client"),
        (0x90, b"\0\1\0", "comes from no client"),
        (0xD0, b"", "comes from no client"),
        (0xF0, b"", "comes from no client"),
        (0x11, CONNECT, "flags 1"),
        (0x80, subscribe("a")[2:], "flags 0"),
        (0xC0, b"x", "1 bytes too many"),
        (0xE0, b"xy", "2 bytes too many"),
        (0x40, b"\0", "beyond the end"),
        (0x40, b"\0\1\0", "1 bytes too many"),
        (0x36, publish("a", b"")[2:], "quality 3"),
        (0x32, field("a") + b"\0\0", "number 0"),
        (0x30, b"\0\5a", "beyond the end"),
        (0x30, field(b"\xff\xfe"), "no UTF-8"),
        (0x30, field(b"\xed\xa0\x80"), "no UTF-8"),
        (0x30, field("a\0b"), "holds NUL"),
        (0x82, b"\0\1", "no filter"),
        (0x82, b"\0\0" + field("a") + b"\1", "number 0"),
        (0x82, b"\0\1" + field("a"), "beyond the end"),
        (0x82, b"\0\1" + field("a") + b"\3", "quality above 2"),
        (0xA2, b"\0\1" + field("a") + b"\1", "beyond the end"),
        (0x10, CONNECT[:-1], "beyond the end"),
        (0x10, CONNECT + b"x", "1 bytes too many"),
        (0x10, b"\0\4MQT", "beyond the end"),
    ],
)
def test_what_is_none_is_refused_with_the_reason(first_byte: int, body: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        check_packet(first_byte, body)


def test_another_version_is_left_to_the_broker_to_answer() -> None:
    check_packet(0x10, b"\0\4MQTT\5" + b"whatever version 5 has here")
    check_packet(0x10, b"\0\6MQIsdp\3" + b"or version 3.1")


def test_a_connect_without_name_password_or_will_is_one_that_is_answered_no() -> None:
    check_packet(0x10, b"\0\4MQTT\4\0\0\x3c" + field("nobody"))


def framed(data: bytes) -> FramedReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    return FramedReader(reader, lambda: asyncio.sleep(0))


async def test_the_longest_packet_is_taken_and_one_a_byte_longer_is_not() -> None:
    longest = field("a") + bytes(MAX_PACKET_BYTES - 3)
    reader = framed(packet(0x30, longest))
    await reader.read(4)
    assert await reader.read(len(longest)) == longest
    with pytest.raises(PacketRefused, match=f"the limit is {MAX_PACKET_BYTES}"):
        await framed(packet(0x30, longest + b"x")).read(1)


async def test_a_length_of_five_bytes_is_none_and_the_stream_ends_with_it() -> None:
    reader = framed(b"\xc0\x80\x80\x80\x80\x00" + b"\xc0\x00")
    with pytest.raises(PacketRefused):
        await reader.read(1)
    assert await reader.read(1) == b""
