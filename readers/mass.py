"""Units of mass as scales print them, in grams, exact; and the settings that turn a number into a mass."""

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


TINY, HUGE = Decimal("1e-12"), Decimal("1e12")


def grams_of(unit: str) -> Decimal:
    """What one `unit` weighs in grams.

    Raises:
        ValueError: no unit of mass.
    """
    if unit not in GRAMS:
        raise ValueError(f"{unit!r} is no unit of mass: none of {', '.join(GRAMS)}")
    return GRAMS[unit]


def is_of_a_size(number: Decimal) -> bool:
    """Whether a setting may stand in a weight's arithmetic: there is a limit beyond which a product is no number any more."""
    return number.is_finite() and (number == 0 or TINY <= abs(number) <= HUGE)


def check_weighing(mass_unit: str, scale: Decimal, capacity_g: Decimal, stable_spread_g: Decimal) -> None:
    """Refuse settings of a scale that can never weigh.

    Raises:
        ValueError: one line that names the key.
    """
    grams_of(mass_unit)
    if not is_of_a_size(scale) or scale == 0:
        raise ValueError(f"scale {scale} must be a number other than 0, and of a size that weights have")
    if not is_of_a_size(capacity_g) or capacity_g <= 0:
        raise ValueError(f"capacity_g {capacity_g} must be more than 0, and of a size that weights have")
    if not stable_spread_g.is_finite() or stable_spread_g < 0:
        raise ValueError(f"stable_spread_g {stable_spread_g} must be 0 or more")
