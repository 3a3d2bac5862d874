"""The AsyncAPI document in docs/ is what the code says now, is sound, and says what the topic table says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broker_config.asyncapi import document, render_document
from broker_config.messages import KINDS, encode
from broker_config.topics import BY_NAME, ROOT, TOPICS
from tests.broker_config.test_messages import envelope

ROOT_DIR = Path(__file__).parents[2]
DOCUMENT = document()
WORDS = {"$ref", "allOf", "anyOf", "enum", "const", "type", "properties", "required", "items", "additionalItems", "minItems",
         "maxItems", "additionalProperties", "format", "pattern", "default", "title", "description"}  # fmt: skip


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolved(reference: str) -> Any:
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_the_committed_document_is_what_the_code_generates() -> None:
    committed = (ROOT_DIR / "docs" / "asyncapi.json").read_text()
    assert committed == render_document(), "run: tacet broker asyncapi > docs/asyncapi.json"


def test_every_reference_leads_somewhere() -> None:
    for reference in set(references(DOCUMENT)):
        assert isinstance(resolved(reference), dict), reference


def test_channels_and_operations_say_what_the_topic_table_says() -> None:
    assert set(DOCUMENT["channels"]) == set(BY_NAME)
    for row in TOPICS:
        channel = DOCUMENT["channels"][row.name]
        assert channel["address"] == f"{ROOT}/{{site}}/{row.pattern}"
        assert set(channel["messages"]) == {kind.type_name for kind in KINDS if kind.topic == row.name}
        sender = DOCUMENT["operations"][f"{row.publisher}_sends_{row.name}"]
        assert sender["bindings"]["mqtt"] == {"qos": row.qos, "retain": row.retained, "bindingVersion": "0.2.0"}
        for party in row.subscribers:
            assert DOCUMENT["operations"][f"{party}_receives_{row.name}"]["action"] == "receive"
    assert len(DOCUMENT["operations"]) == sum(1 + len(row.subscribers) for row in TOPICS)


def test_the_envelope_schema_is_cloudevents() -> None:
    schema = DOCUMENT["components"]["schemas"]["Envelope"]
    assert set(schema["required"]) == {"specversion", "id", "source", "type", "time", "data"}
    assert schema["properties"]["specversion"] == {"enum": ["1.0"]}
    assert schema["properties"]["time"] == {"type": "string", "format": "date-time"}
    assert "additionalProperties" not in schema, "a newer edge may add fields"


def test_no_schema_word_of_a_later_dialect_slips_in() -> None:
    assert "prefixItems" not in render_document()


def faults(schema: Any, value: Any, at: str = "$") -> Iterator[str]:
    """Where `value` breaks `schema`: the words of JSON Schema that the document uses, and no others."""
    assert set(schema) <= WORDS, schema
    if "$ref" in schema:
        yield from faults(resolved(schema["$ref"]), value, at)
    for part in schema.get("allOf", []):
        yield from faults(part, value, at)
    if "anyOf" in schema and all(list(faults(part, value, at)) for part in schema["anyOf"]):
        yield f"{at}: none of anyOf"
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        yield f"{at}: not an allowed value"
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    if "type" in schema and not isinstance(value, kinds[schema["type"]]):
        yield f"{at}: no {schema['type']}"
    elif isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{at}: not of the pattern"
    elif isinstance(value, dict):
        yield from (f"{at}: lacks {name}" for name in schema.get("required", []) if name not in value)
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield from faults(part, value[name], f"{at}.{name}")
    elif isinstance(value, list):
        parts = schema.get("items", {})
        parts = parts if isinstance(parts, list) else [parts] * len(value)
        if len(parts) != len(value):
            yield f"{at}: {len(value)} items"
        for part, item in zip(parts, value, strict=False):
            yield from faults(part, item, f"{at}[]")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type_name)
def test_a_real_message_satisfies_its_schema_and_a_wrong_one_does_not(kind: Any) -> None:
    schema = DOCUMENT["components"]["messages"][kind.type_name]["payload"]
    message = msgspec.json.decode(encode(envelope(kind)))
    assert list(faults(schema, message)) == []
    assert list(faults(schema, message | {"type": "tacet.other.v1"})) == ["$.type: not an allowed value"]
    for name in [field.encode_name for field in msgspec.structs.fields(kind) if field.required]:
        fewer = {key: value for key, value in message["data"].items() if key != name}
        assert list(faults(schema, message | {"data": fewer})) == [f"$.data: lacks {name}"]
