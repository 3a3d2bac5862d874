"""What filter values mean; any value is accepted on a tag, also a reserved one.

Source: GS1 TDS 2.3, section 10.
"""

from collections.abc import Mapping

_OTHER = "all others"
FILTERS: Mapping[str, Mapping[int, str]] = {
    "sgtin": {
        0: _OTHER,
        1: "point of sale item",
        2: "full case for transport",
        4: "inner pack",
        6: "unit load",
        7: "unit inside a trade item or component inside a product",
    },
    "sscc": {0: _OTHER, 2: "full case for transport", 6: "unit load"},
    "giai": {0: _OTHER, 1: "rail vehicle"},
    "gdti": {0: _OTHER, 1: "travel document"},
    "adi": {
        0: _OTHER,
        1: "item",
        2: "carton",
        6: "pallet",
        8: "seat cushion",
        9: "seat cover",
        10: "seat belt",
        11: "galley equipment",
        12: "unit load device",
        13: "aircraft security item",
        14: "life vest",
        15: "oxygen generator",
        16: "engine component",
        17: "avionics",
        18: "experimental equipment",
        19: "other emergency equipment",
        20: "other rotable",
        21: "other repairable",
        22: "other cabin interior",
        23: "other repair",
        24: "passenger seat",
        25: "in-flight entertainment",
        56: "location",
        57: "documentation",
        58: "tool",
        59: "ground support equipment",
        60: "other non-flyable equipment",
        **dict.fromkeys((61, 62, 63), "internal use"),
    },
}


def filter_meaning(family: str, value: int) -> str:
    """The meaning of a filter value in a family of keys; "reserved" where the standard has none yet."""
    return FILTERS.get(family, {0: _OTHER}).get(value, "reserved")
