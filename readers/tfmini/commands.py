"""TFmini laser range finder, command layer: what the host may send, and what measurements and answers mean.

Nothing that a Plus or S is told here is saved in it; every `Setup` of an original is.
Source: TFmini Plus data sheet A04, table 6 and section 4.4; TFmini product manual, sections 4.4 and 6.3; drivers of TFmini-S.
"""

from dataclasses import dataclass

from readers.errors import FrameError
from readers.tfmini.codec import Command, Measurement, Setup, Text

GET_VERSION = Command(0x01)
FORMAT_ID, OUTPUT_ID, RATE_ID = 0x05, 0x07, 0x03
FORMAT_CM, OUTPUT_ON = Command(FORMAT_ID, b"\x01"), Command(OUTPUT_ID, b"\x01")

BEGIN_SETUP, END_SETUP = Setup(0x02, b"\0\0\x01"), Setup(0x02, b"\0\0\0")
SETUP_BINARY = Setup(0x06, b"\0\0\x01")

MIN_STRENGTH, MIN_STRENGTH_PLUS = 20, 100
"""Below it the distance is not to be relied on: original; Plus and S."""
SATURATED = 0xFFFF
MAX_DISTANCE_CM = 1500
"""What is more is no distance: FFFF, FFFE and FFFC say too weak, too strong and blinded."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a measurement says.

    Args:
        distance_cm: None where it is not to be relied on, which is not the same as far.
        strength: of the echo; None in text mode.
        mode: original: how it measures, 0 or 2 near to 7 far; None on a Plus or S.
        temperature_c: Plus and S: the chip's; None on an original.
    """

    distance_cm: int | None
    strength: int | None = None
    mode: int | None = None
    temperature_c: float | None = None


def frame_rate(rate_hz: int) -> Command:
    """The order to measure so often, on a Plus or S.

    Args:
        rate_hz: 0 to 1000; a whole part of 1000; 0: only when triggered.
    """
    if not 0 <= rate_hz <= 1000 or (rate_hz and 1000 % rate_hz):
        raise ValueError(f"{rate_hz} Hz: 1000 / n, or 0")
    return Command(RATE_ID, rate_hz.to_bytes(2, "little"))


def parse(measurement: Measurement, min_strength: int) -> Reading:
    """What a measurement says.  An original's high byte behind the mode is spare and 0; a temperature's never is."""
    distance, strength, extra = measurement.distance, measurement.strength, measurement.extra
    reliable = 0 < distance <= MAX_DISTANCE_CM and min_strength <= strength < SATURATED
    distance_cm = distance if reliable else None
    if extra < 0x100:
        return Reading(distance_cm, strength, mode=extra)
    return Reading(distance_cm, strength, temperature_c=extra / 8 - 256)


def parse_text(text: Text) -> Reading:
    """The same in text mode, which tells neither strength nor temperature."""
    distance_cm = round(float(text.metres) * 100)
    return Reading(distance_cm if 0 < distance_cm <= MAX_DISTANCE_CM else None)


def parse_version(answer: Command) -> str:
    """The firmware of a Plus or S: 1.9.6.

    Raises:
        FrameError: not three bytes.
    """
    if len(answer.payload) != 3:
        raise FrameError(f"a version has three bytes, not {len(answer.payload)}")
    return ".".join(str(byte) for byte in reversed(answer.payload))
