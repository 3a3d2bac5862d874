r"""Card readers that type: bytes <-> lines.

    printable ASCII | CR, LF or CR LF

Nothing protects a line but its shape, so it counts only if the whole of it has that shape: what follows other text without a
line end between is part of that text, never the beginning of a number.  What is not printable (an STX in front, a NUL) ends a
text too.  A CR alone ends a line only once something else or silence has followed it.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from readers.framing import Broken, Found, Noise, Sound, StreamDecoder

MAX_LINE = 128
"""Longer than any number; bounds how long an unfinished line is kept."""

End = Literal["\r", "\n", "\r\n"]
_TEXT = re.compile(rb"[ -~]+")
_CR, _LF = b"\r\n"


@dataclass(frozen=True, slots=True)
class Line:
    """One line and how it ended."""

    text: str = field(repr=False)
    end: End = "\r\n"

    def to_bytes(self) -> bytes:
        """The line as it goes over the wire."""
        return (self.text + self.end).encode("ascii")


class LineDecoder(StreamDecoder[Line]):
    """Feed any slices, get whole lines of the right shape.

    Args:
        shape: matches the whole of a line, without its end.
    """

    def __init__(self, shape: re.Pattern[str]) -> None:
        super().__init__()
        self._shape = shape
        self._text_skipped_to = -1  # where in the stream a discarded text reaches
        self._silent = False  # nothing follows what is here

    def finish(self) -> list[Found[Line] | Noise]:
        """As in the base; after silence nothing belongs to what was before it."""
        self._silent = True
        results = super().finish()
        self._silent, self._text_skipped_to = False, -1
        return results

    def _seek(self, buffer: bytearray, start: int) -> int:
        found = _TEXT.search(buffer, start)
        return len(buffer) if found is None else found.start()

    def _examine(self, buffer: bytearray, start: int) -> Sound[Line] | Broken | None:
        if self._text_skipped_to == self._offset + start:
            return Broken("the rest of a line that is none")
        found = _TEXT.match(buffer, start, start + MAX_LINE + 1)
        assert found is not None  # where `_seek` points
        if len(found[0]) > MAX_LINE:
            return Broken(f"no line end within {MAX_LINE} characters")
        if found.end() == len(buffer):
            return None
        if buffer[found.end()] not in (_CR, _LF):
            return Broken(f"byte 0x{buffer[found.end()]:02x} inside a line")
        text = found[0].decode("ascii")
        if self._shape.fullmatch(text) is None:
            return Broken("a line of another shape than the pattern")
        return self._line(text, buffer, found.end())

    def _line(self, text: str, buffer: bytearray, end: int) -> Sound[Line] | None:
        """The line that ends at `end`; None while that is a CR of which nobody knows yet whether an LF follows."""
        if buffer[end] == _LF:
            return Sound(Line(text, "\n"), len(text) + 1)
        after = buffer[end + 1 : end + 2]
        if not after and not self._silent:
            return None
        return Sound(Line(text, "\r\n"), len(text) + 2) if after == b"\n" else Sound(Line(text, "\r"), len(text) + 1)

    def _skip(self, at: int, length: int, broken: Broken) -> None:
        super()._skip(at, length, broken)
        if _TEXT.fullmatch(self._buffer, at + length - 1, at + length):
            self._text_skipped_to = self._offset + at + length
        self.discarded_bytes -= sum(byte in (_CR, _LF) for byte in self._buffer[at : at + length])  # ends are no loss
