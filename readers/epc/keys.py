"""GS1 keys as an EPC carries them, and their forms: tag URI, pure identity, element string.

Source: GS1 TDS 1.13, sections 6 and 7; check digit: GS1 General Specifications, section 7.9.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from readers.epc.tables import SCHEMES


def check_digit(digits: str) -> str:
    """The GS1 check digit that follows `digits`: weights 3, 1, 3… from the right."""
    total = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


@dataclass(frozen=True, slots=True)
class PartitionedKey(ABC):
    """What the partitioned schemes share.

    Args:
        filter: 0..7; what the number means depends on the scheme.
        company_prefix: 6 to 12 digits.
        reference: the digits that follow the prefix in the URI, together with it as many as the scheme wants.
        serial: None where the scheme has none.
    """

    scheme: ClassVar[str]

    filter: int
    company_prefix: str
    reference: str
    serial: int | None = None

    @property
    def tag_uri(self) -> str:
        """With scheme size and filter: `urn:epc:tag:sgtin-96:3.0614141.812345.6789`."""
        return f"urn:epc:tag:{self.scheme}:{self.filter}.{self._body}"

    @property
    def pure_identity(self) -> str:
        """Without: `urn:epc:id:sgtin:0614141.812345.6789`."""
        return f"urn:epc:id:{SCHEMES[self.scheme].identity}:{self._body}"

    @property
    @abstractmethod
    def element_string(self) -> str:
        """As a bar code carries it, with application identifiers and check digit."""

    @property
    def _body(self) -> str:
        parts = (self.company_prefix, self.reference)
        return ".".join(parts if self.serial is None else (*parts, str(self.serial)))

    @property
    def _checked(self) -> str:
        digits = self.company_prefix + self.reference
        return digits + check_digit(digits)

    @property
    def _first_digit_moved(self) -> str:
        digits = self.reference[0] + self.company_prefix + self.reference[1:]
        return digits + check_digit(digits)


class Sgtin96(PartitionedKey):
    """A trade item with its serial.  The reference is the indicator digit, then the item."""

    __slots__ = ()
    scheme = "sgtin-96"

    @property
    def gtin14(self) -> str:
        """The trade item number, 14 digits with the check digit."""
        return self._first_digit_moved

    @property
    def element_string(self) -> str:
        """(01) GTIN (21) serial."""
        return f"(01){self.gtin14}(21){self.serial}"


class Sscc96(PartitionedKey):
    """A logistic unit.  The reference is the extension digit, then the number."""

    __slots__ = ()
    scheme = "sscc-96"

    @property
    def element_string(self) -> str:
        """(00) SSCC."""
        return f"(00){self._first_digit_moved}"


class Sgln96(PartitionedKey):
    """A place, with an extension that is 0 where it names the whole place."""

    __slots__ = ()
    scheme = "sgln-96"

    @property
    def element_string(self) -> str:
        """(414) GLN (254) extension, the latter only where there is one."""
        return f"(414){self._checked}" + (f"(254){self.serial}" if self.serial else "")


class Grai96(PartitionedKey):
    """A returnable asset with its serial."""

    __slots__ = ()
    scheme = "grai-96"

    @property
    def element_string(self) -> str:
        """(8003) 0, asset type, serial."""
        return f"(8003)0{self._checked}{self.serial}"


class Gdti96(PartitionedKey):
    """A document with its serial."""

    __slots__ = ()
    scheme = "gdti-96"

    @property
    def element_string(self) -> str:
        """(253) document type, serial."""
        return f"(253){self._checked}{self.serial}"


class Gsrn96(PartitionedKey):
    """A service relation, recipient's side: a member's card.  Personal data."""

    __slots__ = ()
    scheme = "gsrn-96"

    @property
    def element_string(self) -> str:
        """(8018) GSRN."""
        return f"(8018){self._checked}"


class Gsrnp96(PartitionedKey):
    """A service relation, provider's side: staff.  Personal data."""

    __slots__ = ()
    scheme = "gsrnp-96"

    @property
    def element_string(self) -> str:
        """(8017) GSRN."""
        return f"(8017){self._checked}"


@dataclass(frozen=True, slots=True)
class Raw:
    """An EPC carried as it is: an unprogrammed chip, an unknown scheme, or one that breaks its scheme's rules.

    Args:
        why: what keeps it from being more.
    """

    epc: bytes
    why: str

    @property
    def tag_uri(self) -> str:
        """`urn:epc:raw:96.xE280…`."""
        return f"urn:epc:raw:{len(self.epc) * 8}.x{self.epc.hex().upper()}"
