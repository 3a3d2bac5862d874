"""What every presence sensor's driver does alike: tell changes at once and the rest ten times a second, notice silence."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeVar

from readers.driver import FrameDriver
from readers.errors import ReaderTimeout
from readers.framing import StreamDecoder
from readers.model import ClockNs, Proximity, ReaderId
from readers.ports import BytePort

F = TypeVar("F")
A = TypeVar("A")
TELL_EVERY_NS = 90_000_000  # a bit less than 100 ms, or every other report of a sensor that sends ten a second would go
TRIES = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a driver waits.

    Args:
        answer_s: for the answer to a command.
        rearm_s: of silence before the sensor is told to report again.
        dead_s: without a report before giving up.
    """

    answer_s: float = 0.5
    rearm_s: float = 1.0
    dead_s: float = 3.0


USUAL = Patience()


class Decimator:
    """Lets every change through, and of what stays the same so much as a person can follow."""

    def __init__(self) -> None:
        self._told: Proximity | None = None

    def passes(self, sensed: Proximity) -> bool:
        """Whether to tell this one."""
        told = self._told
        is_news = told is None or (told.occupied, told.moving) != (sensed.occupied, sensed.moving)
        if not is_news and told is not None and sensed.sensed_at_ns - told.sensed_at_ns < TELL_EVERY_NS:
            return False
        self._told = sensed
        return True


class SensorDriver(FrameDriver[F], ABC):
    """One sensor on one port.  A driver says what its frames mean and how to set its sensor going again.

    Args:
        clock_ns: stamps the reports.
    """

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        new_decoder: Callable[[], StreamDecoder[F]],
        clock_ns: ClockNs,
        patience: Patience,
    ) -> None:
        super().__init__(reader_id, port, new_decoder, clock_ns)
        self._patience = patience
        self._alive_at_s = self._rearm_at_s = 0.0

    @abstractmethod
    def _is_report(self, frame: F) -> bool:
        """Whether the frame proves that the sensor senses."""

    @abstractmethod
    def _sense(self, frame: F, sensed_at_ns: int) -> Proximity | None:
        """What a report says; None where it says nothing new."""

    @abstractmethod
    async def _rearm(self) -> None:
        """Tell the sensor to report."""

    async def proximities(self) -> AsyncIterator[Proximity]:
        """Every change at once, and what stays the same about ten times a second, without end.

        Raises:
            ReaderDisconnected: the port is gone.
            ReaderTimeout: no reports although told to send them.
        """
        decimator = Decimator()
        self._note_life(asyncio.get_running_loop().time())
        while True:
            frames = await self._receive_alive()
            sensed_at_ns = self._clock_ns()  # stamped once, where the bytes arrive
            for frame in frames:
                sensed = self._sense(frame, sensed_at_ns)
                if sensed is not None and decimator.passes(sensed):
                    yield sensed

    async def _receive_alive(self) -> list[F]:
        """What has come; in silence tells the sensor to report, and after too much of it gives up.

        What waits is taken before the silence is judged: it may be us who were busy.
        """
        loop = asyncio.get_running_loop()
        frames = await self._receive_until(self._rearm_at_s)
        now_s = loop.time()
        if self._lived(sum(map(self._is_report, frames))):
            self._note_life(now_s)
        elif now_s - self._alive_at_s >= self._patience.dead_s:
            raise ReaderTimeout(f"no report for {self._patience.dead_s:g} s; check power, cable, type and baud rate")
        elif now_s >= self._rearm_at_s:
            self.health.rearms += 1
            self._rearm_at_s = now_s + self._patience.rearm_s
            await self._rearm()
        return frames

    def _note_life(self, now_s: float) -> None:
        self._alive_at_s, self._rearm_at_s = now_s, now_s + self._patience.rearm_s

    async def _ask(self, command: bytes, judge: Callable[[F], A | None]) -> A | None:
        """The answer to a command, sent again when none comes; None when it never does."""
        for _ in range(TRIES):
            await self._port.send(command)
            answer = await self._answer(judge, self._patience.answer_s)
            if answer is not None:
                return answer
        return None
