"""TFmini laser range finder, frame layer: bytes <-> frames.  All numbers little-endian.

    measurement          59 59 | distance u16 | strength u16 | extra u16 | sum      a hundred a second
    text                 "1.21" CR LF, metres                                       instead of it, where so set
    command, Plus and S  5A | length u8 of all | id u8 | payload | sum
    command, original    42 57 02 | 0 asked, 1 answered | value u24 | code u8

The sum is the low byte of the sum of all before it.  59 59 stands in data too, so a measurement counts where it follows a
sound frame, or where the next frame begins right behind it.  Text and the original's commands have no check.
Source: Benewake TFmini product manual, sections 4.3 and 6; TFmini Plus data sheet, sections 4.3 and 6.
"""

import re
from dataclasses import dataclass

from readers.framing import BAD_CHECK, Broken, Direction, Found, Noise, Sound, StreamDecoder

HEADER, COMMAND, SETUP = 0x59, 0x5A, b"\x42\x57\x02"
MEASUREMENT_SIZE, SETUP_SIZE = 9, 8
MIN_COMMAND, MAX_COMMAND = 4, 32
MAX_TEXT = 7
_TEXT = re.compile(rb"(\d{1,2}\.\d\d|-1|-1\.00)\r\n")
_TEXT_BYTES = re.compile(rb"[-0-9.]*\r?")
_FROM_DEVICE = re.compile(rb"[\x59\x5a\x42\-0-9]")
_TO_DEVICE = re.compile(rb"[\x5a\x42]")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement as it came; 16 bits each.

    Args:
        distance: cm as delivered; may be set to mm.
        strength: of the echo; scales differ between models.
        extra: original: its mode in the low byte; Plus and S: temperature.
    """

    distance: int
    strength: int
    extra: int = 0

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        numbers = (self.distance, self.strength, self.extra)
        return _summed(bytes([HEADER, HEADER]) + b"".join(n.to_bytes(2, "little") for n in numbers))


@dataclass(frozen=True, slots=True)
class Text:
    """One measurement in text mode: metres with two decimals, -1 for none."""

    metres: str

    def to_bytes(self) -> bytes:
        """The line as it goes over the wire."""
        return self.metres.encode("ascii") + b"\r\n"


@dataclass(frozen=True, slots=True)
class Command:
    """A command to a Plus or S, or its answer: same shape, same id.

    Args:
        payload: at most 28 bytes.
    """

    id: int
    payload: bytes = b""

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        return _summed(bytes([COMMAND, len(self.payload) + MIN_COMMAND, self.id]) + self.payload)


@dataclass(frozen=True, slots=True)
class Setup:
    """A command to an original TFmini, or its echo.

    Args:
        value: three bytes.
    """

    code: int
    value: bytes
    answered: bool = False

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        return SETUP + bytes([self.answered]) + self.value + bytes([self.code])


Frame = Measurement | Text | Command | Setup


class FrameDecoder(StreamDecoder[Frame]):
    """Feed any slices, get whole frames.

    Args:
        direction: whose frames; the host sends commands only.
    """

    def __init__(self, direction: Direction = "from_reader") -> None:
        super().__init__()
        self._from_reader = direction == "from_reader"
        self._start = _FROM_DEVICE if self._from_reader else _TO_DEVICE
        self._ending = False  # nothing will follow what is here

    def finish(self) -> list[Found[Frame] | Noise]:
        """As ever; the very last measurement needs none behind it."""
        self._ending = True
        try:
            return super().finish()
        finally:
            self._ending = False

    def _seek(self, buffer: bytearray, start: int) -> int:
        found = self._start.search(buffer, start)
        return len(buffer) if found is None else found.start()

    def _examine(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        first = buffer[start]
        if first == HEADER:
            return self._examine_measurement(buffer, start)
        if first == COMMAND:
            return _examine_command(buffer, start)
        return self._examine_setup(buffer, start) if first == SETUP[0] else _examine_text(buffer, start)

    def _examine_measurement(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        if len(buffer) - start > 1 and buffer[start + 1] != HEADER:
            return Broken("one 59, not two")
        if len(buffer) - start < MEASUREMENT_SIZE:
            return None
        why = _why_wrong_sum(buffer, start, MEASUREMENT_SIZE)
        if why:
            return Broken(why, BAD_CHECK)
        behind = bytes(buffer[start + MEASUREMENT_SIZE : start + MEASUREMENT_SIZE + 2])
        if not self._in_step and not (self._ending and not behind):
            if len(behind) < 2:
                return None
            if behind != bytes([HEADER, HEADER]) and behind[0] != COMMAND:
                return Broken("a right sum, but no frame behind it", BAD_CHECK)
        numbers = (int.from_bytes(buffer[start + at : start + at + 2], "little") for at in (2, 4, 6))
        return Sound(Measurement(*numbers), MEASUREMENT_SIZE)

    def _examine_setup(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        raw = bytes(buffer[start : start + SETUP_SIZE])
        if not SETUP.startswith(raw[:3]) and not raw.startswith(SETUP):
            return Broken("no whole header")
        if len(raw) < SETUP_SIZE:
            return None
        if raw[3] != self._from_reader:
            return Broken(f"fourth byte 0x{raw[3]:02x}, not 0x{self._from_reader:02x}")
        return Sound(Setup(raw[7], raw[4:7], answered=self._from_reader), SETUP_SIZE)


def _examine_command(buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
    if len(buffer) - start < 2:
        return None
    size = buffer[start + 1]
    if not MIN_COMMAND <= size <= MAX_COMMAND:
        return Broken(f"length {size}, a command has {MIN_COMMAND} to {MAX_COMMAND}")
    if len(buffer) - start < size:
        return None
    why = _why_wrong_sum(buffer, start, size)
    if why:
        return Broken(why, BAD_CHECK)
    return Sound(Command(buffer[start + 2], bytes(buffer[start + 3 : start + size - 1])), size)


def _examine_text(buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
    line = bytes(buffer[start : start + MAX_TEXT])
    end = line.find(b"\n") + 1
    if not end:
        unfinished = len(line) < MAX_TEXT and _TEXT_BYTES.fullmatch(line)
        return None if unfinished else Broken("no line of text mode")
    if _TEXT.fullmatch(line[:end]) is None:
        return Broken("no line of text mode")
    return Sound(Text(line[: end - 2].decode("ascii")), end)


def _why_wrong_sum(buffer: bytearray, start: int, size: int) -> str:
    check, computed = buffer[start + size - 1], sum(buffer[start : start + size - 1]) & 0xFF
    return "" if check == computed else f"checksum {check:02x}, computed {computed:02x}"


def _summed(body: bytes) -> bytes:
    return body + bytes([sum(body) & 0xFF])
