"""Frames of the M100 as its firmware sees them: whole sound commands in, answers and notices out.

    BB | type | command | length u16be | parameters | checksum | 7E

Nothing is escaped: BB and 7E occur inside.  A frame that is not sound is dropped byte by byte and never answered.
Source: M100/QM100 user protocol, frame definition.
"""

from dataclasses import dataclass

from simulators.receive_buffer import NO_FRAME, ReceiveBuffer

COMMAND, ANSWER, NOTICE = 0x00, 0x01, 0x02
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


class CommandReceiver(ReceiveBuffer[Command]):
    """The module's receive buffer."""

    head = 0xBB

    def _size(self, begun: bytearray) -> int | None:
        if len(begun) < _AROUND:
            return None
        parameters = int.from_bytes(begun[3:5], "big")
        return _AROUND + parameters if parameters <= MAX_PARAMETERS else NO_FRAME

    def _command(self, frame: bytes) -> Command | None:
        checksum = sum(frame[1:-2]) & 0xFF
        is_sound = frame[1] == COMMAND and frame[-2:] == bytes((checksum, 0x7E))
        return Command(frame[2], frame[5:-2]) if is_sound else None
