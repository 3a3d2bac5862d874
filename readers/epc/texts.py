"""Text in: tag URI, pure identity URI, element string or GS1 Digital Link -> the thing it names.

Source: GS1 TDS 2.3, sections 6 (pure identity), 7 (element strings), 12 (tag URI); GS1 Digital Link 1.3.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from readers.epc.bits import EpcError
from readers.epc.identity import Identity, key_of
from readers.epc.plus_segments import DATE_KINDS
from readers.epc.tables import FAMILIES, SCHEMES, Family
from readers.epc.text import DIGITS, require, require_check_digit, to_plain_integer, unescape

TAG_URI, PURE_IDENTITY = "urn:epc:tag:", "urn:epc:id:"
_FAMILY_OF_AI: Mapping[str, Family] = {family.key_ai: family for family in FAMILIES.values()}
_LEADING_AI = re.compile(r"\(([0-9]{2,4})\)")
_TRAILING_DATE = re.compile(rf"\(({'|'.join(DATE_KINDS.values())})\)([0-9]{{6}})$")


@dataclass(frozen=True, slots=True)
class Named:
    """What a text names.

    Args:
        scheme, filter: None where the text has none.
    """

    identity: Identity
    scheme: str | None = None
    filter: int | None = None


def read_text(text: str) -> Named:
    """The thing a text names.

    Raises:
        EpcError: it is none of the four forms, or breaks the rules of its own; one line.
    """
    if text.startswith(TAG_URI):
        return _read_tag_uri(text)
    if text.startswith(PURE_IDENTITY):
        return Named(_read_pure_identity(text))
    if text.startswith("("):
        return Named(_read_element_string(text))
    if text.startswith(("https://", "http://")):
        return Named(_read_digital_link(text))
    raise EpcError(f"{text!r} is no tag URI, pure identity URI, element string like (01)…(21)… or GS1 Digital Link")


def _read_tag_uri(text: str) -> Named:
    name, _, body = text.removeprefix(TAG_URI).partition(":")
    row = SCHEMES.get(name)
    if row is None or row.is_plus:
        known = ", ".join(row.name for row in SCHEMES.values() if not row.is_plus)
        raise EpcError(f"{name!r} in {text!r} is no scheme of a tag URI; known: {known}")
    first = ("filter",) if row.filter_bits else ()
    fields = _split_body(text, body, (*first, *row.names))
    filter_value = to_plain_integer(fields[0]) if first else None
    return Named(_identity_of(row.family, fields[len(first) :]), row.name, filter_value)


def _read_pure_identity(text: str) -> Identity:
    name, _, body = text.removeprefix(PURE_IDENTITY).partition(":")
    row = next((row for row in SCHEMES.values() if row.family == name), None)
    if row is None:
        known = dict.fromkeys(row.family for row in SCHEMES.values())
        raise EpcError(f"{name!r} in {text!r} is no identity we know; known: {', '.join(known)}")
    return _identity_of(name, _split_body(text, body, row.names))


def _identity_of(name: str, fields: tuple[str, ...]) -> Identity:
    """The thing that company prefix, reference and the rest name."""
    family = FAMILIES.get(name)
    if family is None:
        return Identity(name, "", fields)
    prefix, reference, *rest = fields
    require(prefix, DIGITS, 6, 12)
    if family.key_digits is not None:
        wanted = family.key_digits - len(family.lead) - 1 - len(prefix)
        require(reference, DIGITS, wanted, wanted)
    return Identity(name, key_of(family, prefix, reference), tuple(rest), len(prefix))


def _split_body(text: str, body: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Only the last field of any scheme may have a dot of its own."""
    parts = body.split(".", maxsplit=len(names) - 1)
    if len(parts) != len(names):
        raise EpcError(f"{text!r} should have {', '.join(name.replace('_', ' ') for name in names)}, parted by dots")
    return tuple(map(unescape, parts))


def _read_element_string(text: str) -> Identity:
    date = _TRAILING_DATE.search(text) if text.startswith("(01)") else None
    values = [(date[1], date[2])] if date else []
    body = text[: date.start()] if date else text
    leading = _LEADING_AI.match(body)
    family = _FAMILY_OF_AI.get(leading[1]) if leading else None
    if leading is None or family is None:
        raise EpcError(f"{text!r} does not begin with one of ({'), ('.join(_FAMILY_OF_AI)})")
    value, parted, serial = body[leading.end() :].partition(f"({family.serial_ai})")
    if parted and family.serial_ai:
        values.append((family.serial_ai, serial))
    return _from_identifiers(text, family, [(family.key_ai, value), *values])


def _read_digital_link(text: str) -> Identity:
    try:
        address = urlsplit(text)
    except ValueError as error:
        raise EpcError(f"{text!r} is no web address: {error}") from error
    steps = address.path.strip("/").split("/")
    starts = [place for place, step in enumerate(steps) if step in _FAMILY_OF_AI and (len(steps) - place) % 2 == 0]
    if not starts:
        raise EpcError(f"{text!r} has none of /{', /'.join(_FAMILY_OF_AI)} with a value")
    steps = steps[starts[0] :]
    pairs = [(steps[place], unquote(steps[place + 1])) for place in range(0, len(steps), 2)]
    pairs += [(name, value) for name, value in parse_qsl(address.query) if name.isdigit()]
    return _from_identifiers(text, _FAMILY_OF_AI[steps[0]], pairs)


def _from_identifiers(text: str, family: Family, pairs: list[tuple[str, str]]) -> Identity:
    """The thing that a key's identifier and its companions name, in any order behind the key."""
    (_, value), *others = pairs
    serial, date = family.no_serial, None
    for identifier, other in others:
        if identifier == family.serial_ai:
            serial = other
        elif identifier in DATE_KINDS.values() and family.name == "sgtin" and date is None:
            date = (identifier, other)
        else:
            named = f"({identifier})" if set(identifier) <= DIGITS else repr(identifier)
            raise EpcError(f"{named} in {text!r} is no part of an EPC of ({family.key_ai}); leave it out")
    if family.serial_ai is not None and serial is None:
        raise EpcError(f"{text!r} has no ({family.serial_ai}): only a thing with its serial has an EPC")
    rest = []
    if family.key_digits is not None:
        value, left = value[: family.key_digits], value[family.key_digits :]
        _check_key(family, value)
        for width in family.written_behind:
            rest.append(left[:width])
            left = left[len(rest[-1]) :]
        if left:
            raise EpcError(f"{text!r} has {left!r} too much")
    return Identity(family.name, value, (*rest, *((serial,) if serial is not None else ())), date=date)


def _check_key(family: Family, key: str) -> None:
    digits = family.key_digits or 0
    require(key, DIGITS, digits, digits)
    if not key.startswith(family.lead):
        raise EpcError(f"({family.key_ai}){key} does not begin with {family.lead}")
    require_check_digit(key)
