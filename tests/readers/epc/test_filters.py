"""Filter values as section 10 of the standard lists them: what is not here is reserved."""

import pytest

from readers.epc import decode, parse
from readers.epc.filters import filter_meaning
from readers.epc.tables import FAMILIES

ASSIGNED = {
    "sgtin": {1: "point of sale", 2: "full case", 4: "inner pack", 6: "unit load", 7: "component"},
    "sscc": {2: "full case", 6: "unit load"},
    "giai": {1: "rail vehicle"},
    "gdti": {1: "travel document"},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_filters_of_a_family_of_keys(family):
    assert filter_meaning(family, 0) == "all others"
    for value in range(1, 8):
        assert ASSIGNED.get(family, {}).get(value, "reserved") in filter_meaning(family, value)


@pytest.mark.parametrize(
    ("value", "meaning"),
    [(0, "all others"), (1, "item"), (2, "carton"), (5, "reserved"), (6, "pallet"), (7, "reserved"), (8, "seat cushion"),
     (17, "avionics"), (25, "in-flight entertainment"), (26, "reserved"), (55, "reserved"), (56, "location"),
     (60, "other non-flyable equipment"), (61, "internal use"), (63, "internal use")],
)  # fmt: skip
def test_filters_of_aircraft_parts(value, meaning):
    assert filter_meaning("adi", value) == meaning


def test_a_reserved_filter_is_read_and_written_all_the_same():
    assert decode(bytes.fromhex("3074257bf7194e4000001a85")).filter_meaning == "reserved"
    assert parse("urn:epc:tag:sgtin-96:3.0614141.812345.6789").filter == 3


def test_a_gid_has_none():
    assert decode(bytes.fromhex("350007ab70425d4000000586")).filter_meaning is None
