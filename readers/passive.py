"""What drivers do alike whose readers only ever speak: nothing to order, nothing to ask, and silence means nothing.

Such a reader gives no sign of life (`health.signs_of_life` is None): its port being open is all there is to know.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from readers.driver import FrameDriver
from readers.errors import FrameError
from readers.framing import StreamDecoder
from readers.model import ClockNs, Read, ReaderId
from readers.ports import BytePort

F = TypeVar("F")
QUIET_S = 0.1
"""After so long without a byte, a frame that has begun will not be finished."""


class PassiveDriver(FrameDriver[F], ABC):
    """One reader on one port.  Entering and leaving do nothing.  Arguments as `FrameDriver`."""

    def __init__(
        self, reader_id: ReaderId, port: BytePort, new_decoder: Callable[[], StreamDecoder[F]], clock_ns: ClockNs
    ) -> None:
        super().__init__(reader_id, port, new_decoder, clock_ns)
        self.health.signs_of_life = None

    @abstractmethod
    def _reads_of(self, frame: F, read_at_ns: int) -> Sequence[Read]:
        """The reads that a frame reports.

        Raises:
            FrameError: contents that make no sense; counted.
        """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    async def reads(self) -> AsyncIterator[Read]:
        """Every sound report, without end.

        Raises:
            ReaderDisconnected: the port is gone.
        """
        loop = asyncio.get_running_loop()
        while True:
            frames = await self._receive_until(loop.time() + QUIET_S)
            read_at_ns = self._clock_ns()  # stamped once, where the bytes arrive
            for frame in frames:
                try:
                    reads = self._reads_of(frame, read_at_ns)
                except FrameError:
                    self.health.bad_frames += 1
                    continue
                for read in reads:
                    yield read
