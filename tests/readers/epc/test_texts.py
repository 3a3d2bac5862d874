"""Texts that name a thing, and texts that break a rule."""

import pytest

from readers.epc import EpcError, encode, parse

SGTIN = "urn:epc:tag:sgtin-96:3.0614141.812345.6789"


@pytest.mark.parametrize(
    ("text", "scheme", "reads"),
    [
        ("urn:epc:id:sgtin:0614141.812345.6789", "sgtin-96", "(01)80614141123458(21)6789"),
        ("urn:epc:id:sgtin:0614141.812345.06789", "sgtin-198", "(01)80614141123458(21)06789"),
        ("urn:epc:id:sgtin:50712192365.88..%25:.13%26", "sgtin-198", "(01)85071219236581(21).%:.13&"),
        ("urn:epc:id:sgtin:00000950.01093.Serial", "sgtin-198", "(01)00000095010939(21)Serial"),
        ("urn:epc:id:sscc:061414123456.12345", "sscc-96", "(00)106141412345623458"),
        ("urn:epc:id:sgln:061411123456..0", "sgln-96", "(414)0614111234560"),
        ("urn:epc:id:sgln:061411123456..A%2F-B", "sgln-195", "(414)0614111234560(254)A/-B"),
        ("urn:epc:id:grai:061414113245..0", "grai-96", "(8003)006141411324540"),
        ("urn:epc:id:gdti:0614141.12345.006847", "gdti-174", "(253)0614141123452006847"),
        ("urn:epc:id:sgcn:401234512345..1", "sgcn-96", "(255)40123451234561"),
        ("urn:epc:id:cpi:0614141.12-456.123456789", "cpi-var", "(8010)061414112-456(8011)123456789"),
        ("urn:epc:id:cpi:0614141.123%23.1", "cpi-var", "(8010)0614141123#(8011)1"),
        ("urn:epc:id:giai:0614141.1ABc%2fD", "giai-202", "(8004)06141411ABc/D"),
        ("urn:epc:id:adi:W81X9C.3KL984PX1.2WMA-52", "adi-var", None),
        ("urn:epc:id:adi:35962..%23M37", "adi-var", None),
    ],
)
def test_the_shortest_scheme_that_can_carry_a_thing_is_taken(text, scheme, reads):
    key = parse(text)
    assert (key.scheme, key.element_string) == (scheme, reads)
    assert key.pure_identity == text.replace("%2f", "%2F")


def test_another_scheme_may_be_asked_for():
    assert parse(SGTIN, "sgtin-198").tag_uri == "urn:epc:tag:sgtin-198:3.0614141.812345.6789"
    assert parse(SGTIN, "sgtin+").fields == ("80614141123458", "6789", "0")
    assert parse("urn:epc:id:gdti:0614141.12345.01", "gdti-113").tag_uri == "urn:epc:tag:gdti-113:0.0614141.12345.01"


def test_a_refusal_names_what_would_do_but_nothing_deprecated():
    with pytest.raises(EpcError, match=r"zeros; gdti-174 or gdti\+ can carry it$"):
        parse("urn:epc:id:gdti:0614141.12345.01", "gdti-96")


def test_a_link_may_go_through_a_shops_own_path():
    key = parse("https://example.com/00/01/80614141123458/21/6789?lang=zh", prefix_digits=7)
    assert key.element_string == "(01)80614141123458(21)6789"


def test_a_tag_uri_has_to_be_right_by_itself_whatever_scheme_is_asked_for():
    with pytest.raises(EpcError, match=r"^sgtin-96: serial: '0123'"):
        parse("urn:epc:tag:sgtin-96:3.0614141.812345.0123", "sgtin-198")


@pytest.mark.parametrize(
    ("serial", "encoding", "size_bits"),
    [
        ("0123456789", "0", 34),
        ("0", "0", 4),
        ("0A1B", "1", 16),
        ("0a1b", "2", 16),
        ("aB_-", "3", 24),
        ("ABZ", "5", 16),
        ("ABZ.", "4", 28),
        ("ABCZ", "3", 24),
        ("AB.CD:Z-01234", "5", 80),
        ("a/b", "4", 21),
    ],
)
def test_a_plus_scheme_takes_the_shortest_way_to_pack_a_serial(serial, encoding, size_bits):
    key = parse(f"(01)79521141123453(21){serial}", "sgtin+")
    assert key.fields[1:] == (serial, encoding)
    assert len(encode(key)) == -(-(12 + 56 + 8 + size_bits) // 16) * 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no tag URI"),
        ("urn:epc:tag:sgtin-96:0614141.812345.6789", "should have filter, company prefix, item reference, serial"),
        ("urn:epc:tag:sgtin-96:x.0614141.812345.6789", "'x' is not a plain integer"),
        ("urn:epc:tag:sgtin-96:8.0614141.812345.6789", "filter is a number"),
        ("urn:epc:tag:sgtin+:3.79521141123453.1", "'sgtin\\+' .* is no scheme of a tag URI"),
        ("urn:epc:tag:sgtin-97:3.1", "known: sgtin-96"),
        ("urn:epc:tag:[att=x01]:sgtin-96:3.0614141.812345.6789", "is no scheme"),
        ("urn:epc:id:usdod:CAGEY.5678", "'usdod' .* is no identity we know; known: sgtin, sscc"),
        ("urn:epc:id:sgtin:0614141.81234.6789", "has 5 characters, not 6"),
        ("urn:epc:id:sgtin:06141.812345.6789", "not 6 to 12"),
        ("urn:epc:id:sgtin:0614141.81234x.6789", "has 'x'"),
        ("urn:epc:id:sgtin:0614141.812345.a/b", "'/' in 'a/b' must be written as %2F"),
        ("urn:epc:id:sgtin:0614141.812345.a%b", "'%' in 'a%b' must be written as %25"),
        ("urn:epc:id:sgtin:0614141.812345.a%24", "has '\\$', which is not allowed"),
        ("urn:epc:id:sgtin:0614141.812345.a%23", "has '#', which is not allowed"),
        ("urn:epc:id:gid:1.2." + "9" * 5000, "has too many digits"),
        ("urn:epc:id:sgtin:0614141.812345.", "'' has 0 characters, not 1 to 20"),
        ("urn:epc:id:sgtin:0614141.812345.123456789012345678901", "21 characters, not 1 to 20"),
        ("urn:epc:id:grai:0614141.12345.12345678901234567", "17 characters, not 1 to 16"),
        ("urn:epc:id:cpi:0614141.12-456.1234567890123", "has more than 12 digits"),
        ("urn:epc:id:adi:W81X9O.1.1", "has 'O'"),
        ("(01)8061414112345(21)1", "13 characters, not 14"),
        ("(01)80614141123458", r"has no \(21\)"),
        ("(10)ABC", "does not begin with one of"),
        ("(01)80614141123458(10)ABC(21)1", "'\\(10\\)ABC' too much"),
        ("(00)1061414123456234589", "'9' too much"),
        ("(8003)10614141123452567", "does not begin with 0"),
        ("https://id.gs1.org/", "none of /01"),
        ("https://[::/01/80614141123458/21/1", "is no web address"),
        ("https://id.gs1.org/01/80614141123458", r"has no \(21\)"),
        ("https://id.gs1.org/01/80614141123458/10/ABC/21/1", r"\(10\) .* is no part of an EPC of \(01\); leave it out"),
        ("https://id.gs1.org/01/80614141123458/21/1?3103=1", r"\(3103\) .* is no part of an EPC"),
        ("https://id.gs1.org/00/106141412345623458?17=220630", r"\(17\) .* is no part of an EPC"),
    ],
)
def test_a_text_that_breaks_a_rule_is_refused_in_one_line(text, why):
    with pytest.raises(EpcError, match=why) as refused:
        parse(text, prefix_digits=None if text.startswith("urn") else 7)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "scheme", "why"),
    [
        ("(01)79521141123453(21)1", "dsgtin+", "needs a date"),
        ("(01)79521141123453(21)1(17)220630", "sgtin+", "carries no date, dsgtin\\+ does"),
        ("(01)79521141123453(21)1(17)221330", "dsgtin+", "221330 is no date"),
        ("(8004)952A", "giai+", "not 5 to 30"),
        ("(8004)952ABC", "giai+", "does not begin with 4 digits"),
        ("(01)79521141123453(21)1", "sgtin-96", "needs the company prefix length \\(6 to 12\\); sgtin\\+ can carry it"),
    ],
)
def test_what_a_plus_scheme_needs(text, scheme, why):
    with pytest.raises(EpcError, match=why):
        parse(text, scheme)


@pytest.mark.parametrize("prefix_digits", [5, 13])
def test_a_company_prefix_has_6_to_12_digits(prefix_digits):
    with pytest.raises(EpcError, match="6 to 12 digits"):
        parse("(01)80614141123458(21)6789", prefix_digits=prefix_digits)
