"""GS1 EPC Tag Data Standard: bit layouts as data, one row per scheme.

Every partitioned scheme is: header 8, filter 3, partition 3, company prefix and a second field, then a serial or zeros.
The partition says how bits and digits are shared between prefix and second field.
Source: GS1 TDS 1.13, section 14 (EPC binary coding tables).
"""

from collections.abc import Mapping
from dataclasses import dataclass

PREFIX_BITS = (40, 37, 34, 30, 27, 24, 20)
PREFIX_DIGITS = (12, 11, 10, 9, 8, 7, 6)
"""By partition 0..6, the same for every scheme; partition 7 is invalid."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One row of the coding tables.

    Args:
        name: as in a tag URI; the pure identity drops its size.
        reference_bits, reference_digits: of the second field, by partition.
        serial_bits: 0 where the scheme has no serial.
        padding_bits: zeros at the end.
    """

    name: str
    header: int
    reference_bits: tuple[int, ...]
    reference_digits: tuple[int, ...]
    serial_bits: int = 0
    padding_bits: int = 0
    total_bits: int = 96

    @property
    def identity(self) -> str:
        """The name without the size: `sgtin` of `sgtin-96`."""
        return self.name.rpartition("-")[0]


SCHEMES: Mapping[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme("sgtin-96", 0x30, (4, 7, 10, 14, 17, 20, 24), (1, 2, 3, 4, 5, 6, 7), serial_bits=38),
        Scheme("sscc-96", 0x31, (18, 21, 24, 28, 31, 34, 38), (5, 6, 7, 8, 9, 10, 11), padding_bits=24),
        Scheme("sgln-96", 0x32, (1, 4, 7, 11, 14, 17, 21), (0, 1, 2, 3, 4, 5, 6), serial_bits=41),
        Scheme("grai-96", 0x33, (4, 7, 10, 14, 17, 20, 24), (0, 1, 2, 3, 4, 5, 6), serial_bits=38),
        Scheme("gdti-96", 0x2C, (1, 4, 7, 11, 14, 17, 21), (0, 1, 2, 3, 4, 5, 6), serial_bits=41),
        Scheme("gsrn-96", 0x2D, (18, 21, 24, 28, 31, 34, 38), (5, 6, 7, 8, 9, 10, 11), padding_bits=24),
        Scheme("gsrnp-96", 0x2E, (18, 21, 24, 28, 31, 34, 38), (5, 6, 7, 8, 9, 10, 11), padding_bits=24),
    )
}
SCHEME_OF_HEADER: Mapping[int, Scheme] = {scheme.header: scheme for scheme in SCHEMES.values()}
