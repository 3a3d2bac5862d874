"""The envelope and its data: what is encoded is read back, a newer edge is understood, and nothing else passes."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.errors import MessageError
from broker_config.messages import (
    BY_TYPE,
    KINDS,
    MAX_PAYLOAD_BYTES,
    MIN_GROUP,
    Envelope,
    ItemReturned,
    TransactionSettled,
    decode,
    encode,
    group_safe,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
INFO = Envelope(
    specversion="1.0", id="gw-1.0123456789abcdef.7", source="tacet/demo/gw-1", type="", time=NOW, data=KINDS[0]
)  # type: ignore[type-var]


def example(kind: Any) -> Any:
    """A value of any type a message is made of."""
    info = msgspec.inspect.type_info(kind)
    return msgspec.convert(_example(info), kind)


def _example(info: Any) -> Any:
    match info:
        case msgspec.inspect.StructType():
            return {field.encode_name: _example(field.type) for field in info.fields if field.required}
        case msgspec.inspect.UnionType():
            return None
        case msgspec.inspect.LiteralType():
            return info.values[0]
        case msgspec.inspect.DateTimeType():
            return NOW.isoformat()
        case msgspec.inspect.TupleType():
            return [_example(item) for item in info.item_types]
        case msgspec.inspect.VarTupleType():
            return [_example(info.item_type)]
        case msgspec.inspect.DictType():
            return {}
        case msgspec.inspect.StrType(pattern=pattern) if pattern is not None:
            return "3034"
        case msgspec.inspect.StrType():
            return "x"
        case msgspec.inspect.BoolType():
            return True
        case _:
            return 1


def envelope(kind: Any) -> Any:
    return msgspec.structs.replace(INFO, type=kind.type_name, data=example(kind))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type_name)
def test_every_kind_survives_the_bus(kind: Any) -> None:
    sent = envelope(kind)
    received = decode(encode(sent))
    assert received == sent
    assert type(received.data) is kind


def test_the_envelope_is_cloudevents() -> None:
    sent = msgspec.structs.replace(
        envelope(ItemReturned), gateway="gw-1", generation="0123456789abcdef", seq="7", sim=True
    )
    raw = msgspec.json.decode(encode(sent))
    assert raw["specversion"] == "1.0"
    assert raw["time"] == "2026-01-02T03:04:05.678901Z"
    assert raw["type"] == "tacet.item.returned.v1"
    for name in raw:
        assert name.isascii()
        assert name.isalnum()
        assert name == name.lower(), "CloudEvents attribute names are lower-case letters and digits"
    assert set(raw) <= {"specversion", "id", "source", "type", "time", "subject", "datacontenttype", "gateway", "generation", "seq",
                        "expires", "sim", "data"}  # fmt: skip


def altered(**changes: Any) -> bytes:
    raw = msgspec.json.decode(encode(envelope(ItemReturned)))
    for key, value in changes.items():
        if value is None:
            del raw[key]
        else:
            raw[key] = value
    return msgspec.json.encode(raw)


def test_what_a_newer_edge_adds_is_ignored() -> None:
    data = msgspec.json.decode(encode(envelope(ItemReturned)))["data"] | {"colour": "red"}
    assert decode(altered(traceparent="00-1", data=data)) == envelope(ItemReturned)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"specversion":"1.0"}',
        b"[" * 100_00,
        altered(specversion="0.3"),
        altered(specversion=1),
        altered(id=None),
        altered(time="yesterday"),
        altered(time="2026-01-02T03:04:05"),
        altered(type="tacet.item.eaten.v1"),
        altered(type="x" * 1000),
        altered(data=None),
        altered(data={}),
        altered(data=[]),
        altered(data={"zone": 7}),
        altered(seq=7),
        b" " * (MAX_PAYLOAD_BYTES + 1),
    ],
)
def test_what_is_no_message_is_refused_in_one_way(payload: bytes) -> None:
    with pytest.raises(MessageError) as caught:
        decode(payload)
    assert len(str(caught.value)) < 300


@given(st.binary(max_size=200))
def test_noise_is_no_message(payload: bytes) -> None:
    with pytest.raises(MessageError):
        decode(payload)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_message_is_read_or_refused_never_worse(place: int, value: int) -> None:
    sound = bytearray(encode(envelope(ItemReturned)))
    sound[place % len(sound)] = value
    try:
        assert decode(bytes(sound)).type in BY_TYPE
    except MessageError:
        return


@pytest.mark.parametrize(
    ("people", "shown"), [(0, "<5"), (1, "<5"), (MIN_GROUP - 1, "<5"), (MIN_GROUP, "5"), (6, "6"), (120, "120")]
)
def test_fewer_than_five_people_are_never_told_apart_not_even_from_nobody(people: int, shown: str) -> None:
    assert group_safe(people) == shown


@pytest.mark.parametrize("epc", ["", "3", "30343", "3034257BF4", "card", "30" * 63, "3034 257b"])
def test_what_is_no_epc_in_hex_is_no_settled_item(epc: str) -> None:
    sound = msgspec.structs.replace(envelope(TransactionSettled), data=example(TransactionSettled))
    raw = msgspec.json.decode(encode(sound))
    raw["data"]["epcs"] = [epc]
    with pytest.raises(MessageError):
        decode(msgspec.json.encode(raw))
