"""Firmware of an HLK-LD2410 radar: reports by itself, is set up between two commands, keeps its settings without power.

Little-endian, no checksum.  A report is F4 F3 F2 F1, length, type (2 basic, 1 engineering), AA, data, 55 00,
F8 F7 F6 F5; a command FD FC FB FA, length, code, value, 04 03 02 01.  An answer has code + 0x100 and a status, 0 done.
Outside its configuration mode only the command that enters it is heard; inside it sends no reports.
Source: HLK-LD2410 serial communication protocol V1.02, LD2410C V1.07; comments of independent drivers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

BAUDS = (0, 9600, 19200, 38400, 57600, 115200, 230400, 256000, 460800)
MAX_HEARD_BYTES = 256
COMMAND_HEAD, COMMAND_TAIL = b"\xfd\xfc\xfb\xfa", b"\x04\x03\x02\x01"
OK, FAILED = b"\x00\x00", b"\x01\x00"


@dataclass(frozen=True, slots=True)
class Scene:
    """What is before the radar; 0 cm: nothing of the kind."""

    moving_cm: int = 0
    still_cm: int = 0


@dataclass(frozen=True, slots=True)
class Firmware:
    """One make of the firmware, and the state in which a host finds it.

    Args:
        version: major, minor, and the date as it is printed.
        report_s: between two reports.
        ghost_cm: distance that it goes on telling when nobody is there.
        still_in_moving_field: a still target's distance is told as that of a moving one.
        engineering: somebody has switched engineering mode on.
        configuring: a host has crashed in the middle of setting it up.
        deaf_to_first: it does not hear the first command after power-up.
        reserved_tail: protocol before V1.06: neither light nor pin, but leftovers.
        report_before_answer: a report that was under way comes before the answer that begins the configuration.
        refuses: codes of commands that it answers with status 1.
    """

    version: tuple[int, int, str] = (1, 7, "22091516")
    report_s: float = 0.1
    ghost_cm: int = 0
    still_in_moving_field: bool = False
    engineering: bool = False
    configuring: bool = False
    deaf_to_first: bool = False
    reserved_tail: bool = False
    report_before_answer: bool = True
    refuses: tuple[int, ...] = ()


@dataclass(slots=True)
class _Kept:
    """What survives a loss of power."""

    max_moving: int = 8
    max_still: int = 8
    hold_s: int = 5
    resolution: int = 0
    baud: int = 7
    moving: list[int] = field(default_factory=lambda: [50, 50, 40, 30, 20, 15, 15, 15, 15])
    still: list[int] = field(default_factory=lambda: [0, 0, 40, 40, 30, 30, 20, 20, 20])


class Ld2410Device:
    """One radar on its line.  `look` is asked for what is before it at a time in UTC ns."""

    def __init__(self, look: Callable[[int], Scene], *, firmware: Firmware | None = None) -> None:
        self.firmware = firmware or Firmware()
        self.kept = _Kept()
        self.written = 0
        """How often settings were written to the flash."""
        self._look = look
        self._heard = bytearray()
        self._report_at_ns: int | None = None
        self._seen: tuple[Scene, int] | None = None  # the last target, and when
        self._engineering, self._configuring = self.firmware.engineering, self.firmware.configuring
        self._deaf = self.firmware.deaf_to_first
        self._baud = BAUDS[self.kept.baud]

    @property
    def baud(self) -> int:
        """The line's speed now."""
        return self._baud

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """Answers to the whole commands in what the host sent so far; noise between them is skipped."""
        self._heard += data
        out = b""
        while (start := self._heard.find(COMMAND_HEAD)) >= 0:
            del self._heard[:start]
            size = int.from_bytes(self._heard[4:6], "little")
            if len(self._heard) < 6 or len(self._heard) < 10 + size <= MAX_HEARD_BYTES:
                return out
            body, tail = bytes(self._heard[6 : 6 + size]), bytes(self._heard[6 + size : 10 + size])
            sound = tail == COMMAND_TAIL and size >= 2
            del self._heard[: 10 + size if sound else 1]
            if sound:
                out += self._obey(int.from_bytes(body[:2], "little"), body[2:], now_ns)
        del self._heard[: max(0, len(self._heard) - 3)]
        return out

    def tick(self, now_ns: int) -> bytes:
        """The report that is due."""
        if self._report_at_ns is None:
            self._report_at_ns = now_ns
        if now_ns < self._report_at_ns or self._configuring:
            return b""
        self._report_at_ns = max(self._report_at_ns + int(self.firmware.report_s * 1e9), now_ns)
        return self._report(now_ns)

    def power_cycle(self) -> None:
        """The radar lost its power and got it back: settings stay, modes do not."""
        self._heard.clear()
        self._engineering = self._configuring = False
        self._deaf = self.firmware.deaf_to_first
        self._seen = self._report_at_ns = None
        self._baud = BAUDS[self.kept.baud]

    def _obey(self, code: int, value: bytes, now_ns: int) -> bytes:
        if self._deaf:
            self._deaf = False
            return b""
        if code == 0xFF:
            under_way = b"" if self._configuring or not self.firmware.report_before_answer else self._report(now_ns)
            self._configuring = True
            return under_way + _answer(code, OK + b"\x01\x00\x40\x00")
        if not self._configuring:
            return b""
        if code in self.firmware.refuses:
            return _answer(code, FAILED)
        if code == 0xA3:
            self.power_cycle()
            return _answer(code, OK)
        result = self._ask(code) if not value else None
        return _answer(code, self._set(code, value) if result is None else OK + result)

    def _ask(self, code: int) -> bytes | None:
        """What a question is answered with; None where it is none."""
        kept = self.kept
        match code:
            case 0x61:
                limits = bytes([0xAA, 8, kept.max_moving, kept.max_still])
                return limits + bytes(kept.moving) + bytes(kept.still) + kept.hold_s.to_bytes(2, "little")
            case 0xA0:
                major, minor, date = self.firmware.version
                return b"\x00\x01" + bytes([minor, major]) + bytes.fromhex(date)[::-1]
            case 0xAB:
                return kept.resolution.to_bytes(2, "little")
            case 0x62 | 0x63:
                self._engineering = code == 0x62
                return b""
            case 0xFE:
                self._configuring = False
                return b""
            case 0xA2:
                self.kept = _Kept()
                return b""
        return None

    def _set(self, code: int, value: bytes) -> bytes:
        """The status of an order to keep something."""
        words = [value[at : at + 6] for at in range(0, len(value), 6)]
        numbers = {int.from_bytes(w[:2], "little"): int.from_bytes(w[2:], "little") for w in words if len(w) == 6}
        kept = self.kept
        if code == 0x60 and sorted(numbers) == [0, 1, 2] and all(2 <= numbers[n] <= 8 for n in (0, 1)):
            kept.max_moving, kept.max_still, kept.hold_s = (numbers[n] for n in range(3))
        elif code == 0x64 and sorted(numbers) == [0, 1, 2] and max(numbers[1], numbers[2]) <= 100:
            gates = range(9) if numbers[0] == 0xFFFF else [numbers[0]]
            for gate in gates:
                kept.moving[gate], kept.still[gate] = numbers[1], numbers[2]
        elif code == 0xA1 and len(value) == 2 and 1 <= value[0] < len(BAUDS):
            kept.baud = value[0]
        elif code == 0xAA and len(value) == 2 and value[0] <= 1:
            kept.resolution = value[0]
        else:
            return FAILED
        self.written += 1
        return OK

    def _report(self, now_ns: int) -> bytes:
        data = self._target(now_ns)
        kind = 2
        if self._engineering:
            kind, kept = 1, self.kept
            data += bytes([kept.max_moving, kept.max_still]) + self._energies(data) + self._rest(data)
        body = bytes([kind, 0xAA]) + data + b"\x55\x00"
        return b"\xf4\xf3\xf2\xf1" + len(body).to_bytes(2, "little") + body + b"\xf8\xf7\xf6\xf5"

    def _target(self, now_ns: int) -> bytes:
        """State, distances and energies; the last target counts until the hold time is over."""
        scene = self._within_reach(self._look(now_ns))
        if scene.moving_cm or scene.still_cm:
            self._seen = scene, now_ns
        elif self._seen is not None and now_ns - self._seen[1] < self.kept.hold_s * 1_000_000_000:
            scene = self._seen[0]
        state = (scene.moving_cm > 0) | (scene.still_cm > 0) << 1
        moving_cm, still_cm = scene.moving_cm, scene.still_cm
        if state == 0:
            moving_cm = self.firmware.ghost_cm
        elif self.firmware.still_in_moving_field and not moving_cm:
            moving_cm, still_cm = still_cm, 0
        nearest_cm = 0 if self.firmware.still_in_moving_field else min(filter(None, (moving_cm, still_cm)), default=0)
        fields = ((moving_cm, 2), (60 * (state & 1), 1), (still_cm, 2), (58 * (state >> 1), 1), (nearest_cm, 2))
        return bytes([state]) + b"".join(number.to_bytes(size, "little") for number, size in fields)

    def _within_reach(self, scene: Scene) -> Scene:
        gate_cm = 20 if self.kept.resolution else 75
        moving_cm = scene.moving_cm if scene.moving_cm <= (self.kept.max_moving + 1) * gate_cm else 0
        return Scene(moving_cm, scene.still_cm if scene.still_cm <= (self.kept.max_still + 1) * gate_cm else 0)

    def _energies(self, target: bytes) -> bytes:
        near = max(target[3], target[6])
        return bytes(max(near - 6 * gate, 2) for gate in range(9)) * 2

    def _rest(self, target: bytes) -> bytes:
        return b"\x03\x05" if self.firmware.reserved_tail else bytes([0x60, target[0] != 0])


def _answer(code: int, value: bytes) -> bytes:
    body = (code + 0x100).to_bytes(2, "little") + value
    return COMMAND_HEAD + len(body).to_bytes(2, "little") + body + COMMAND_TAIL
