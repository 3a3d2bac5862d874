"""Frames of the M100 as its firmware sees them: whole sound commands in, answers and notices out.

    BB | type | command | length u16be | parameters | checksum | 7E

Nothing is escaped: BB and 7E occur inside.  A frame that is not sound is dropped byte by byte and never answered.
Source: M100/QM100 user protocol, frame definition.
"""

from dataclasses import dataclass

COMMAND, ANSWER, NOTICE = 0x00, 0x01, 0x02
BROKEN_OFF_NS = 200_000_000  # a command that stops half-way is forgotten
MAX_PARAMETERS = 80
_AROUND = 7


@dataclass(frozen=True, slots=True)
class Command:
    """One sound command of the host."""

    code: int
    parameters: bytes


def frame(kind: int, code: int, parameters: bytes) -> bytes:
    """A frame from the module."""
    body = bytes((kind, code, len(parameters) >> 8, len(parameters) & 0xFF)) + parameters
    return b"\xbb" + body + bytes((sum(body) & 0xFF, 0x7E))


class CommandReceiver:
    """The module's receive buffer."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._last_byte_ns = 0

    def feed(self, data: bytes, now_ns: int) -> list[Command]:
        """Commands that `data` completes."""
        if now_ns - self._last_byte_ns > BROKEN_OFF_NS:
            self._buffer.clear()
        self._last_byte_ns = now_ns
        self._buffer += data
        commands: list[Command] = []
        while (start := self._buffer.find(0xBB)) >= 0:
            del self._buffer[:start]
            if len(self._buffer) < _AROUND:
                return commands
            size = _AROUND + int.from_bytes(self._buffer[3:5], "big")
            if size > _AROUND + MAX_PARAMETERS:
                del self._buffer[0]
            elif len(self._buffer) < size:
                return commands
            elif self._is_sound(size):
                commands.append(Command(self._buffer[2], bytes(self._buffer[5 : size - 2])))
                del self._buffer[:size]
            else:
                del self._buffer[0]
        self._buffer.clear()
        return commands

    def _is_sound(self, size: int) -> bool:
        checksum = sum(self._buffer[1 : size - 2]) & 0xFF
        return self._buffer[1] == COMMAND and self._buffer[size - 2] == checksum and self._buffer[size - 1] == 0x7E
