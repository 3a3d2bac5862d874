"""Requests drawn from an OpenAPI document: what fits its schemas, what nearly does, and what does not at all."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Json = Any
TEXTS = st.text(max_size=40) | st.sampled_from(
    ["", " ", "\0", "\ud800", "..", "%2e%2e%2f", "' OR 1=1 --", "<script>", "𝔘" * 9]
)
ANY_JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def fitting(schema: Mapping[str, Json], document: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    """Values of a schema, of the few keywords that our own bodies use."""
    if "$ref" in schema:
        return fitting(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "anyOf" in schema:
        return st.one_of([fitting(option, document) for option in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    return _OF_TYPE[schema.get("type", "any")](schema, document)


def _object(schema: Mapping[str, Json], document: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    fields = {name: fitting(inner, document) for name, inner in schema.get("properties", {}).items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: drawn for name, drawn in fields.items() if name in required},
        optional={name: drawn for name, drawn in fields.items() if name not in required},
    )


def _array(schema: Mapping[str, Json], document: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    most = min(schema.get("maxItems", 5), 5)
    return st.lists(fitting(schema.get("items", {}), document), min_size=schema.get("minItems", 0), max_size=most)


def _string(schema: Mapping[str, Json], _document: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 40), 300))


def _integer(schema: Mapping[str, Json], _document: Mapping[str, Json]) -> st.SearchStrategy[Json]:
    return st.integers(schema.get("minimum"), schema.get("maximum"))


_OF_TYPE = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": lambda _schema, _document: st.floats(allow_nan=False, allow_infinity=False),
    "boolean": lambda _schema, _document: st.booleans(),
    "null": lambda _schema, _document: st.none(),
    "any": lambda _schema, _document: ANY_JSON,
}


@st.composite
def spoilt(draw: st.DrawFn, good: st.SearchStrategy[Json]) -> Json:
    """A good value with a field more, a field less, or a field of something else."""
    value = draw(good)
    if not isinstance(value, dict) or not value:
        return draw(ANY_JSON)
    name = draw(st.sampled_from(sorted(value)))
    kind = draw(st.sampled_from(["more", "less", "other"]))
    if kind == "less":
        return {key: inner for key, inner in value.items() if key != name}
    return value | {(draw(TEXTS) if kind == "more" else name): draw(ANY_JSON)}


@st.composite
def bodies(
    draw: st.DrawFn, schema: Mapping[str, Json] | None, document: Mapping[str, Json]
) -> tuple[str | None, bytes]:
    """A content type, and a body that fits, nearly fits, or is noise."""
    good = ANY_JSON if schema is None else fitting(schema, document)
    kind = draw(st.sampled_from(["good", "good", "spoilt", "any", "deep", "noise", "none"]))
    content_type = draw(
        st.sampled_from(["application/json"] * 4 + ["text/csv", "application/x-www-form-urlencoded", "\xff", ""])
    )
    if kind == "noise":
        return content_type, draw(st.binary(max_size=200))
    if kind == "none":
        return None, b""
    if kind == "deep":
        return content_type, draw(st.sampled_from([b"[", b'{"a":', b'["[",'])) * draw(st.integers(1, 9_000))
    value = draw({"good": good, "spoilt": spoilt(good), "any": ANY_JSON}[kind])
    return content_type, json.dumps(value).encode("ascii")
