import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.epc import Gsrn96, Gsrnp96, Raw, Sgtin96, check_digit, decode, encode, parse_tag_uri
from readers.epc.tables import PREFIX_BITS, PREFIX_DIGITS, SCHEME_OF_HEADER, SCHEMES
from tests.readers.vectors import load

VECTORS = load("epc-tds")
KNOWN = [vector for vector in VECTORS if vector.valid and vector.decoded["scheme"] in SCHEMES]
OTHER = [vector for vector in VECTORS if vector.valid and vector.decoded["scheme"] not in SCHEMES]


@pytest.mark.parametrize("vector", KNOWN, ids=str)
def test_a_published_epc_is_read_and_written_as_published(vector):
    key = decode(vector.raw)
    assert key.scheme == vector.decoded["scheme"]
    assert key.tag_uri == vector.decoded["tag_uri"]
    assert key.pure_identity == vector.decoded["pure_identity_uri"]
    assert key.filter == vector.decoded["filter"]
    assert key.element_string == vector.decoded.get("gs1_element_string", key.element_string)
    assert encode(key) == vector.raw
    assert parse_tag_uri(key.tag_uri) == key


def test_there_are_vectors_of_every_scheme():
    assert {vector.decoded["scheme"] for vector in KNOWN} == set(SCHEMES)


@pytest.mark.parametrize("vector", OTHER, ids=str)
def test_a_scheme_we_do_not_know_is_carried_raw(vector):
    assert decode(vector.raw) == Raw(vector.raw, "no known header")


@pytest.mark.parametrize("vector", [v for v in VECTORS if v.decoded.get("target_scheme") in SCHEMES], ids=str)
def test_what_a_scheme_cannot_carry_is_refused(vector):
    body = vector.decoded["pure_identity_uri"].split(":", 4)[4]
    with pytest.raises(ValueError):
        parse_tag_uri(f"urn:epc:tag:{vector.decoded['target_scheme']}:0.{body}")


def test_the_published_erratum_carries_the_filter_it_carries():
    assert decode(bytes.fromhex("2d14257bf4499602d2000000")).filter == 0


def test_the_goods_and_cards_of_a_store():
    goods = decode(bytes.fromhex("3034257bf400cb0000000001"))
    assert isinstance(goods, Sgtin96)
    assert (goods.gtin14, goods.serial) == ("00614141008124", 1)
    assert isinstance(decode(bytes.fromhex("2d14257bf52cb6916d000000")), Gsrn96)
    assert isinstance(decode(bytes.fromhex("2e14257bf4499602d2000000")), Gsrnp96)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no known header"),
        ("e28011700000020f1234abcd", "no known header"),
        ("3074257bf7194e4000001a", "88 bits, sgtin-96 has 96"),
        ("307c257bf7194e4000001a85", "partition 7"),
        ("2d74257bf4499602d2000001", "spare bits"),
        ("3003ffffffffff4000000001", "more digits"),
    ],
)
def test_what_breaks_its_scheme_is_raw_with_the_reason(text, why):
    raw = decode(bytes.fromhex(text))
    assert isinstance(raw, Raw)
    assert why in raw.why
    assert raw.tag_uri == f"urn:epc:raw:{len(text) * 4}.x{text.upper()}"


@given(st.sampled_from(sorted(SCHEME_OF_HEADER)), st.binary(min_size=11, max_size=11))
def test_what_is_no_raw_comes_back_bit_for_bit(header, rest):
    epc = bytes([header]) + rest
    key = decode(epc)
    assert isinstance(key, Raw) or encode(key) == epc


@given(st.binary(max_size=62))
def test_no_epc_is_an_error(epc):
    assert decode(epc).tag_uri


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (Sgtin96(8, "0614141", "812345", 1), "filter 8"),
        (Sgtin96(1, "06141", "812345", 1), "company prefix"),
        (Sgtin96(1, "0614141", "81234", 1), "must be 6 digits"),
        (Sgtin96(1, "0614141", "81234x", 1), "must be 6 digits"),
        (Sgtin96(1, "0614141", "812345", 1 << 38), "does not fit 38 bits"),
        (Sgtin96(1, "0614141", "812345"), "has a serial"),
        (Gsrn96(0, "0614141", "1234567890", 1), "has no serial"),
    ],
)
def test_a_key_that_no_tag_can_carry_is_refused(key, why):
    with pytest.raises(ValueError, match=why):
        encode(key)


@pytest.mark.parametrize("uri", ["", "urn:epc:id:sgtin:0614141.812345.1", "urn:epc:tag:sgtin-96:3.0614141.812345"])
def test_no_tag_uri(uri):
    with pytest.raises(ValueError):
        parse_tag_uri(uri)


def test_check_digits_of_the_general_specifications():
    assert check_digit("629104150021") == "3"
    assert check_digit("37610425002123456") == "9"


def test_every_row_of_the_tables_fills_its_bits_and_digits():
    for scheme in SCHEMES.values():
        for partition in range(7):
            bits = 14 + PREFIX_BITS[partition] + scheme.reference_bits[partition]
            assert bits + scheme.serial_bits + scheme.padding_bits == scheme.total_bits
            digits = PREFIX_DIGITS[partition] + scheme.reference_digits[partition]
            assert digits == PREFIX_DIGITS[0] + scheme.reference_digits[0]
