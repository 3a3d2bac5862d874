"""Frames of the R2000 readers as their firmware sees them: whole sound commands in, answers out.

    A0 | length | address | command | data | check

The length counts what follows it, and the bytes of a whole frame add up to 0 modulo 256.  What is not sound is dropped
byte by byte and never answered.  Source: UHF RFID Reader Serial Interface Protocol V3.7, section 1.
"""

from dataclasses import dataclass

from simulators.receive_buffer import NO_FRAME, ReceiveBuffer

HEAD = 0xA0
EVERYBODY = 0xFF
_LEAST = 3


@dataclass(frozen=True, slots=True)
class Command:
    """One sound command of the host."""

    address: int
    code: int
    data: bytes


def frame(address: int, code: int, data: bytes) -> bytes:
    """A frame of either side."""
    said = bytes((HEAD, _LEAST + len(data), address, code)) + data
    return said + bytes(((256 - sum(said) % 256) % 256,))


class CommandReceiver(ReceiveBuffer[Command]):
    """The reader's receive buffer."""

    head = HEAD

    def _size(self, begun: bytearray) -> int | None:
        if len(begun) < 2:
            return None
        return 2 + begun[1] if begun[1] >= _LEAST else NO_FRAME

    def _command(self, frame: bytes) -> Command | None:
        return Command(frame[2], frame[3], frame[4:-1]) if sum(frame) % 256 == 0 else None
