"""The proxy's MQTT: any slicing gives the same packets, and nothing malformed gets through."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.mqtt_fields import Malformed
from server.displays.mqtt_packets import (
    Connect,
    PacketSplitter,
    PacketTooLarge,
    Will,
    encode_length,
    parse_connect,
)

LIMIT = 70_000
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
wills = st.builds(Will, texts, st.binary(max_size=300), st.integers(0, 2), st.booleans())


@st.composite
def connects(draw: st.DrawFn) -> Connect:
    user = draw(st.none() | texts)
    password = draw(st.none() | st.binary(max_size=40)) if user is not None else None
    keep_alive_s = draw(st.integers(0, 65_535))
    return Connect(draw(texts), draw(st.booleans()), keep_alive_s, draw(st.none() | wills), user, password)


def packet(body: bytes, header: int = 0x30) -> bytes:
    return bytes([header]) + encode_length(len(body)) + body


def body_of(connect: Connect) -> bytes:
    """The CONNECT without its fixed header."""
    whole = connect.to_bytes()
    return whole[whole.index(b"\x00\x04MQTT") :]


@given(connects())
def test_a_connect_survives_its_round_trip(connect: Connect) -> None:
    assert parse_connect(connect.to_bytes()) == connect


def test_a_connect_as_the_standard_prints_it() -> None:
    # OASIS MQTT 3.1.1, figure 3.6: user, password, will with QoS 1, clean session, keep alive 10.
    header = bytes.fromhex("00044d515454 04 ce 000a".replace(" ", ""))
    body = header + b"\x00\x02c1" + b"\x00\x01t" + b"\x00\x02hi" + b"\x00\x01u" + b"\x00\x01p"
    expected = Connect("c1", True, 10, Will("t", b"hi", 1, False), "u", b"p")
    assert parse_connect(packet(body, 0x10)) == expected
    assert expected.to_bytes() == packet(body, 0x10)


@given(st.lists(st.binary(max_size=400).map(packet), max_size=8), st.data())
def test_any_slicing_gives_the_same_packets(packets: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    splitter, got = PacketSplitter(LIMIT), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += splitter.feed(stream[start:end])
    assert got == packets


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 65_000])
def test_lengths_at_the_borders_of_the_encoding(size: int) -> None:
    whole = packet(bytes(size))
    assert PacketSplitter(LIMIT).feed(whole) == [whole]
    assert PacketSplitter(LIMIT).feed(whole[:-1]) == []


def test_an_oversized_packet_is_refused_by_its_announcement() -> None:
    with pytest.raises(PacketTooLarge):
        PacketSplitter(1000).feed(packet(bytes(5000))[:4])
    assert PacketSplitter(1000).feed(packet(bytes(997))) == [packet(bytes(997))]


def test_a_length_without_end_is_refused() -> None:
    with pytest.raises(Malformed):
        PacketSplitter(LIMIT).feed(b"\x30\xff\xff\xff\xff")


@given(connects(), st.data())
def test_a_truncated_connect_is_refused(connect: Connect, data: st.DataObject) -> None:
    body = body_of(connect)
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(Malformed):
        parse_connect(packet(body[:cut], 0x10))


@given(connects(), st.binary(min_size=1, max_size=9))
def test_bytes_after_the_last_field_are_refused(connect: Connect, extra: bytes) -> None:
    body = body_of(connect)
    with pytest.raises(Malformed):
        parse_connect(packet(body + extra, 0x10))


@given(st.binary(max_size=80))
def test_noise_is_refused_or_parsed_but_never_anything_else(noise: bytes) -> None:
    with contextlib.suppress(Malformed):
        parse_connect(packet(noise, 0x10))


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\x06MQIsdp\x03\x02\x00\x0a\x00\x01c",  # MQTT 3.1
        b"\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x01c",  # MQTT 5
        b"\x00\x04MQTT\x04\x03\x00\x0a\x00\x01c",  # reserved flag
        b"\x00\x04MQTT\x04\x0a\x00\x0a\x00\x01c",  # will QoS without a will
        b"\x00\x04MQTT\x04\x1e\x00\x0a\x00\x01c\x00\x01t\x00\x00",  # will QoS 3
        b"\x00\x04MQTT\x04\x42\x00\x0a\x00\x01c\x00\x01p",  # password without user
        b"\x00\x04MQTT\x04\x02\x00\x0a\x00\x01\xff",  # no UTF-8
        b"\x00\x04MQTT\x04\x02\x00\x0a\x00\x01\x00",  # U+0000
    ],
)
def test_what_is_no_mqtt_311_connect_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_connect(packet(body, 0x10))


def test_another_first_packet_is_refused() -> None:
    with pytest.raises(Malformed):
        parse_connect(packet(b"\x00\x01tx"))
