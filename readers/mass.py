"""Units of mass as scales print them, in grams, exact."""

from collections.abc import Mapping
from decimal import Decimal

GRAMS: Mapping[str, Decimal] = {
    "mg": Decimal("0.001"),
    "g": Decimal(1),
    "kg": Decimal(1000),
    "t": Decimal(1_000_000),
    "ct": Decimal("0.2"),
    "lb": Decimal("453.59237"),
    "oz": Decimal("28.349523125"),
    "ozt": Decimal("31.1034768"),
    "dwt": Decimal("1.55517384"),
    "GN": Decimal("0.06479891"),
}


def grams_of(unit: str) -> Decimal:
    """What one `unit` weighs in grams.

    Raises:
        ValueError: no unit of mass.
    """
    if unit not in GRAMS:
        raise ValueError(f"{unit!r} is no unit of mass: none of {', '.join(GRAMS)}")
    return GRAMS[unit]
