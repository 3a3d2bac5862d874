"""Scales that print text: bytes <-> lines.

    text | LF, or CR LF

There is no check and no common form.  A line is therefore taken whole or not at all: noise in front of a number may have
been a part of it, so nothing is looked for inside a line.
"""

from dataclasses import dataclass

from readers.errors import FrameError
from readers.framing import Broken, Sound, StreamDecoder

END = b"\n"
MAX_LINE = 256
"""Longer than any line of such a board; bounds how long an unfinished one is kept."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line with its end, as it came."""

    raw: bytes

    @property
    def text(self) -> str:
        """What is printed, without the white space around it.

        Raises:
            FrameError: something that cannot be printed.
        """
        text = self.raw.strip()
        for byte in text:
            if not (0x20 <= byte < 0x7F or byte == ord("\t")):
                raise FrameError(f"byte 0x{byte:02x} inside a line of text; is `baud` right?")
        return text.decode("ascii")

    def to_bytes(self) -> bytes:
        """The line as it goes over the wire."""
        return self.raw


class LineDecoder(StreamDecoder[Line]):
    """Feed any slices, get whole lines."""

    def _seek(self, buffer: bytearray, start: int) -> int:  # noqa: ARG002  a line begins where the last one ended
        return start

    def _examine(self, buffer: bytearray, start: int) -> Sound[Line] | Broken | None:
        end = buffer.find(END, start, start + MAX_LINE)
        if end >= 0:
            return Sound(Line(bytes(buffer[start : end + 1])), end + 1 - start)
        return Broken(f"no line end within {MAX_LINE} bytes") if len(buffer) - start >= MAX_LINE else None
