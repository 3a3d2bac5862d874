"""MT-SICS scale, line layer: bytes <-> lines.

    ASCII text | CR | LF

There is no checksum, so a line counts only when it has the exact shape of an answer: a known command, a status, a value
of ten characters.  A lost or changed character then mostly costs the line instead of changing the weight.
Source: MT-SICS reference manual, format of responses.
"""

import re
from dataclasses import dataclass

from readers.framing import Broken, Direction, Sound, StreamDecoder

END = b"\r\n"
MAX_LINE = 128
"""Longer than any answer; bounds how long an unfinished line is kept."""

_ID = r"S|SI|SIR|SR|SU|T|TI|TA|TAC|Z|ZI|@|I0|I1|I2|I3|I4|I5|I10|I11|D|DW|K|M21|PWR|TST[0-3]|UPD"
_WEIGHT = r"(?=.{10} [A-Za-z%])[ ]*-?\d+(\.\d+)? [A-Za-z%]{1,5}"
_TEXT = r"(?: (?:\"[^\"]*\"|-?[\d.]+))"
_ANSWER = re.compile(rf"E[STL]|({_ID}) ([SD]( {_WEIGHT})?|[IL+-]|A( {_WEIGHT}|{_TEXT}+)?|B{_TEXT}+)")
_COMMAND = re.compile(rf"({_ID})( [ -~]+)?")
_START = re.compile(rb"[SITZEDKMPU@]")
_GAP = re.compile(rb"[^ -~\r\n]")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of either side, without its end."""

    text: str

    def to_bytes(self) -> bytes:
        """The line as it goes over the wire."""
        return self.text.encode("ascii") + END


class LineDecoder(StreamDecoder[Line]):
    """Feed any slices, get whole lines of the right shape.

    Args:
        direction: whose lines: the device's answers, or the host's commands.
    """

    def __init__(self, direction: Direction = "from_reader") -> None:
        super().__init__()
        self._shape = _ANSWER if direction == "from_reader" else _COMMAND

    def _seek(self, buffer: bytearray, start: int) -> int:
        found = _START.search(buffer, start)
        return len(buffer) if found is None else found.start()

    def _examine(self, buffer: bytearray, start: int) -> Sound[Line] | Broken | None:
        end = buffer.find(b"\n", start, start + MAX_LINE)
        stop = end if end >= 0 else min(len(buffer), start + MAX_LINE)
        bad = _GAP.search(buffer, start, stop)
        if bad is not None:
            return Broken(f"byte 0x{bad[0].hex()} inside a line")
        if end < 0:
            return Broken(f"no line end within {MAX_LINE} bytes") if stop == start + MAX_LINE else None
        if buffer[end - 1] != ord("\r") or buffer.find(b"\r", start, end - 1) >= 0:
            return Broken("a line must end in CR LF, once")
        text = buffer[start : end - 1].decode("ascii")
        if self._shape.fullmatch(text) is None:
            return Broken(f"{text!r} is no line of this protocol")
        return Sound(Line(text), end + 1 - start)
