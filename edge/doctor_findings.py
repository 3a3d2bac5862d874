"""What the doctor says: one line, how bad it is, and the next step."""

from dataclasses import dataclass

from readers.errors import ReaderError, ReaderRefused
from readers.health import ReaderHealth

WRONG, LOOK, GOOD = 2, 1, 0
CHECK = "check cable, power and `type`; then run this again"
REFUSED = "change that in its stanza; the device's manual explains the code"
REFUSED_STEPS = (
    ("region", "set `region` to one that this device has and the law here allows"),
    ("power", "set power_dbm to what this device can do in this region"),
    ("antenna", "set active_antennas to those that are connected"),
)
"""By a word of the refusal."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report.

    Args:
        level: 2 wrong, 1 worth a look, 0 good.
        next_step: what to do; empty where nothing needs doing.
    """

    level: int
    what: str
    next_step: str = ""


def troubled(device_id: str, said: str, error: ReaderError) -> Finding:
    """The finding for a driver's error, whose second half says what to do.

    Args:
        said: what goes before it.
    """
    why, _, step = str(error).partition("; ")
    return Finding(WRONG, f"{device_id}: {said}{why}", step or _usual_step(error))


def answers(device_id: str, type_name: str, said: str, health: ReaderHealth) -> Finding:
    """The finding for a device that works; worth a look where it warns of itself."""
    what = f"{device_id}: {type_name} answers; {said}{celsius(health.temperature_c)}"
    return warned(what, health.alarm) or Finding(GOOD, what)


def warned(what: str, alarm: str | None, level: int = LOOK) -> Finding | None:
    """The finding for a device's own warning, whose second half says what to do; None where there is none."""
    if not alarm:
        return None
    why, _, step = alarm.partition("; ")
    return Finding(level, f"{what}; it warns: {why}", step)


def celsius(temperature_c: float | None) -> str:
    """How warm a device says it is; empty where it does not."""
    return "" if temperature_c is None else f", {temperature_c:.0f} C"


def _usual_step(error: ReaderError) -> str:
    if not isinstance(error, ReaderRefused):
        return CHECK
    return next((step for word, step in REFUSED_STEPS if word in str(error)), REFUSED)
