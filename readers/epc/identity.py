"""The thing an EPC names, apart from scheme and filter, and its forms with application identifiers.

Source: GS1 TDS 2.3, section 7 (keys and URIs), E.3 (examples); GS1 Digital Link 1.3, canonical URIs.
"""

from dataclasses import dataclass
from urllib.parse import quote

from readers.epc.bits import EpcError
from readers.epc.segments import PREFIX_DIGITS
from readers.epc.tables import FAMILIES, Family
from readers.epc.text import check_digit

RESOLVER = "https://id.gs1.org"


@dataclass(frozen=True, slots=True)
class Identity:
    """A thing.

    Args:
        family: the kind of key, a row of `FAMILIES`, or "gid", "adi".
        key: as GS1 writes it, with its check digit if it has one; "" for GID and ADI.
        rest: the further fields (serial, extension, piece and total); all fields of GID and ADI.
        prefix_digits: how many digits of the key are the company prefix; None where nothing tells (the "+" schemes).
        date: application identifier and YYMMDD of a DSGTIN+.
    """

    family: str
    key: str
    rest: tuple[str, ...]
    prefix_digits: int | None = None
    date: tuple[str, str] | None = None

    @property
    def identifiers(self) -> tuple[tuple[str, str], ...]:
        """Application identifiers with their values, as a bar code of it would have; none for GID and ADI."""
        family = FAMILIES.get(self.family)
        if family is None:
            return ()
        behind = len(family.written_behind)
        pairs = [(family.key_ai, self.key + "".join(self.rest[:behind]))]
        if family.serial_ai is not None and self.rest[-1] != family.no_serial:
            pairs.append((family.serial_ai, self.rest[-1]))
        if self.date is not None:
            pairs.append(self.date)
        return tuple(pairs)

    @property
    def element_string(self) -> str | None:
        """As people read it below a bar code: `(01)80614141123458(21)6789`."""
        return "".join(f"({identifier}){value}" for identifier, value in self.identifiers) or None

    @property
    def digital_link(self) -> str | None:
        """As a web address: `https://id.gs1.org/01/80614141123458/21/6789`."""
        if not self.identifiers:
            return None
        in_path = [pair for pair in self.identifiers if pair != self.date]
        path = "".join(f"/{identifier}/{quote(value, safe='')}" for identifier, value in in_path)
        return RESOLVER + path + ("?{}={}".format(*self.date) if self.date else "")


def key_of(family: Family, prefix: str, reference: str) -> str:
    """The key that company prefix and reference make, with its check digit."""
    if family.key_digits is None:
        return prefix + reference
    digits = reference[:1] + prefix + reference[1:] if family.first_digit_leads else prefix + reference
    return family.lead + digits + check_digit(digits)


def split_key(family: Family, key: str, prefix_digits: int) -> tuple[str, str]:
    """Company prefix and reference of a key: the inverse of `key_of`.

    Raises:
        EpcError: no company prefix has so many digits.
    """
    if prefix_digits not in PREFIX_DIGITS:
        raise EpcError(f"a company prefix has 6 to 12 digits, not {prefix_digits}")
    digits = key if family.key_digits is None else key[len(family.lead) : -1]
    first = digits[:1] if family.first_digit_leads else ""
    digits = digits[len(first) :]
    return digits[:prefix_digits], first + digits[prefix_digits:]
