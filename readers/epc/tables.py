"""GS1 EPC Tag Data Standard as data: one row per scheme, one per family of keys.

Source: GS1 TDS 2.3, section 14.2 (headers), 14.6 (coding tables; those before TDS 2.0 as in TDS 1.13), section 7 (keys).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from readers.epc.plus_segments import CountedDigits, Digits, LeadingDigits, PackedText, PrioritisedDate
from readers.epc.segments import (
    Cage,
    Integer,
    NumericString,
    PaddedInteger,
    Partition,
    Segment,
    Text6,
    Text7,
    Zeros,
)
from readers.epc.text import ALPHANUMERIC, COMPONENT


@dataclass(frozen=True, slots=True)
class Family:
    """What one kind of GS1 key looks like as application identifiers.

    Args:
        key_ai: of the key, with all that is written behind it without an identifier of its own.
        key_digits: with the check digit; None for a reference of any characters without one.
        lead: of the key (GRAI: a zero).
        first_digit_leads: the reference's first digit stands before the company prefix (indicator, extension).
        written_behind: the lengths of the fields under the key's identifier; None: what is left.
        serial_ai: of the last field.
        no_serial: the serial that means there is none (SGLN).
    """

    name: str
    key_ai: str
    key_digits: int | None = None
    lead: str = ""
    first_digit_leads: bool = False
    written_behind: tuple[int | None, ...] = ()
    serial_ai: str | None = None
    no_serial: str | None = None


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("sgtin", "01", 14, first_digit_leads=True, serial_ai="21"),
        Family("sscc", "00", 18, first_digit_leads=True),
        Family("sgln", "414", 13, serial_ai="254", no_serial="0"),
        Family("grai", "8003", 14, lead="0", written_behind=(None,)),
        Family("giai", "8004"),
        Family("gsrn", "8018", 18),
        Family("gsrnp", "8017", 18),
        Family("gdti", "253", 13, written_behind=(None,)),
        Family("sgcn", "255", 13, written_behind=(None,)),
        Family("cpi", "8010", serial_ai="8011"),
        Family("itip", "8006", 14, first_digit_leads=True, written_behind=(2, 2), serial_ai="21"),
    )
}
"""GID and ADI have no application identifiers."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One row of the coding tables: header, then (a toggle in the "+" schemes,) the filter, then the segments.

    Args:
        name: as in a tag URI; the "+" schemes have no URI.
        family: as in a pure identity URI.
        segments: what follows the filter.
    """

    name: str
    header: int
    family: str
    segments: tuple[Segment, ...]
    filter_bits: int = 3

    @property
    def is_plus(self) -> bool:
        """Of TDS 2: the key whole, without the company prefix marked; a data toggle; variable length."""
        return self.name.endswith("+")

    @property
    def names(self) -> tuple[str, ...]:
        """Of all fields, in the order of the tag."""
        return tuple(name for segment in self.segments for name in segment.names)


def _text6(_: int, most_chars: int) -> Text6:
    return Text6(1, most_chars, most_chars)


_ITEM = Partition(44, 13, PaddedInteger, ("company_prefix", "item_reference"))
_ASSET = Partition(44, 12, PaddedInteger, ("company_prefix", "asset_type"))
_PLACE = Partition(41, 12, PaddedInteger, ("company_prefix", "location_reference"))
_DOCUMENT = Partition(41, 12, PaddedInteger, ("company_prefix", "document_type"))
_COUPON = Partition(41, 12, PaddedInteger, ("company_prefix", "coupon_reference"))
_UNIT = Partition(58, 17, PaddedInteger, ("company_prefix", "serial_reference"))
_SERVICE = Partition(58, 17, PaddedInteger, ("company_prefix", "service_reference"))
_OWN_NUMBER = Partition(82, 25, Integer, ("company_prefix", "asset_reference"))
_OWN_TEXT = Partition(188, 30, Text7, ("company_prefix", "asset_reference"))
_PART_NUMBER = Partition(51, 15, Integer, ("company_prefix", "part_reference"))
_PART_TEXT = Partition(0, 30, _text6, ("company_prefix", "part_reference"))
_PIECES = (PaddedInteger(7, 2, ("piece",)), PaddedInteger(7, 2, ("total",)))
_EXTENSION = ("extension",)
_GTIN = Digits(14, ("gtin",))
_SERIAL = PackedText(20)

SCHEMES: Mapping[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme("sgtin-96", 0x30, "sgtin", (_ITEM, Integer(38))),
        Scheme("sgtin-198", 0x36, "sgtin", (_ITEM, Text7(140, 20))),
        Scheme("sgtin+", 0xF7, "sgtin", (_GTIN, _SERIAL)),
        Scheme("dsgtin+", 0xFB, "sgtin", (PrioritisedDate(), _GTIN, _SERIAL)),
        Scheme("sscc-96", 0x31, "sscc", (_UNIT, Zeros(24))),
        Scheme("sscc+", 0xF9, "sscc", (Digits(18, ("sscc",)),)),
        Scheme("sgln-96", 0x32, "sgln", (_PLACE, Integer(41, names=_EXTENSION))),
        Scheme("sgln-195", 0x39, "sgln", (_PLACE, Text7(140, 20, names=_EXTENSION))),
        Scheme("sgln+", 0xF2, "sgln", (Digits(13, ("gln",)), PackedText(20, ("extension", "serial_encoding")))),
        Scheme("grai-96", 0x33, "grai", (_ASSET, Integer(38))),
        Scheme("grai-170", 0x37, "grai", (_ASSET, Text7(112, 16))),
        Scheme("grai+", 0xF1, "grai", (Digits(14, ("grai_base",), lead="0"), PackedText(16))),
        Scheme("giai-96", 0x34, "giai", (_OWN_NUMBER,)),
        Scheme("giai-202", 0x38, "giai", (_OWN_TEXT,)),
        Scheme("giai+", 0xFA, "giai", (LeadingDigits(ALPHANUMERIC, ("giai", "tail_encoding")),)),
        Scheme("gsrn-96", 0x2D, "gsrn", (_SERVICE, Zeros(24))),
        Scheme("gsrn+", 0xF4, "gsrn", (Digits(18, ("gsrn",)),)),
        Scheme("gsrnp-96", 0x2E, "gsrnp", (_SERVICE, Zeros(24))),
        Scheme("gsrnp+", 0xF5, "gsrnp", (Digits(18, ("gsrnp",)),)),
        Scheme("gdti-96", 0x2C, "gdti", (_DOCUMENT, Integer(41))),
        Scheme("gdti-113", 0x3A, "gdti", (_DOCUMENT, NumericString(58))),
        Scheme("gdti-174", 0x3E, "gdti", (_DOCUMENT, Text7(119, 17))),
        Scheme("gdti+", 0xF6, "gdti", (Digits(13, ("gdti_base",)), PackedText(17))),
        Scheme("sgcn-96", 0x3F, "sgcn", (_COUPON, NumericString(41))),
        Scheme("sgcn+", 0xF8, "sgcn", (Digits(13, ("gcn_base",)), CountedDigits())),
        Scheme("cpi-96", 0x3C, "cpi", (_PART_NUMBER, Integer(31))),
        Scheme("cpi-var", 0x3D, "cpi", (_PART_TEXT, Integer(40, 12))),
        Scheme("cpi+", 0xF0, "cpi", (LeadingDigits(COMPONENT, ("cpi", "tail_encoding")), CountedDigits())),
        Scheme("itip-110", 0x40, "itip", (_ITEM, *_PIECES, Integer(38))),
        Scheme("itip-212", 0x41, "itip", (_ITEM, *_PIECES, Text7(140, 20))),
        Scheme(
            "itip+",
            0xF3,
            "itip",
            (_GTIN, Digits(2, ("piece",), has_check=False), Digits(2, ("total",), has_check=False), _SERIAL),
        ),
        Scheme(
            "gid-96",
            0x35,
            "gid",
            (Integer(28, names=("manager",)), Integer(24, names=("object_class",)), Integer(36)),
            filter_bits=0,
        ),
        Scheme("adi-var", 0x3B, "adi", (Cage(), Text6(0, 32, 0, ("part",)), Text6(1, 30, 1)), filter_bits=6),
    )
}
"""In each family the shortest first; "gdti-113" is deprecated since TDS 1.9 and only written when asked for by name."""
SCHEME_OF_HEADER: Mapping[int, Scheme] = {scheme.header: scheme for scheme in SCHEMES.values()}
DEPRECATED = frozenset({"gdti-113"})

CARRIED_RAW: Mapping[int, str] = {
    0x00: "an unprogrammed tag",
    0x2F: "usdod-96",
    0xE2: "a chip's own number",
    **{
        header: f"{name}++"
        for header, name in zip(
            (*range(0xE6, 0xF0), 0xFC, 0xFD),
            ("cpi", "gsrn", "gsrnp", "sgln", "gdti", "grai", "sgcn", "itip", "giai", "sscc", "dsgtin", "sgtin"),
            strict=True,
        )
    },
}
"""Headers that are known and not read; the "++" schemes of TDS 2.3 add a host name to the "+" ones."""
