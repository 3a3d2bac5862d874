"""Firmware of an ESC/POS receipt printer: it prints what it understands, and tells its state when asked, and nothing else.

Questions (DLE EOT n) are answered at once, whatever waits; everything else waits in a buffer of limited size while the
printer is off-line, and what does not fit there is lost.  Source: ESC/POS programmer's manuals.
"""

from dataclasses import dataclass, field

PARAMETERS = {b"\x1bt": 1, b"\x1ba": 1, b"\x1bd": 1, b"\x1d!": 1, b"\x1dh": 1, b"\x1dw": 1, b"\x1dH": 1, b"\x1dV": 1}
FIXED = 0x12


@dataclass(slots=True)
class Printed:
    """One piece of paper, up to a cut.

    Args:
        lines: as bytes of the code page in force.
        codes: kind and data, as the printer understood them.
    """

    code_page: int = 0
    lines: list[bytes] = field(default_factory=list)
    codes: list[tuple[str, bytes]] = field(default_factory=list)
    fed: int = 0


@dataclass(frozen=True, slots=True)
class Firmware:
    """One make of the printer.

    Args:
        buffer_bytes: of what has not yet been printed; 45 on printers with that switch.
        answers: whether its line back is wired.
        chatter: sent before and after every status byte: XON, or an automatic status.
        lines_to_paper_end: after so many lines the roll is empty.
    """

    buffer_bytes: int = 4096
    answers: bool = True
    chatter: bytes = b""
    lines_to_paper_end: int = 1 << 30


class EscposDevice:
    """One printer on its line."""

    baud = 9600

    def __init__(self, *, firmware: Firmware | None = None) -> None:
        self.firmware = firmware or Firmware()
        self.cover_open = self.paper_low = self.broken = self.feeding = False
        self.papers: list[Printed] = []
        self.lost_bytes = 0
        self._paper = Printed()
        self._buffer = bytearray()
        self._code_data = b""
        self._lines_left = self.firmware.lines_to_paper_end

    @property
    def paper_out(self) -> bool:
        """The roll is empty."""
        return self._lines_left <= 0

    @property
    def off_line(self) -> bool:
        """It prints nothing now."""
        return self.cover_open or self.paper_out or self.broken or self.feeding

    def feed(self, data: bytes, _now_ns: int) -> bytes:
        """Answers to the questions in `data`; the rest is printed, or waits."""
        out = b""
        for byte in data:
            if len(self._buffer) >= self.firmware.buffer_bytes:
                self.lost_bytes += 1
                continue
            self._buffer.append(byte)
            if self._buffer[-3:-1] == b"\x10\x04":
                out += self._answer(self._buffer[-1])
                del self._buffer[-3:]
            elif not self.off_line:
                self._print()
        return out

    def tick(self, _now_ns: int) -> bytes:
        """It never speaks by itself."""
        if not self.off_line:
            self._print()
        return b""

    def _answer(self, question: int) -> bytes:
        if not self.firmware.answers or not 1 <= question <= 4:
            return b""
        bits = {
            1: self.off_line << 3,
            2: self.cover_open << 2 | self.paper_out << 5 | self.broken << 6,
            3: self.broken << 3,
            4: 0x0C * (self.paper_low or self.paper_out) | 0x60 * self.paper_out,
        }
        return self.firmware.chatter + bytes([FIXED | bits[question]]) + self.firmware.chatter

    def _print(self) -> None:
        """Do all whole orders of the buffer; skip what is none."""
        while self._buffer and not self.off_line and (size := self._one()):
            del self._buffer[:size]

    def _one(self) -> int:
        """Do the first order; how many bytes it had, 0 while it is not whole."""
        buffer = self._buffer
        if buffer[0] >= 0x20 or buffer[0] == 0x0A:
            end = buffer.find(0x0A)
            if end < 0:
                return 0
            self._line(bytes(buffer[:end]))
            return end + 1
        head = bytes(buffer[:2])
        if buffer[0] not in (0x1B, 0x1D, 0x10):
            return 1
        if len(head) < 2:
            return 0
        if head == b"\x1b@":
            self._paper = Printed()
            return 2
        if head in PARAMETERS:
            return self._parameter(head)
        if head == b"\x1dk":
            return self._barcode()
        if bytes(buffer[:3]) == b"\x1d(k":
            return self._symbol()
        return 0 if head in (b"\x10\x04", b"\x1d(") and len(buffer) < 3 else 1

    def _parameter(self, head: bytes) -> int:
        if len(self._buffer) < 3:
            return 0
        value = self._buffer[2]
        if head == b"\x1bt":
            self._paper.code_page = value
        elif head == b"\x1bd":
            self._paper.fed += value
        elif head == b"\x1dV":
            self.papers.append(self._paper)
            self._paper = Printed(self._paper.code_page)
        return 3

    def _barcode(self) -> int:
        if len(self._buffer) < 4 or len(self._buffer) < 4 + self._buffer[3]:
            return 0
        size = 4 + self._buffer[3]
        self._paper.codes.append((f"barcode-{self._buffer[2]}", bytes(self._buffer[4:size])))
        return size

    def _symbol(self) -> int:
        if len(self._buffer) < 5:
            return 0
        size = 5 + int.from_bytes(self._buffer[3:5], "little")
        if len(self._buffer) < size:
            return 0
        body = bytes(self._buffer[5:size])
        if body[:3] == b"1P0":
            self._code_data = body[3:]
        elif body == b"1Q0":
            self._paper.codes.append(("qr", self._code_data))
        return size

    def _line(self, line: bytes) -> None:
        self._paper.lines.append(line)
        self._lines_left -= 1
