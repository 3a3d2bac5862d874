"""A thing that a text names -> the key of a scheme."""

from dataclasses import replace

from readers.epc.bits import EpcError
from readers.epc.codec import decode, encode, find_scheme
from readers.epc.identity import Identity, split_key
from readers.epc.keys import ENCODING, Key
from readers.epc.tables import DEPRECATED, FAMILIES, SCHEMES, Scheme
from readers.epc.texts import read_text


def parse(
    text: str, scheme: str | None = None, *, filter_value: int | None = None, prefix_digits: int | None = None
) -> Key:
    """The key that a text names, ready for a tag: `encode` will not refuse it.

    Without a scheme it is the text's own, else the shortest of the family that can carry the thing; the "+" schemes are
    taken only by name, since not all software in the field knows them.

    Args:
        text: tag URI, pure identity URI, element string with parentheses, or GS1 Digital Link.
        filter_value: instead of the text's own, else 0.
        prefix_digits: of the company prefix, 6 to 12.  Element strings and Digital Links do not tell it, and the schemes
            that are no "+" ones need it.

    Raises:
        EpcError: no such text, or nothing that the scheme can carry; one line.
    """
    named = read_text(text)
    identity = named.identity
    if prefix_digits is not None:
        if identity.prefix_digits not in (None, prefix_digits):
            raise EpcError(f"{text!r} has a company prefix of {identity.prefix_digits} digits, not {prefix_digits}")
        identity = replace(identity, prefix_digits=prefix_digits)
    chosen = named.filter if filter_value is None else filter_value
    if named.scheme is not None:  # a tag URI has to be right by itself, whatever else is asked for
        _exactly(identity, find_scheme(named.scheme), named.filter)
    name = scheme or named.scheme
    return _shortest(identity, chosen) if name is None else _exactly(identity, find_scheme(name), chosen)


def to_key(identity: Identity, scheme: Scheme, filter_value: int | None = None) -> Key:
    """A thing as a scheme carries it.

    Args:
        filter_value: None is 0 where there is a filter.

    Raises:
        EpcError: the scheme cannot carry it.
    """
    if scheme.family != identity.family:
        raise EpcError(f"{scheme.name} carries no {identity.family}")
    if filter_value is None and scheme.filter_bits:
        filter_value = 0
    key = decode(encode(Key(scheme.name, _fields(identity, scheme), filter_value)))
    assert isinstance(key, Key)  # what is written can be read; the text encodings have been chosen
    return key


def _fields(identity: Identity, scheme: Scheme) -> tuple[str, ...]:
    family = FAMILIES.get(identity.family)
    if family is None:
        return identity.rest
    if ("date" in scheme.names) != (identity.date is not None):
        needs = "needs a date, as (17)271231" if identity.date is None else "carries no date, dsgtin+ does"
        raise EpcError(f"{scheme.name} {needs}")
    if scheme.is_plus:
        left = [*(identity.date or ()), identity.key, *identity.rest]
        return tuple("" if name.endswith(ENCODING) else left.pop(0) for name in scheme.names)
    if identity.prefix_digits is None:
        raise EpcError(f"{scheme.name} needs the company prefix length (6 to 12)")
    return *split_key(family, identity.key, identity.prefix_digits), *identity.rest


def _exactly(identity: Identity, scheme: Scheme, filter_value: int | None) -> Key:
    """As `to_key`; a refusal names the schemes that would do."""
    try:
        return to_key(identity, scheme, filter_value)
    except EpcError as error:
        able = [row.name for row in SCHEMES.values() if _carries(identity, row, filter_value)]
        raise EpcError(f"{error}; {' or '.join(able)} can carry it" if able else str(error)) from error


def _carries(identity: Identity, row: Scheme, filter_value: int | None) -> bool:
    try:
        to_key(identity, row, filter_value)
    except EpcError:
        return False
    return row.name not in DEPRECATED


def _shortest(identity: Identity, filter_value: int | None) -> Key:
    rows = [row for row in SCHEMES.values() if row.family == identity.family and row.name not in DEPRECATED]
    able = [row for row in rows if ("date" in row.names if identity.date else not row.is_plus)]
    for row in able[:-1]:
        try:
            return to_key(identity, row, filter_value)
        except EpcError:  # the last one takes most, and its refusal tells most
            continue
    return _exactly(identity, able[-1], filter_value)
