"""What a tag's EPC says: `Key`, or `Raw` where it says nothing that we know."""

from dataclasses import dataclass

from readers.epc.filters import filter_meaning
from readers.epc.identity import Identity, key_of
from readers.epc.segments import PREFIX_DIGITS
from readers.epc.tables import FAMILIES, SCHEMES, Scheme
from readers.epc.text import escape

ENCODING = "_encoding"
"""Ends the name of a field that says how another one is packed."""


@dataclass(frozen=True, slots=True)
class Key:
    """A valid EPC, whole: `encode` gives back its bits.

    Args:
        scheme: a row of `SCHEMES`.
        fields: in the order of the row's names; unescaped.
        filter: 0 to 7 (ADI: 63), None in GID.
        data_toggle: "+" schemes: whether further data follows the EPC.
        aidc_bits: that data, as 0 and 1, to the end of the tag's words; not read here.
    """

    scheme: str
    fields: tuple[str, ...]
    filter: int | None
    data_toggle: int = 0
    aidc_bits: str = ""

    @property
    def row(self) -> Scheme:
        """The scheme's row of the tables."""
        return SCHEMES[self.scheme]

    @property
    def gtin(self) -> str | None:
        """The trade item number of 14 digits, the same for every SGTIN scheme; None for what is no trade item."""
        return self.identity.key if self.row.family == "sgtin" else None

    @property
    def partition(self) -> int | None:
        """How the bits are shared with the company prefix; None where it is not marked."""
        return PREFIX_DIGITS.index(len(self.fields[0])) if "company_prefix" in self.row.names else None

    @property
    def filter_meaning(self) -> str | None:
        """The filter in words."""
        return None if self.filter is None else filter_meaning(self.row.family, self.filter)

    @property
    def tag_uri(self) -> str | None:
        """With scheme and filter: `urn:epc:tag:sgtin-96:3.0614141.812345.6789`; None for the "+" schemes."""
        filters = () if self.filter is None else (str(self.filter),)
        return None if self.row.is_plus else f"urn:epc:tag:{self.scheme}:{self._body(filters)}"

    @property
    def pure_identity(self) -> str | None:
        """Without: `urn:epc:id:sgtin:0614141.812345.6789`; None for the "+" schemes, whose company prefix is unknown."""
        return None if self.row.is_plus else f"urn:epc:id:{self.row.family}:{self._body()}"

    @property
    def element_string(self) -> str | None:
        """As `Identity.element_string`."""
        return self.identity.element_string

    @property
    def digital_link(self) -> str | None:
        """As `Identity.digital_link`."""
        return self.identity.digital_link

    @property
    def identity(self) -> Identity:
        """The thing it names, the same in every scheme of the family."""
        family = FAMILIES.get(self.row.family)
        if family is None:
            return Identity(self.row.family, "", self.fields)
        if not self.row.is_plus:
            prefix, reference, *rest = self.fields
            return Identity(family.name, key_of(family, prefix, reference), tuple(rest), len(prefix))
        values = [value for name, value in self.named.items() if not name.endswith(ENCODING)]
        date = None
        if self.row.names[0] == "date_ai":
            date, values = (values[0], values[1]), values[2:]
        return Identity(family.name, values[0], tuple(values[1:]), date=date)

    @property
    def named(self) -> dict[str, str]:
        """The fields by name."""
        return dict(zip(self.row.names, self.fields, strict=True))

    def _body(self, first: tuple[str, ...] = ()) -> str:
        return ".".join((*first, *map(escape, self.fields)))


@dataclass(frozen=True, slots=True)
class Raw:
    """An EPC carried as it is: an unprogrammed chip, an unknown scheme, or one that breaks its scheme's rules.

    Args:
        why: what keeps it from being more.
    """

    epc: bytes
    why: str

    @property
    def gtin(self) -> None:
        """None: nothing tells."""
        return None

    @property
    def tag_uri(self) -> str:
        """`urn:epc:raw:96.xE280…`."""
        return f"urn:epc:raw:{len(self.epc) * 8}.x{self.epc.hex().upper()}"
