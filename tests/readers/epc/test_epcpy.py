"""An independent implementation as oracle: epcpy, of Nedap (https://github.com/nedap/retail-epcpy).

It knows the schemes before TDS 2.0.  Where it differs, and who is right:
* A GLN without extension: it writes AI 254 as "0", GS1 leaves it out.
* Piece or total 99 of an ITIP: it refuses them, as the letter of TDS 14.3.10 does ("less than 10^D - 1"), while it reads
  them, as 14.4.10 says; two digits can say 99.
* CPI-96: it reads references of more digits than the partition table allows; we refuse them both ways.
* Text: it refuses some escapes at the beginning of a text, counts an escape in GRAI, GDTI, GIAI and CPI as three
  characters, and drops what follows a colon in a GIAI.  Such texts are left out below.
* ADI: it looks for six zero bits wherever they stand, not at character borders, and so misreads many; written ones agree.
* Behind an EPC it ignores whatever follows; we take zeros only.
"""

import re
import sys
import warnings

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from readers.epc import Key, decode, encode
from readers.epc.tables import SCHEMES
from readers.epc.text import escape
from tests.readers.epc.keys import keys

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its regular expressions have escapes that Python frowns on when it compiles them
    import epcpy

KNOWN = [row.name for row in SCHEMES.values() if not row.is_plus and row.name != "gdti-113"]
READ = [name for name in KNOWN if name != "adi-var"]


def understood(key: Key) -> bool:
    """Whether epcpy can take its own way of writing this key."""
    text = escape(key.fields[-1])
    if key.scheme.startswith("giai") and ":" in text:
        return False
    if key.row.family in ("grai", "gdti", "giai", "cpi") and any(escape(field) != field for field in key.fields):
        return False
    if key.scheme.startswith("itip") and "99" in key.fields[2:4]:
        return False
    return all(len(part) == 3 for part in re.split("(%[0-9]{2})", text) if part.startswith("%"))


def understood_keys(scheme):
    """Valid keys without those."""
    return keys(scheme).filter(understood)


def written_by_epcpy(key: Key) -> str:
    """Hex of its EPC."""
    theirs = (
        epcpy.tag_uri_to_tag_encodable(key.tag_uri)
        if key.filter is not None
        else epcpy.epc_pure_identity_to_scheme(key.pure_identity)
    )
    arguments = {"binary_coding_scheme": theirs.BinaryCodingScheme(key.scheme)}
    if key.filter is not None:
        kind = getattr(sys.modules[type(theirs).__module__], f"{type(theirs).__name__}FilterValue")
        arguments["filter_value"] = kind(str(key.filter))
    return theirs.hex(**arguments)


@pytest.mark.parametrize("scheme", KNOWN)
@given(data=st.data())
@settings(max_examples=25)
def test_epcpy_writes_the_same_epc(scheme, data):
    key = data.draw(understood_keys(scheme))
    assert written_by_epcpy(key) == encode(key).hex().upper()


@pytest.mark.parametrize("scheme", READ)
@given(data=st.data())
@settings(max_examples=25)
def test_epcpy_reads_the_same_thing(scheme, data):
    key = data.draw(understood_keys(scheme))
    theirs = epcpy.hex_to_tag_encodable(encode(key).hex())
    assert theirs.epc_uri == key.pure_identity
    if key.element_string is not None:
        assert theirs.gs1_element_string().removesuffix("(254)0") == key.element_string.removesuffix("(254)0")


@pytest.mark.parametrize("scheme", READ)
@given(data=st.data())
@settings(max_examples=25)
def test_what_one_reads_from_damaged_bits_the_other_reads_too(scheme, data):
    epc = bytearray(encode(data.draw(understood_keys(scheme))))
    bit = data.draw(st.integers(8, len(epc) * 8 - 1))
    epc[bit // 8] ^= 0x80 >> bit % 8
    key = decode(bytes(epc))
    assume(isinstance(key, Key) and understood(key))  # where we read nothing we are the stricter one
    assert epcpy.hex_to_tag_encodable(epc.hex()).epc_uri == key.pure_identity
