"""An EPC in words, with the names that the golden vectors use."""

from readers.epc.keys import ENCODING, Key, Raw


def describe(key: Key | Raw) -> dict[str, object]:
    """Everything an EPC says, what does not apply left out."""
    if isinstance(key, Raw):
        return {"scheme": "raw", "tag_uri": key.tag_uri, "why": key.why}
    record: dict[str, object | None] = {
        "scheme": key.scheme,
        "tag_uri": key.tag_uri,
        "pure_identity_uri": key.pure_identity,
        "filter": key.filter,
        "filter_meaning": key.filter_meaning,
        "partition": key.partition,
    }
    if key.row.is_plus:
        record["data_toggle"] = key.data_toggle
        record |= {name: _value(name, text) for name, text in key.named.items()}
        record["aidc_bits"] = key.aidc_bits or None
    record |= {"gs1_element_string": key.element_string, "gs1_digital_link": key.digital_link}
    return {name: value for name, value in record.items() if value is not None}


def _value(name: str, text: str) -> int | str | None:
    if name.endswith(ENCODING):
        return int(text) if text else None
    return text
