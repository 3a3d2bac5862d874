"""How a module's firmware takes in commands that begin with a byte of their own: what is not sound goes byte by byte, unanswered."""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

BROKEN_OFF_NS = 200_000_000  # a command that stops half-way is forgotten
NO_FRAME = 0
C = TypeVar("C")


class ReceiveBuffer(ABC, Generic[C]):
    """The bytes of the host that are no whole command yet."""

    head: ClassVar[int]
    """With which each command begins."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._last_byte_ns = 0

    @abstractmethod
    def _size(self, begun: bytearray) -> int | None:
        """How long the frame will be that begins so; None until that can be told, `NO_FRAME` where it cannot be one."""

    @abstractmethod
    def _command(self, frame: bytes) -> C | None:
        """What a frame of that length says; None where it is not sound."""

    def feed(self, data: bytes, now_ns: int) -> list[C]:
        """Commands that `data` completes."""
        if now_ns - self._last_byte_ns > BROKEN_OFF_NS:
            self._buffer.clear()
        self._last_byte_ns = now_ns
        self._buffer += data
        commands: list[C] = []
        while (start := self._buffer.find(self.head)) >= 0:
            del self._buffer[:start]
            size = self._size(self._buffer)
            if size is None or len(self._buffer) < size:
                return commands
            command = None if size == NO_FRAME else self._command(bytes(self._buffer[:size]))
            if command is None:
                del self._buffer[0]
            else:
                commands.append(command)
                del self._buffer[:size]
        self._buffer.clear()
        return commands
