"""Frames of the R2000 readers as their firmware sees them: whole sound commands in, answers out.

    A0 | length | address | command | data | check

The length counts what follows it, and the bytes of a whole frame add up to 0 modulo 256.  What is not sound is dropped
byte by byte and never answered.  Source: UHF RFID Reader Serial Interface Protocol V3.7, section 1.
"""

from dataclasses import dataclass

HEAD = 0xA0
EVERYBODY = 0xFF
BROKEN_OFF_NS = 200_000_000  # a command that stops half-way is forgotten
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


class CommandReceiver:
    """The reader's receive buffer."""

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
        while (start := self._buffer.find(HEAD)) >= 0:
            del self._buffer[:start]
            if len(self._buffer) < 2:
                return commands
            size = 2 + self._buffer[1]
            if size < 2 + _LEAST:
                del self._buffer[0]
            elif len(self._buffer) < size:
                return commands
            elif sum(self._buffer[:size]) % 256 == 0:
                commands.append(Command(self._buffer[2], self._buffer[3], bytes(self._buffer[4 : size - 1])))
                del self._buffer[:size]
            else:
                del self._buffer[0]
        self._buffer.clear()
        return commands
