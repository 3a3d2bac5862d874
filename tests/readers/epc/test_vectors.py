"""Published EPCs, both ways; published mistakes; what is no EPC."""

import ast
import json
import sys
from pathlib import Path

import pytest

from readers.epc import EpcError, Key, Raw, check_digit, decode, describe, encode, parse
from readers.epc.segments import PREFIX_BITS, PREFIX_DIGITS, Partition
from readers.epc.tables import FAMILIES, SCHEMES
from tests.readers.vectors import load

VECTORS = load("epc-tds")
VALID = [vector for vector in VECTORS if vector.valid]
REFUSED = [vector for vector in VECTORS if "target_scheme" in vector.decoded]
MORE = Path(__file__).parents[4] / "shared" / "data" / "epc-vectors" / "one-per-scheme.json"

# GS1 TDS 2.3, section E.3, element string or tag URI and hex as printed; the "+" ones to their last whole digit
STANDARD = """
SGTIN-96  3066C4409047E140075BCD15 (01)09506000134352(21)123456789
SGTIN-198 3666C4409047E159B2C2BF100000000000000000000000000000 (01)09506000134352(21)32a/b
SGTIN+    F73795211411234538566CB0AFC4 (01)79521141123453(21)32a/b
DSGTIN+   FB342CDE795211411234538566CB0AFC4 (01)79521141123453(21)32a/b(17)220630
SSCC-96   311BA1B300CE0A6A83000000 (00)095201234567891235
SSCC+     F90095201234567891235 (00)095201234567891235
SGLN-96   3276451FD46072000000162E (414)9521141123454(254)5678
SGLN-195  3976451FD46072CD9615F8800000000000000000000000000000 (414)9521141123454(254)32a/b
SGLN+     F2395211411234548566CB0AFC4 (414)9521141123454(254)32a/b
GRAI-96   3376451FD40C0E400000162E (8003)095211411234545678
GRAI-170  3776451FD40C0E59B2C2BF1000000000000000000000 (8003)0952114112345432a/b
GRAI+     F13095211411234548566CB0AFC4 (8003)0952114112345432a/b
GIAI-96   3476451FD40000000000162E (8004)95211415678
GIAI-202  3876451FD59B2C2BF10000000000000000000000000000000000 (8004)952114132a/b
GIAI+     FA3952114132E83C2BF10 (8004)952114132a/b
GSRN-96   2D76451FD4499602D2000000 (8018)952114112345678906
GSRN+     F43952114112345678906 (8018)952114112345678906
GSRNP-96  2E76451FD4499602D2000000 (8017)952114112345678906
GSRNP+    F53952114112345678906 (8017)952114112345678906
GDTI-96   2C76451FD46072000000162E (253)95211411234545678
GDTI-174  3E76451FD7039B061438997367D0C18B266D1AB66EE0 (253)9521141987650ABCDefgh012345678
GDTI+     F6395211411234540458B8 (253)95211411234545678
CPI-96    3C76451FD400C0E680003039 (8010)952114198765(8011)12345
CPI-var   3D76451FD75411DEF6B4CC00000003039000 (8010)95211415PQ7/Z43(8011)12345
CPI+      F0395211415E87A145BAFB4D19A8C0E4 (8010)95211415PQ7/Z43(8011)12345
SGCN-96   3F76451FD612640000019907 (255)952114167890904711
SGCN+     F839521141678909509338 (255)952114167890904711
ITIP-110  4076451FD40C0E40820000000F54 (8006)095211411234540102(21)981
ITIP-212  4176451FD40C0E4082DBDD8B36600000000000000000000000000000 (8006)095211411234540102(21)mw133
ITIP+     F3309521141123454010266AE27FDF35 (8006)095211411234540102(21)rif981
GID-96    3500E86F8000A9E000000586 urn:epc:tag:gid-96:952056.2718.1414
ADI-var   3B0E0CF5E76C9047759AD00373DC7602E7200 urn:epc:tag:adi-var:3.35962.PQ7VZ4.M37GXB92
"""
EXAMPLES = [line.split() for line in STANDARD.strip().splitlines()]


def in_words(epc: bytes) -> bytes:
    """Published hex may end at the last digit that says something; a tag's EPC ends with a word."""
    return epc + bytes(len(epc) % 2)


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_a_published_epc_is_read_and_written_as_published(vector):
    key = decode(vector.raw)
    assert describe(key).items() >= vector.decoded.items()
    assert encode(key) == in_words(vector.raw)


@pytest.mark.parametrize("vector", VALID, ids=str)
def test_each_published_form_gives_the_published_epc(vector):
    key = decode(vector.raw)
    for name in ("tag_uri", "pure_identity_uri", "gs1_element_string", "gs1_digital_link"):
        if name in vector.decoded:
            read = parse(
                vector.decoded[name],
                vector.decoded["scheme"],
                filter_value=key.filter,
                prefix_digits=key.identity.prefix_digits,
            )
            assert encode(read) == in_words(vector.raw)


@pytest.mark.parametrize(("scheme", "printed", "text"), EXAMPLES, ids=[example[0] for example in EXAMPLES])
def test_the_standards_own_examples_both_ways(scheme, printed, text):
    epc = in_words(bytes.fromhex(printed + "0" * (len(printed) % 2)))
    key = decode(epc)
    assert (key.scheme, key.element_string or key.tag_uri) == (scheme.lower(), text)
    assert encode(key) == epc
    written = parse(text, scheme.lower(), filter_value=key.filter, prefix_digits=key.identity.prefix_digits)
    assert encode(written) == epc


def test_there_are_examples_of_every_scheme_but_the_deprecated_one():
    assert {example[0].lower() for example in EXAMPLES} == set(SCHEMES) - {"gdti-113"}


def test_dates_stand_behind_a_digital_link():
    key = decode(bytes.fromhex("fb342cde795211411234538566cb0afc4000"))
    assert key.digital_link == "https://id.gs1.org/01/79521141123453/21/32a%2Fb?17=220630"
    assert parse(key.digital_link, filter_value=3) == key
    assert key.gtin == "79521141123453"


@pytest.mark.parametrize("vector", REFUSED, ids=lambda vector: vector.decoded["pure_identity_uri"])
def test_what_a_scheme_cannot_carry_is_refused_and_its_longer_brother_named(vector):
    uri, scheme = vector.decoded["pure_identity_uri"], vector.decoded["target_scheme"]
    with pytest.raises(EpcError, match=f"^{scheme}: .*; .* can carry it$"):
        parse(uri, scheme)
    assert parse(uri).scheme not in (scheme, None)
    assert parse(uri).pure_identity == uri


def test_the_published_erratum_carries_the_filter_it_carries():
    (vector,) = [vector for vector in VECTORS if "claimed_tag_uri" in vector.decoded]
    assert decode(vector.raw).tag_uri == vector.decoded["actual_tag_uri"]


@pytest.mark.skipif(not MORE.exists(), reason="the further vectors are not here")
def test_one_more_epc_of_each_scheme():
    rows = [row for row in json.loads(MORE.read_text())["valid_test_data"] if "hex" in row] if MORE.exists() else []
    for row in rows:
        key = decode(bytes.fromhex(row["hex"]))
        if row["scheme"] == "USDOD":
            assert key.why == "header 2F is usdod-96, not read here"
            continue
        assert (key.tag_uri, key.pure_identity) == (row["tag_uri"], row["uri"])
        assert row.get("gs1_element_string", key.element_string) == key.element_string
        assert encode(parse(row["tag_uri"])).hex().upper() == row["hex"]
    assert len(rows) > 10


def test_the_goods_and_cards_of_a_store():
    goods = decode(bytes.fromhex("3034257bf400cb0000000001"))
    assert (goods.gtin, goods.fields[-1], goods.filter_meaning) == ("00614141008124", "1", "point of sale item")
    assert decode(bytes.fromhex("2d14257bf52cb6916d000000")).row.family == "gsrn"
    assert decode(bytes.fromhex("2e14257bf4499602d2000000")).row.family == "gsrnp"
    assert decode(bytes.fromhex("f43952114112345678906000")).gtin is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no header"),
        ("e28011700000020f1234abcd", "header E2 is a chip's own number, not read here"),
        ("fd3795211411234538566cb0afc525065f1876f0d996d800", "header FD is sgtin++, not read here"),
        ("ef0095201234567891235928", "header EF is sscc++"),
        ("420000000000000000000000", "header 42 is none we know"),
        ("3074257bf7194e4000001a", "sgtin-96: serial: ends 8 bits too early"),
        ("3074257bf7194e4000001a850001", "sgtin-96: bits that are not zero follow its end"),
        ("307c257bf7194e4000001a85", "partition 7"),
        ("2d74257bf4499602d2000001", "gsrn-96: the spare bits are not zero"),
        ("3003ffffffffff4000000001", "has more than 12 digits"),
        ("3600000000000000000000000000000000000000000000000000", "serial: '' has 0 characters, not 1 to 20"),
        ("36500001db011160808400000000000000000000000000000000", r"'A\x00B' has '\x00'"),
        ("3814257bf58c1858d7c400000000000000000000000000000040", "the bits behind the text are not zero"),
        ("3c000000000005f400000001", "1000 has more than 3 digits"),
        ("3f74257bf46072000000162e", "5678 is not a 1 and then digits"),
        ("3f74257bf460720000000001", "1 is not a 1 and then digits"),
        ("407000000000000fff00000000000000", "more than 2 digits"),
        ("f73795211411234638566cb0afc4", "check digit of 79521141123463 should be"),
        ("f7379521141a234538566cb0afc4", "'A', which is not allowed"),
        ("f7379521141123453c5000000000", "encoding 6 is reserved"),
        ("f737952114112345301a", "10 has more than 1 digits"),
        ("f7379521141123453a200010", "three characters of URN code 40 are none"),
        ("f73795211411234538148000", "0x24 is no character"),
        ("f73795211411234538146000", "'#', which is not allowed"),
        ("f839521141678909d00000000000", "13 digits, not 1 to 12"),
        ("f737952114112345300000000000", "0 characters, not 1 to 20"),
        ("f4395211411234567890a000", "which is not allowed"),
        ("fa3952e82c388000", "'952ab' does not begin with 4 digits"),
        ("fa39521e82638800", "'1b' behind the digits begins with a digit"),
        ("fa3952114132d83c2bf10000", "neither digit nor end"),
        ("fb382cde795211411234538566cb0afc4000", "date indicator 8 is reserved"),
        ("fb342da179521141123453011000", "221301 is no date YYMMDD"),
        ("fb342c5e79521141123453011000", "220230 is no date YYMMDD"),
        ("fb34c84179521141123453011000", "'1000201' has 7 characters"),
        ("3b0e0241041040040000", "'IAAAA' has 'I'"),
        ("f13195211411234548566cb0afc4", "does not begin with 0"),
    ],
)
def test_what_breaks_its_scheme_is_raw_with_the_reason(text, why):
    raw = decode(bytes.fromhex(text))
    assert isinstance(raw, Raw)
    assert why in raw.why
    assert describe(raw) == {
        "scheme": "raw",
        "tag_uri": f"urn:epc:raw:{len(text) * 4}.x{text.upper()}",
        "why": raw.why,
    }


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (Key("sgtin-96", ("0614141", "812345", "1"), 8), "filter is a number from 0 to 7"),
        (Key("gid-96", ("1", "2", "3"), 0), "it has no filter"),
        (Key("sgtin-96", ("06141", "812345", "1"), 1), "5 characters, not 6 to 12"),
        (Key("sgtin-96", ("0614141", "81234", "1"), 1), "5 characters, not 6"),
        (Key("sgtin-96", ("0614141", "812345"), 1), "has the fields company_prefix, item_reference, serial"),
        (Key("sgtin-97", ("0614141", "812345", "1"), 1), "unknown scheme 'sgtin-97'; known: sgtin-96"),
        (Key("sgtin-96", ("0614141", "812345", "1"), 1, data_toggle=1), "only the \\+ schemes"),
        (Key("gsrn+", ("952114112345678906",), 1, aidc_bits="1"), "needs the data toggle"),
        (Key("gsrn+", ("952114112345678906",), 1, 1, "012"), "as 0 and 1"),
        (Key("gsrn+", ("952114112345678906",), 1, 1, "0" * 413), "an EPC bank holds 496"),
        (Key("sgtin+", ("79521141123453", "abc", "0"), 1), "encoding 0 cannot carry 'abc'"),
        (Key("giai+", ("95211415678", "3"), 1), "all digits"),
        (Key("adi-var", ("W81X9C", "3KL#", "2"), 1), "may only lead"),
        (Key("dsgtin+", ("12", "220630", "79521141123453", "1", ""), 1), r"\(12\) is no date"),
    ],
)
def test_a_key_that_no_tag_can_carry_is_refused(key, why):
    with pytest.raises(EpcError, match=why):
        encode(key)


@pytest.mark.parametrize(
    ("scheme", "fields", "at", "highest"),
    [
        ("sgtin-96", ("0614141", "812345", ""), 2, 2**38 - 1),
        ("grai-96", ("0614141", "12345", ""), 2, 2**38 - 1),
        ("itip-110", ("0614141", "812345", "01", "02", ""), 4, 2**38 - 1),
        ("sgln-96", ("0614141", "12345", ""), 2, 2**41 - 1),
        ("gdti-96", ("0614141", "12345", ""), 2, 2**41 - 1),
        ("giai-96", ("012345678901", ""), 1, 2**42 - 1),
        ("giai-96", ("012345", ""), 1, 2**62 - 1),
        ("cpi-96", ("012345678901", "1", ""), 2, 2**31 - 1),
        ("cpi-96", ("012345678901", "", "1"), 1, 999),
        ("cpi-var", ("012345678901", "A", ""), 2, 10**12 - 1),
        ("gid-96", ("", "1", "1"), 0, 2**28 - 1),
        ("gid-96", ("1", "", "1"), 1, 2**24 - 1),
        ("gid-96", ("1", "1", ""), 2, 2**36 - 1),
        ("itip-110", ("0614141", "812345", "", "02", "1"), 2, 99),
    ],
)
def test_the_highest_number_fits_and_the_next_does_not(scheme, fields, at, highest):
    def key(value: int) -> Key:
        return Key(scheme, (*fields[:at], str(value), *fields[at + 1 :]), None if scheme == "gid-96" else 0)

    assert decode(encode(key(highest))) == key(highest)
    with pytest.raises(EpcError):
        encode(key(highest + 1))


@pytest.mark.parametrize(
    ("scheme", "fields", "at", "longest"),
    [
        ("sgtin-198", ("0614141", "812345", ""), 2, 20),
        ("sgtin+", ("79521141123453", "", "4"), 1, 20),
        ("sgln-195", ("0614141", "12345", ""), 2, 20),
        ("sgln+", ("9521141123454", "", "4"), 1, 20),
        ("grai-170", ("0614141", "12345", ""), 2, 16),
        ("grai+", ("09521141123454", "", "4"), 1, 16),
        ("giai-202", ("012345678901", ""), 1, 18),
        ("giai-202", ("012345", ""), 1, 24),
        ("gdti-174", ("0614141", "12345", ""), 2, 17),
        ("gdti+", ("9521141123454", "", "4"), 1, 17),
        ("itip-212", ("0614141", "812345", "01", "02", ""), 4, 20),
        ("itip+", ("79521141123453", "01", "02", "", "4"), 3, 20),
        ("cpi-var", ("012345678901", "", "1"), 1, 18),
        ("cpi-var", ("012345", "", "1"), 1, 24),
        ("adi-var", ("W81X9C", "", "1"), 1, 32),
        ("adi-var", ("W81X9C", "1", ""), 2, 30),
    ],
)
def test_the_longest_text_fits_and_a_longer_one_does_not(scheme, fields, at, longest):
    def key(length: int) -> Key:
        return Key(scheme, (*fields[:at], "A" * length, *fields[at + 1 :]), 0)

    assert decode(encode(key(longest))) == key(longest)
    with pytest.raises(EpcError, match=f"has {longest + 1} characters"):
        encode(key(longest + 1))


@pytest.mark.parametrize(("scheme", "longest"), [("giai+", 30), ("cpi+", 30)])
def test_the_longest_reference_of_a_plus_scheme(scheme, longest):
    serial = ("1",) if scheme == "cpi+" else ()
    text = "9521" + "A" * (longest - 4)
    assert decode(encode(Key(scheme, (text, "3", *serial), 0))).fields[0] == text
    with pytest.raises(EpcError, match="31 characters"):
        encode(Key(scheme, (text + "A", "3", *serial), 0))


@pytest.mark.parametrize(("scheme", "longest"), [("gdti-113", 17), ("sgcn-96", 12), ("sgcn+", 12), ("cpi+", 12)])
def test_the_most_digits_that_keep_their_zeros(scheme, longest):
    fields = {"gdti-113": ("0614141", "12345"), "sgcn-96": ("0614141", "12345"), "sgcn+": ("9521141678909",)}
    fields["cpi+"] = ("95211415", "")

    def key(length: int) -> Key:
        return Key(scheme, (*fields[scheme], "0" * length), 0)

    assert decode(encode(key(longest))) == key(longest)
    with pytest.raises(EpcError, match=f"has {longest + 1} characters"):
        encode(key(longest + 1))


def test_check_digits_of_the_general_specifications():
    assert check_digit("629104150021") == "3"
    assert check_digit("37610425002123456") == "9"


def test_bits_and_digits_are_those_of_the_partition_tables():
    """Written down as the standard prints them, by partition 0 to 6."""
    printed = {
        "sgtin-96": ((4, 7, 10, 14, 17, 20, 24), (1, 2, 3, 4, 5, 6, 7)),
        "itip-110": ((4, 7, 10, 14, 17, 20, 24), (1, 2, 3, 4, 5, 6, 7)),
        "sscc-96": ((18, 21, 24, 28, 31, 34, 38), (5, 6, 7, 8, 9, 10, 11)),
        "gsrn-96": ((18, 21, 24, 28, 31, 34, 38), (5, 6, 7, 8, 9, 10, 11)),
        "grai-96": ((4, 7, 10, 14, 17, 20, 24), (0, 1, 2, 3, 4, 5, 6)),
        "sgln-96": ((1, 4, 7, 11, 14, 17, 21), (0, 1, 2, 3, 4, 5, 6)),
        "gdti-96": ((1, 4, 7, 11, 14, 17, 21), (0, 1, 2, 3, 4, 5, 6)),
        "sgcn-96": ((1, 4, 7, 11, 14, 17, 21), (0, 1, 2, 3, 4, 5, 6)),
        "giai-96": ((42, 45, 48, 52, 55, 58, 62), (13, 14, 15, 16, 17, 18, 19)),
        "giai-202": ((148, 151, 154, 158, 161, 164, 168), (18, 19, 20, 21, 22, 23, 24)),
        "cpi-96": ((11, 14, 17, 21, 24, 27, 31), (3, 4, 5, 6, 7, 8, 9)),
    }
    for name, (bits, digits) in printed.items():
        partition = SCHEMES[name].segments[0]
        assert isinstance(partition, Partition)
        assert tuple(partition.size_bits - prefix for prefix in PREFIX_BITS) == bits
        assert tuple(partition.digits - prefix for prefix in PREFIX_DIGITS) == digits


def test_every_family_has_its_schemes_and_every_scheme_its_name_in_lower_case():
    assert {row.family for row in SCHEMES.values()} == {*FAMILIES, "gid", "adi"}
    assert len({row.header for row in SCHEMES.values()}) == len(SCHEMES)
    for row in SCHEMES.values():
        assert row.name == row.name.lower()
        assert row.family in row.name


def test_the_package_is_a_leaf():
    """Anyone may import it, so it imports nothing else of ours, and no I/O."""
    for file in (Path(__file__).parents[3] / "readers" / "epc").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                outside = name.split(".")[0] in sys.stdlib_module_names or (file.name, name) == ("cli.py", "typer")
                assert outside or name == "readers.epc" or name.startswith("readers.epc."), (file, name)
