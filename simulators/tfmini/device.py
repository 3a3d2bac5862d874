"""Firmware of a TFmini, TFmini Plus or TFmini-S: nine bytes a hundred times a second, whoever listens.

    59 59 | distance u16 | strength u16 | mode and spare, or temperature u16 | sum of the eight      little-endian

A Plus or S obeys 5A length id payload sum, and echoes settings; an original 42 57 02 00 value(3) code between two such
that begin and end its setup, and echoes with 01.  An echo too weak: an original says FFFF, a Plus or S 0.
Source: Benewake TFmini and TFmini Plus product manuals; independent drivers of the Plus.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

MAX_HEARD_BYTES = 64
BINARY, TEXT, MILLIMETRES = 1, 2, 6


@dataclass(frozen=True, slots=True)
class Echo:
    """What comes back: how far the target is and how strongly it reflects."""

    distance_cm: int
    strength: int


@dataclass(frozen=True, slots=True)
class Firmware:
    """One make, and the state in which a host finds it.

    Args:
        model: the original cannot be asked for its version.
        rate_hz: measurements per second.
        format: 1 centimetres, 2 text, 6 millimetres; what it has after power-up.
        output: whether it sends by itself.
        version: of a Plus or S.
        temperature_c: of a Plus or S.
        one_echo: an original that answers a setting with the echo of the order that began the setup, as its manual has it.
    """

    model: Literal["original", "plus"] = "plus"
    rate_hz: int = 100
    format: int = BINARY
    output: bool = True
    version: tuple[int, int, int] = (1, 9, 6)
    temperature_c: float = 41.5
    one_echo: bool = False

    @property
    def weakest(self) -> int:
        """The weakest echo that it relies on."""
        return 20 if self.model == "original" else 100


class TfMiniDevice:
    """One range finder on its line.  `look` gives the echo at a time in UTC ns."""

    baud = 115200

    def __init__(self, look: Callable[[int], Echo], *, firmware: Firmware | None = None) -> None:
        self.firmware = firmware or Firmware()
        self.written = 0
        """How often settings were written to the flash."""
        self._look = look
        self._heard = bytearray()
        self._at_ns: int | None = None
        self._saved = (self.firmware.format, self.firmware.output, self.firmware.rate_hz)
        self._format, self._output, self._rate_hz = self._saved
        self._in_setup = False

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """Answers to the whole commands in what the host sent so far."""
        self._heard += data
        del self._heard[:-MAX_HEARD_BYTES]
        take = self._take_setup if self.firmware.model == "original" else self._take_command
        out = b""
        while len(self._heard) >= 4 and (answer := take(now_ns)) is not None:
            out += answer
        return out

    def tick(self, now_ns: int) -> bytes:
        """The measurements that are due, at most a few at once."""
        if self._at_ns is None:
            self._at_ns = now_ns
        if not self._output or not self._rate_hz:
            self._at_ns = now_ns
            return b""
        period_ns = 1_000_000_000 // self._rate_hz
        out = b""
        self._at_ns = max(self._at_ns, now_ns - 5 * period_ns)
        while self._at_ns <= now_ns:
            out += self._measure(self._at_ns)
            self._at_ns += period_ns
        return out

    def power_cycle(self) -> None:
        """The device lost its power and got it back: what was not saved is gone."""
        self._heard.clear()
        self._format, self._output, self._rate_hz = self._saved
        self._in_setup, self._at_ns = False, None

    def _measure(self, now_ns: int) -> bytes:
        echo = self._look(now_ns)
        weak = echo.strength < self.firmware.weakest
        if self._format == TEXT:
            return (b"-1" if weak else f"{echo.distance_cm / 100:.2f}".encode()) + b"\r\n"
        distance = echo.distance_cm * (10 if self._format == MILLIMETRES else 1)
        if weak:
            distance = 0xFFFF if self.firmware.model == "original" else 0
        extra = 7 if self.firmware.model == "original" else round((self.firmware.temperature_c + 256) * 8)
        return _with_sum(b"\x59\x59" + b"".join(n.to_bytes(2, "little") for n in (distance, echo.strength, extra)))

    def _take_command(self, now_ns: int) -> bytes | None:
        """The answer to the next command of a Plus or S; None while it is not all here."""
        size = self._heard[1]
        if self._heard[0] != 0x5A or size < 4:
            del self._heard[0]
            return b""
        if len(self._heard) < size:
            return None
        raw = bytes(self._heard[:size])
        if _with_sum(raw[:-1]) != raw:
            del self._heard[0]
            return b""
        del self._heard[:size]
        return self._obey(raw, raw[2], raw[3:-1], now_ns)

    def _obey(self, raw: bytes, number: int, payload: bytes, now_ns: int) -> bytes:
        match number:
            case 0x01:
                return _with_sum(bytes([0x5A, 7, 1, *reversed(self.firmware.version)]))
            case 0x02:
                self.power_cycle()
                return _with_sum(bytes([0x5A, 5, 2, 0]))
            case 0x03 if len(payload) == 2:
                self._rate_hz = int.from_bytes(payload, "little")
            case 0x04:
                return self._measure(now_ns)
            case 0x05 if payload in (b"\x01", b"\x02", b"\x06"):
                self._format = payload[0]
            case 0x07 if payload in (b"\x00", b"\x01"):
                self._output = payload == b"\x01"
            case 0x11:
                self._saved = (self._format, self._output, self._rate_hz)
                self.written += 1
                return _with_sum(bytes([0x5A, 5, 0x11, 0]))
            case _:
                return b""
        return raw

    def _take_setup(self, now_ns: int) -> bytes | None:  # noqa: ARG002  the other kind of command needs the time
        """The echo of the next order to an original; None while it is not all here."""
        if self._heard[:4] != b"\x42\x57\x02\x00":
            del self._heard[0]
            return b""
        if len(self._heard) < 8:
            return None
        value, code = bytes(self._heard[4:7]), self._heard[7]
        del self._heard[:8]
        if code == 0x02:
            self._in_setup = value[2] == 1
        elif not self._in_setup:
            return b""
        elif code == 0x06:
            self._format = BINARY if value[2] == 1 else TEXT
            self._write()
        elif code == 0x1A:
            self._format = BINARY if value[2] == 1 else MILLIMETRES
            self._write()
        if self.firmware.one_echo and code != 0x02:
            value, code = b"\x00\x00\x01", 0x02
        return b"\x42\x57\x02\x01" + value + bytes([code])

    def _write(self) -> None:
        self._saved = (self._format, self._output, self._rate_hz)
        self.written += 1


def _with_sum(body: bytes) -> bytes:
    return body + bytes([sum(body) & 0xFF])
