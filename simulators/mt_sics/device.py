"""Firmware of a weighing terminal with MT-SICS levels 0 and 1: ASCII lines, CR LF.

A weight is `ID, status, value right-aligned in 10 characters, unit`; status S stable, D moving, + over and - under the range,
I not now.  ES: no such command; EL: wrong parameters.  S, SI, SIR, SR and @ end a running SIR or SR.
Source: METTLER TOLEDO MT-SICS reference manual; captures of independent drivers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

MAX_LINE_BYTES = 80
UNDERLOAD_G = -50.0


class Reading(Protocol):
    """What the load cell says."""

    @property
    def grams(self) -> float: ...

    @property
    def stable(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Terminal:
    """One make of the terminal.

    Args:
        decimals: of a weight in grams, fixed by the device.
        repeat_s: between two lines of SIR.
        patience_s: how long S, Z and T wait for a stable weight before they say I.
        speaks_at_power_up: whether it greets with its I4 line.
    """

    model: str = "ICS469 OU"
    serial: str = "B021002593"
    capacity_g: float = 15_000.0
    decimals: int = 1
    repeat_s: float = 0.1
    patience_s: float = 3.0
    speaks_at_power_up: bool = True


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A command that waits for a stable weight."""

    command: str
    until_ns: int


class MtSicsDevice:
    """One terminal on its line.  `weigh` is asked for the load at a time in UTC ns."""

    baud = 9600

    def __init__(self, weigh: Callable[[int], Reading], *, terminal: Terminal | None = None) -> None:
        self.terminal = terminal or Terminal()
        self._weigh = weigh
        self._line = bytearray()
        self._greeting = ""
        self._zero_g = self._tare_g = 0.0
        self._waiting: _Waiting | None = None
        self._repeat_at_ns: int | None = None  # SIR runs
        self._last_sent_g: float | None = None  # SR runs, and this stable weight was the last
        self._is_moving = False
        self.power_cycle()

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """Answers to the whole command lines in what the host sent so far."""
        self._line += data
        out = ""
        while (end := self._line.find(b"\n")) >= 0:
            line = bytes(self._line[:end]).rstrip(b"\r")
            del self._line[: end + 1]
            out += self._obey(line.decode("ascii", "replace"), now_ns) if line else ""
        if len(self._line) > MAX_LINE_BYTES:
            self._line.clear()
            out += "ET\r\n"
        return out.encode("ascii")

    def tick(self, now_ns: int) -> bytes:
        """What it says by itself: its greeting, repeated weights, and answers that waited for rest."""
        out, self._greeting = self._greeting, ""
        if self._waiting is not None:
            out += self._try_waiting(now_ns)
        if self._repeat_at_ns is not None and now_ns >= self._repeat_at_ns:
            out += self._weight("S", now_ns)
            self._repeat_at_ns = max(self._repeat_at_ns + int(self.terminal.repeat_s * 1e9), now_ns)
        if self._last_sent_g is not None:
            out += self._on_change(now_ns)
        return out.encode("ascii")

    def power_cycle(self) -> None:
        """The terminal lost its power and got it back; zero and tare are as they left the factory."""
        self._line.clear()
        self._zero_g = self._tare_g = 0.0
        self._silence()
        self._greeting = self._serial_line() if self.terminal.speaks_at_power_up else ""

    def _silence(self) -> None:
        self._waiting = self._repeat_at_ns = self._last_sent_g = None
        self._is_moving = False

    def _obey(self, line: str, now_ns: int) -> str:
        command, _, parameters = line.partition(" ")
        if command in self._texts():
            return self._texts()[command] if not parameters else "EL\r\n"
        if command not in ("S", "SI", "SIR", "SR", "Z", "ZI", "T", "TI", "@"):
            return "ES\r\n"
        if parameters:
            return "EL\r\n"
        if command not in ("Z", "ZI", "T", "TI"):
            self._silence()
        match command:
            case "@":
                self._tare_g = 0.0
                return self._serial_line()
            case "SIR":
                self._repeat_at_ns = now_ns + int(self.terminal.repeat_s * 1e9)
                return self._weight("S", now_ns)
            case "SI":
                return self._weight("S", now_ns)
            case "ZI" | "TI":
                return self._set_reference(command, now_ns)
        self._waiting = _Waiting(command, now_ns + int(self.terminal.patience_s * 1e9))
        return self._try_waiting(now_ns)

    def _try_waiting(self, now_ns: int) -> str:
        """The answer of S, SR, Z or T once the weight is stable or out of range; `I` when patience is over; else nothing."""
        waiting = self._waiting
        if waiting is None:
            return ""
        reading = self._weigh(now_ns)
        if not reading.stable and self._range_sign(reading) is None:
            if now_ns < waiting.until_ns:
                return ""
            self._waiting = None
            return f"{waiting.command[0]} I\r\n"
        self._waiting = None
        if waiting.command in ("Z", "T"):
            return self._set_reference(waiting.command, now_ns)
        if waiting.command == "SR":
            self._last_sent_g = self._net_g(reading)
        return self._weight("S", now_ns)

    def _set_reference(self, command: str, now_ns: int) -> str:
        reading = self._weigh(now_ns)
        if (sign := self._range_sign(reading)) is not None:
            return f"{command} {sign}\r\n"
        status = "S" if reading.stable else "D"
        if command[0] == "Z":
            self._zero_g, self._tare_g = reading.grams, 0.0
            return f"{command} {'A' if command == 'Z' else status}\r\n"
        self._tare_g = reading.grams - self._zero_g
        return f"{command} {status} {self._text(self._tare_g)}\r\n"

    def _on_change(self, now_ns: int) -> str:
        """SR: one dynamic weight when the load starts to change, one stable when it is at rest."""
        reading, last_g = self._weigh(now_ns), self._last_sent_g
        assert last_g is not None
        step_g = 30 * 10**-self.terminal.decimals
        if not self._is_moving and abs(self._net_g(reading) - last_g) >= max(step_g, abs(last_g) / 8):
            self._is_moving = True
            if not reading.stable:
                return self._weight("S", now_ns)
        if self._is_moving and reading.stable:
            self._is_moving, self._last_sent_g = False, self._net_g(reading)
            return self._weight("S", now_ns)
        return ""

    def _weight(self, command: str, now_ns: int) -> str:
        reading = self._weigh(now_ns)
        if (sign := self._range_sign(reading)) is not None:
            return f"{command} {sign}\r\n"
        return f"{command} {'S' if reading.stable else 'D'} {self._text(self._net_g(reading))}\r\n"

    def _text(self, grams: float) -> str:
        rounded = round(grams, self.terminal.decimals) + 0.0  # no "-0.0"
        return f"{rounded:10.{self.terminal.decimals}f} g"

    def _net_g(self, reading: Reading) -> float:
        return reading.grams - self._zero_g - self._tare_g

    def _range_sign(self, reading: Reading) -> str | None:
        gross_g = reading.grams - self._zero_g
        return "+" if gross_g > self.terminal.capacity_g else "-" if gross_g < UNDERLOAD_G else None

    def _serial_line(self) -> str:
        return f'I4 A "{self.terminal.serial}"\r\n'

    def _texts(self) -> dict[str, str]:
        commands = [(0, name) for name in ("I0", "I1", "I2", "I3", "I4", "S", "SI", "SIR", "Z", "ZI", "@")]
        commands += [(1, name) for name in ("SR", "T", "TI")]
        lines = [f'I0 {"A" if number == len(commands) else "B"} {level} "{name}"\r\n'
                 for number, (level, name) in enumerate(commands, start=1)]  # fmt: skip
        return {
            "I0": "".join(lines),
            "I1": 'I1 A "01" "2.00" "2.20" "" ""\r\n',
            "I2": f'I2 A "{self.terminal.model} {self.terminal.capacity_g / 1000:.2f} kg"\r\n',
            "I3": 'I3 A "1.00 10.28.0.493.142"\r\n',
            "I4": self._serial_line(),
        }
