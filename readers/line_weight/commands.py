r"""Scales that print text: what a line says.

Nobody has set a standard; these shapes are found, each the whole of its line:

    12.3                                  a number by itself; the line before may be its label, "Reading:"
    Weight: 12.3 g                        label, number, unit
    ST,GS,+  1.234kg   wn  0.123kg        indicators: ST at rest, US moving, OL overload; GS gross, NT and wn net
    {"ch1": 8123, "ch2": -55}   812,-55   several channels, by name or by place, which counts from 1

Any other shape is described by a pattern.  Source: sketches for the HX711 amplifier and its library's examples; manuals
of indicators (KERN KFB, Tiger TI-02, Selleton 7516) for ST and US; HX711 data sheet for the limits.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from readers.errors import FrameError
from readers.mass import GRAMS

FAULT = r"not (?:found|ready)|\b(?:nan|inf|ovf|OL)\b|error|fail|time ?out"
"""The board has no weight: its amplifier does not answer, its number is none (as Arduino prints it), it is overloaded."""
LIMITS = (Decimal(2**23 - 1), Decimal(-(2**23)))
"""What the amplifier gives when its 24 bits do not suffice, as with a load cell whose wire is off."""

_NUMBER = r"[+-]? *(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})"
_UNIT = "|".join(sorted(GRAMS, key=len, reverse=True))
_NAME = r"[A-Za-z](?:[\w .#-]{0,38}[\w#])?"
_ITEM = re.compile(
    rf"""(?:(?P<quote>["']?)(?P<channel>{_NAME})(?P=quote)(?:\s*[:=]\s*|\s+))?(?P<value>{_NUMBER})\s*(?P<unit>{_UNIT})?""",
    re.IGNORECASE,
)
_INDICATOR = re.compile(
    rf"(?:(?:(?P<stable>ST)|(?P<moving>US)),(?:GS|NT)\s*,?|wn)\s*(?P<value>{_NUMBER})\s*,?\s*(?P<unit>{_UNIT})?",
    re.IGNORECASE,
)
_LABEL = re.compile(rf"""["']?({_NAME})["']?\s*[:=]""")
_SEPARATOR = re.compile(r"[,;|]")


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of a line.

    Args:
        value: as printed.
        unit: as printed, None where none is.
        channel: the label before it, or its place among several; empty where it stands alone.
        stable: the scale's own word, None where it gives none.
    """

    value: Decimal
    unit: str | None = None
    channel: str = ""
    stable: bool | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """The scale says that it has no weight."""

    text: str


@dataclass(frozen=True, slots=True)
class Label:
    """A line that says what the number on the next one is."""

    name: str


Said = tuple[Reading, ...] | Fault | Label
"""What a line says; no readings: it says nothing of weights."""


@dataclass(frozen=True, slots=True)
class Form:
    """How to read lines.

    Args:
        fault: found anywhere in a line that tells a fault.
        pattern: matches the whole of a line that tells a weight, with a group `value` and perhaps `unit` and `channel`;
            groups `stable` and `moving` take part in the match when it is so.  None: the shapes that are found.
    """

    fault: re.Pattern[str] = re.compile(FAULT, re.IGNORECASE)
    pattern: re.Pattern[str] | None = None

    def read(self, text: str) -> Said:
        """What a line says.

        Raises:
            FrameError: the pattern's value is no number.
        """
        if self.fault.search(text):
            return Fault(text)
        if self.pattern is not None:
            found = self.pattern.fullmatch(text)
            readings: tuple[Reading, ...] = () if found is None else (_reading(found),)
        elif (indicated := _INDICATOR.fullmatch(text)) is not None:
            readings = (_reading(indicated),)
        else:
            readings = _items(text)
        if any(reading.value in LIMITS for reading in readings):
            return Fault(text)
        label = _LABEL.fullmatch(text)
        return Label(label[1]) if label is not None and not readings else readings


def _items(text: str) -> tuple[Reading, ...]:
    """The numbers of a line that consists of nothing else."""
    inner = text[1:-1] if text[:1] + text[-1:] in ("{}", "[]") else text
    found = [_ITEM.fullmatch(item.strip()) for item in _SEPARATOR.split(inner)]
    readings = tuple(_reading(item) for item in found if item is not None)
    if len(readings) < len(found):
        return ()
    if len(readings) == 1:
        return readings
    return tuple(
        Reading(reading.value, reading.unit, reading.channel or str(place))
        for place, reading in enumerate(readings, start=1)
    )


def _reading(found: re.Match[str]) -> Reading:
    groups = found.groupdict()
    text = re.sub(r"\s", "", groups["value"] or "")
    if re.fullmatch(_NUMBER, text) is None:
        raise FrameError(f"{groups['value']!r} is no number; check the group `value` of the pattern")
    return Reading(Decimal(text), groups.get("unit"), groups.get("channel") or "", _is_stable(groups))


def _is_stable(groups: Mapping[str, str | None]) -> bool | None:
    if groups.get("stable") is not None:
        return True
    if groups.get("moving") is not None:
        return False
    if "stable" in groups and "moving" in groups:
        return None
    return False if "stable" in groups else True if "moving" in groups else None
