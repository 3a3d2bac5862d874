"""What holds for every key and for any bytes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readers.epc import EpcError, Key, Raw, decode, describe, encode, parse
from readers.epc.tables import CARRIED_RAW, SCHEME_OF_HEADER, SCHEMES
from tests.readers.epc.keys import ANY_KEY, FIELDS, keys

HEADERS = sorted({*SCHEME_OF_HEADER, *CARRIED_RAW, 0x42, 0xFF})


def test_every_scheme_is_drawn():
    assert set(FIELDS) == set(SCHEMES)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
@settings(max_examples=30)
def test_a_key_comes_back_from_its_epc(scheme, data):
    key = data.draw(keys(scheme))
    epc = encode(key)
    read = decode(epc)
    assert isinstance(read, Key)
    # what is behind a set data toggle goes on to the end of the words
    assert replace(read, aidc_bits=read.aidc_bits[: len(key.aidc_bits)]) == key
    assert set(read.aidc_bits[len(key.aidc_bits) :]) <= {"0"}
    assert encode(read) == epc
    assert len(epc) % 2 == 0


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
@settings(max_examples=20)
def test_a_flipped_bit_is_raw_or_another_key_with_exactly_these_bits(scheme, data):
    epc = bytearray(encode(data.draw(keys(scheme))))
    bit = data.draw(st.integers(0, len(epc) * 8 - 1))
    epc[bit // 8] ^= 0x80 >> bit % 8
    read = decode(bytes(epc))
    assert isinstance(read, Raw) or encode(read).ljust(len(epc), b"\0") == epc


@given(st.sampled_from(HEADERS), st.binary(max_size=61))
def test_any_bytes_are_a_key_with_exactly_these_bits_or_raw(header, rest):
    epc = bytes([header]) + rest
    read = decode(epc)
    if isinstance(read, Raw):
        assert read.epc == epc
        assert read.why
        assert read.gtin is None
    else:
        longest = max(len(epc), len(encode(read)))
        assert encode(read).ljust(longest, b"\0") == epc.ljust(longest, b"\0")
    assert describe(read)["scheme"]


@given(st.binary(max_size=62))
def test_no_epc_is_an_error(epc):
    describe(decode(epc))


@given(ANY_KEY)
def test_zeros_behind_an_epc_change_nothing_and_a_lost_word_or_a_bit_behind_it_makes_it_raw(key):
    epc = encode(replace(key, data_toggle=0, aidc_bits=""))
    assert decode(epc + bytes(6)) == decode(epc)
    assert isinstance(decode(epc + bytes(5) + b"\1"), Raw)
    shorter = decode(epc[:-2])
    assert isinstance(shorter, Raw) or not any(epc[-2:])


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
@settings(max_examples=20)
def test_one_field_too_long_or_of_strange_characters_is_refused(scheme, data):
    key = data.draw(keys(scheme))
    at = data.draw(st.integers(0, len(key.fields) - 1))
    for wrong in ("9" * 35, key.fields[at] + "é", key.fields[at] + "\0", "~", "-1", "１"):
        fields = (*key.fields[:at], wrong, *key.fields[at + 1 :])
        if wrong == "-1" and SCHEMES[scheme].names[at] in (
            "serial",
            "extension",
            "asset_reference",
            "part_reference",
            "part",
        ):
            continue  # a fine text
        with pytest.raises(EpcError):
            encode(replace(key, fields=fields))


@given(ANY_KEY)
def test_a_filter_too_high_or_missing_is_refused(key):
    for wrong in (-1, 64) if key.scheme == "adi-var" else (-1, 8):
        with pytest.raises(EpcError):
            encode(replace(key, filter=wrong))
    if key.filter is not None:
        with pytest.raises(EpcError):
            encode(replace(key, filter=None))


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
@settings(max_examples=20)
def test_each_form_names_the_same_thing(scheme, data):
    key = data.draw(keys(scheme))
    known = {"filter_value": key.filter, "prefix_digits": key.identity.prefix_digits}
    forms = (key.tag_uri, key.pure_identity, key.element_string, key.digital_link)
    for form in filter(None, forms):
        read = parse(form, scheme, **known)
        assert read.identity == key.identity
        assert SCHEMES[scheme].is_plus or read == key


@given(ANY_KEY)
def test_all_schemes_of_a_family_that_can_carry_a_thing_name_it_alike(key):
    for row in SCHEMES.values():
        if row.family != key.row.family:
            continue
        try:
            other = parse(key.tag_uri or key.element_string, row.name, prefix_digits=key.identity.prefix_digits)
        except EpcError:
            continue
        assert (other.gtin, other.element_string) == (key.gtin, key.element_string)
