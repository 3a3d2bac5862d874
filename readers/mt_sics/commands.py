"""MT-SICS scale, command layer: what the host may send, and what the answers mean.

Zero and tare are not here on purpose: nobody may zero a stocked shelf.  Neither is `@`: it clears the tare.
Source: MT-SICS reference manual, levels 0 and 1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from readers.errors import FrameError
from readers.mass import GRAMS
from readers.mt_sics.codec import Line

WEIGH_NOW = Line("SI")
"""One value at once; also ends a stream."""
STREAM = Line("SIR")
"""A value at once and again and again, stable or not."""
SERIAL_NUMBER = Line("I4")

WEIGHT_COMMANDS = ("S", "SI", "SIR", "SR", "SU")
ERRORS: Mapping[str, str] = {"ES": "syntax_error", "ET": "transmission_error", "EL": "logical_error"}
_WEIGHT = re.compile(r" *(-?\d+(?:\.\d+)?) (\S+)")
_STATUS: Mapping[str, str] = {
    "S": "stable",
    "D": "dynamic",
    "A": "done",
    "B": "more_follows",
    "I": "not_executable",
    "L": "wrong_parameter",
}
_LIMITS: Mapping[tuple[bool, str], str] = {
    (True, "+"): "overload",
    (True, "-"): "underload",
    (False, "+"): "upper_limit",
    (False, "-"): "lower_limit",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the scale.

    Args:
        command: what it answers; ES, ET and EL answer what could not be understood.
        status: the status letter in words.
        value: the weight as decimal text, exactly as printed; None where the answer carries none.
        unit: of the value.
        text: what an information command tells, without its quotes.
    """

    command: str
    status: str
    value: str | None = None
    unit: str | None = None
    text: str | None = None


def parse(line: Line) -> Answer:
    """The meaning of a line of the scale."""
    if line.text in ERRORS:
        return Answer(line.text, ERRORS[line.text])
    command, letter, rest = (*line.text.split(" ", 2), "")[:3]
    weighing = command in WEIGHT_COMMANDS
    status = _STATUS.get(letter) or _LIMITS[weighing, letter]
    if not rest:
        return Answer(command, status)
    weight = _WEIGHT.fullmatch(rest)
    if weight is not None:
        return Answer(command, status, weight[1], weight[2])
    return Answer(command, status, text=_unquote(rest))


def to_grams(answer: Answer) -> Decimal:
    """The answer's weight in grams, exact.

    Raises:
        FrameError: no weight, or a unit that is no mass.
    """
    if answer.value is None or answer.unit is None:
        raise FrameError(f"{answer.command} answer ({answer.status}) carries no weight")
    if answer.unit not in GRAMS:
        raise FrameError(f"unit {answer.unit!r} is none of {', '.join(GRAMS)}; set the scale to grams")
    return Decimal(answer.value) * GRAMS[answer.unit]


def _unquote(rest: str) -> str:
    pieces = rest.split('"')
    return rest if len(pieces) < 3 else " ".join(pieces[1::2])
