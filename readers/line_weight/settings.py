"""Scales that print text: the keys of a stanza, and the weight that a number means because of them."""

import re
from decimal import Decimal
from typing import Annotated

import msgspec

from readers.errors import FrameError
from readers.line_weight.commands import FAULT, Form, Reading
from readers.mass import GRAMS, check_weighing, is_of_a_size
from readers.settings import Baud, DeviceSettings, LineForm

KNOWN_GROUPS = {"value", "unit", "channel", "stable", "moving"}


class LineWeightSettings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a scale's stanza; see `readers.line_weight.reader`."""

    baud: Baud = 9600
    line: LineForm = "8N1"
    pattern: str = ""
    fault: str = FAULT
    channel: str = ""
    mass_unit: str = "g"
    offset: Decimal = Decimal(0)
    scale: Decimal = Decimal(1)
    capacity_g: Decimal
    stable_count: Annotated[int, msgspec.Meta(ge=2, le=100)] = 5
    stable_spread_g: Decimal = Decimal(2)
    silence_s: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 5.0

    def __post_init__(self) -> None:
        """Check what types cannot."""
        check_weighing(self.mass_unit, self.scale, self.capacity_g, self.stable_spread_g)
        if not is_of_a_size(self.offset):
            raise ValueError(f"offset {self.offset} must be a number, and of a size that weights have")
        _compiled("fault", self.fault)
        groups = _compiled("pattern", self.pattern).groupindex
        if self.pattern and not {"value"} <= groups.keys() <= KNOWN_GROUPS:
            raise ValueError(f"pattern: it needs a group (?P<value>…), and may have {', '.join(sorted(KNOWN_GROUPS))}")

    @property
    def form(self) -> Form:
        """How its lines are to be read."""
        return Form(_compiled("fault", self.fault), _compiled("pattern", self.pattern) if self.pattern else None)

    def to_grams(self, reading: Reading) -> Decimal:
        """The weight, exact.

        Raises:
            FrameError: it cannot be one.
        """
        unit = reading.unit or self.mass_unit
        grams_per_unit = GRAMS.get(unit) or GRAMS.get(unit.lower())
        if grams_per_unit is None:
            raise FrameError(f"unit {unit!r} is none of {', '.join(GRAMS)}")
        grams = (reading.value - self.offset) * self.scale * grams_per_unit
        if abs(grams) > self.capacity_g:
            raise FrameError(
                f"{reading.value} is {grams:f} g, beyond capacity_g = {self.capacity_g:f}; check offset, scale and mass_unit"
            )
        return grams


def _compiled(key: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"{key}: {pattern!r} is no regular expression: {error}") from error
