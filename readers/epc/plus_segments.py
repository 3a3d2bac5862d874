"""The coding methods that TDS 2.0 brought, for the "+" schemes: values of application identifiers <-> bits.

Where a text may be packed in several ways, the way is a field of its own, so that an EPC comes back bit for bit; an empty
one asks for the shortest.
Source: GS1 TDS 2.3, sections 14.5.3 to 14.5.6 and 14.5.13, table F (lengths).
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass

from readers.epc.bits import BitReader, BitWriter, EpcError
from readers.epc.packing import PACKINGS, shortest_packing
from readers.epc.text import ALPHANUMERIC, DIGITS, require, require_check_digit, to_plain_integer

DATE_KINDS: Mapping[int, str] = {0: "11", 1: "13", 2: "15", 3: "16", 4: "17", 5: "7006", 6: "7007"}
"""The application identifier of a prioritised date by its indicator: made, packed, best before, sell by, expires,
first frozen, harvested (14.5.3)."""
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DELIMITER, _TERMINATOR = 0xE, 0xF
_LENGTH_BITS = 5
_LEAST_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Digits:
    """Exactly so many digits of four bits (14.5.4).

    Args:
        has_check: the last one is a check digit, which is on the tag here and must be right.
        lead: what the digits begin with (GRAI: a zero).
    """

    count: int
    names: tuple[str, ...]
    has_check: bool = True
    lead: str = ""

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        text = "".join(f"{bits.take(4):X}" for _ in range(self.count))
        self._check(text)
        return (text,)

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """As `Segment`."""
        self._check(fields[0])
        for digit in fields[0]:
            bits.put(int(digit), 4)

    def _check(self, text: str) -> None:
        require(text, DIGITS, self.count, self.count)
        if not text.startswith(self.lead):
            raise EpcError(f"{text} does not begin with {self.lead}")
        if self.has_check:
            require_check_digit(text)


@dataclass(frozen=True, slots=True)
class CountedDigits:
    """Up to so many digits behind a four-bit count (14.5.13)."""

    most_digits: int = 12
    names: tuple[str, ...] = ("serial",)

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        length = bits.take(4)
        if not 1 <= length <= self.most_digits:
            raise EpcError(f"{length} digits, not 1 to {self.most_digits}")
        return (PACKINGS[0].unpack(bits.take(PACKINGS[0].bits(length)), length),)

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """As `Segment`."""
        require(fields[0], DIGITS, 1, self.most_digits)
        bits.put(len(fields[0]), 4)
        bits.put(int(fields[0]), PACKINGS[0].bits(len(fields[0])))


@dataclass(frozen=True, slots=True)
class PackedText:
    """Indicator, length, packed text (14.5.6)."""

    most_chars: int
    names: tuple[str, ...] = ("serial", "serial_encoding")
    allowed: Set[str] = ALPHANUMERIC

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        indicator, length = bits.take(3), bits.take(_LENGTH_BITS)
        if indicator not in PACKINGS:
            raise EpcError(f"encoding {indicator} is reserved")
        if not 1 <= length <= self.most_chars:
            raise EpcError(f"{length} characters, not 1 to {self.most_chars}")
        packing = PACKINGS[indicator]
        text = packing.unpack(bits.take(packing.bits(length)), length)
        require(text, self.allowed, 1, self.most_chars)
        return text, str(indicator)

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """As `Segment`."""
        text, wanted = fields
        require(text, self.allowed, 1, self.most_chars)
        indicator = to_plain_integer(wanted) if wanted else shortest_packing(text)
        if indicator not in PACKINGS or not set(text) <= set(PACKINGS[indicator].alphabet):
            raise EpcError(f"encoding {indicator} cannot carry {text!r}")
        bits.put(indicator, 3)
        bits.put(len(text), _LENGTH_BITS)
        bits.put(PACKINGS[indicator].pack(text), PACKINGS[indicator].bits(len(text)))


@dataclass(frozen=True, slots=True)
class LeadingDigits:
    """A reference that begins with digits: these in four bits each, then its end, or a delimiter and the rest packed.

    At least four digits lead, as a company prefix does (TDT's patterns of GIAI+ and CPI+ say the same).
    Source: 14.5.5.
    """

    allowed: Set[str]
    names: tuple[str, ...]
    most_chars: int = 30

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        head = ""
        while (code := bits.take(4)) < 10:
            head += str(code)
        if code not in (_DELIMITER, _TERMINATOR):
            raise EpcError(f"{code:X} behind {head!r} is neither digit nor end")
        tail, indicator = self._tail.read(bits) if code == _DELIMITER else ("", "")
        if tail[:1].isdigit():
            raise EpcError(f"{tail!r} behind the digits begins with a digit")
        self._check(head + tail)
        return head + tail, indicator

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """As `Segment`."""
        text, wanted = fields
        self._check(text)
        tail = text.lstrip("0123456789")
        for digit in text[: len(text) - len(tail)]:
            bits.put(int(digit), 4)
        bits.put(_DELIMITER if tail else _TERMINATOR, 4)
        if tail:
            self._tail.write(bits, (tail, wanted))
        elif wanted:
            raise EpcError(f"{text!r} is all digits and has no encoding")

    @property
    def _tail(self) -> PackedText:
        return PackedText(self.most_chars, allowed=self.allowed)

    def _check(self, text: str) -> None:
        require(text, self.allowed, _LEAST_DIGITS + 1, self.most_chars)
        if set(text[:_LEAST_DIGITS]) - DIGITS:
            raise EpcError(f"{text!r} does not begin with {_LEAST_DIGITS} digits")


@dataclass(frozen=True, slots=True)
class PrioritisedDate:
    """A date and what it means, before the key so that readers can select by it (14.5.3).  Day 00: the month's end."""

    names: tuple[str, ...] = ("date_ai", "date")

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        kind, year, month, day = bits.take(4), bits.take(7), bits.take(4), bits.take(5)
        if kind not in DATE_KINDS:
            raise EpcError(f"date indicator {kind} is reserved")
        fields = DATE_KINDS[kind], f"{year:02d}{month:02d}{day:02d}"
        self._check(fields[1])
        return fields

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """As `Segment`."""
        identifier, date = fields
        kinds = {name: kind for kind, name in DATE_KINDS.items()}
        if identifier not in kinds:
            raise EpcError(f"({identifier}) is no date of {', '.join(kinds)}")
        self._check(date)
        bits.put(kinds[identifier], 4)
        for part, size_bits in ((date[:2], 7), (date[2:4], 4), (date[4:], 5)):
            bits.put(int(part), size_bits)

    @staticmethod
    def _check(date: str) -> None:
        require(date, DIGITS, 6, 6)
        month, day = int(date[2:4]), int(date[4:])
        if not 1 <= month <= len(_MONTH_DAYS) or day > _MONTH_DAYS[month - 1]:
            raise EpcError(f"{date} is no date YYMMDD")
