"""The AsyncAPI 3.0 document, generated from the topic table and the message structs.

Source: AsyncAPI specification 3.0.0.  The operations are those of the whole system: `send` by a row's publisher, `receive`
by each subscriber, named in `x-party`.
"""

import inspect
import re
from typing import Any

import msgspec

from broker_config.messages import KINDS, MAX_PAYLOAD_BYTES, Data, Envelope
from broker_config.topics import ROOT, TOPICS, Topic

Json = dict[str, Any]
_PARAMETER = re.compile(r"\{(\w+)\}")
LEVEL_MEANINGS = {
    "site": "A store.",
    "agent": "An agent: one gateway.",
    "zone": "A place covered by antennas.",
    "shelf": "A shelf with a scale.",
    "display": "A screen.",
    "actuator": "A lamp, lock or buzzer.",
    "source": "Where a message came from that nobody could read.",
}


def render_document() -> str:
    """The document as JSON text, the same for the same code."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2).decode() + "\n"


def document() -> Json:
    """The document as plain JSON values."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tacet",
            "version": "1",
            "description": "What crosses the broker of a store.  Every message is a CloudEvents 1.0 envelope in structured JSON "
            f"of at most {MAX_PAYLOAD_BYTES} bytes; receivers ignore fields they do not know.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {row.name: _channel(row) for row in TOPICS},
        "operations": {name: operation for row in TOPICS for name, operation in _operations(row)},
        "components": {"messages": {kind.type_name: _message(kind) for kind in KINDS}, "schemas": _schemas()},
    }


def messages_on(row: Topic) -> list[type[Data]]:
    """The kinds of message that travel on a row of the topic table."""
    return [kind for kind in KINDS if kind.topic == row.name]


def _channel(row: Topic) -> Json:
    address = f"{ROOT}/{{site}}/{row.pattern}"
    expiry = {} if row.expiry_s is None else {"x-expiry-seconds": row.expiry_s}
    return {
        "address": address,
        "parameters": {name: {"description": LEVEL_MEANINGS[name]} for name in _PARAMETER.findall(address)},
        "messages": {kind.type_name: {"$ref": f"#/components/messages/{kind.type_name}"} for kind in messages_on(row)},
        "x-retained": row.retained,
        "x-durable": row.durable,
        "x-signed": row.signed,
        **expiry,
    }


def _operations(row: Topic) -> list[tuple[str, Json]]:
    parties = [("send", row.publisher), *[("receive", party) for party in row.subscribers]]
    return [
        (
            f"{party}_{action}s_{row.name}",
            {
                "action": action,
                "channel": {"$ref": f"#/channels/{row.name}"},
                "x-party": party,
                "bindings": {"mqtt": {"qos": row.qos, "retain": row.retained, "bindingVersion": "0.2.0"}},
            },
        )
        for action, party in parties
    ]


def _message(kind: type[Data]) -> Json:
    fields = {"type": {"const": kind.type_name}, "data": {"$ref": f"#/components/schemas/{kind.__name__}"}}
    return {
        "name": kind.type_name,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").strip().split("\n")[0],
        "contentType": "application/json",
        "payload": {"allOf": [{"$ref": "#/components/schemas/Envelope"}, {"type": "object", "properties": fields}]},
    }


def _schemas() -> Json:
    """JSON schemas of the envelope and of every kind of data, with what they refer to."""
    kinds: list[Any] = [*KINDS, Envelope]
    _, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    schemas = {
        "Envelope" if name.startswith("Envelope") else name: _draft_07(schema) for name, schema in components.items()
    }
    for schema in schemas.values():
        schema["description"] = inspect.cleandoc(schema.get("description", ""))
    return dict(sorted(schemas.items()))


def _draft_07(schema: Any) -> Any:  # noqa: ANN401  any JSON value
    """The same schema in the dialect that AsyncAPI reads, where a tuple is `items` and `additionalItems`."""
    if isinstance(schema, list):
        return [_draft_07(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _draft_07(value) for key, value in schema.items()}
    if "prefixItems" in plain:
        plain["items"], plain["additionalItems"] = plain.pop("prefixItems"), False
    return plain
