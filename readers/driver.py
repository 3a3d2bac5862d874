"""What drivers do alike: receive until a deadline, ask, count; and, where a reader streams, hand out reads or chunks.

A streaming driver says what its frames mean (`_interpret`), which of them prove that it reads (`_is_sign_of_life`), how
long to listen before silence means something (`_listen_until_s`), and what to do about silence and ended rounds
(`_attend`).
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from readers.errors import FrameError, ReaderDisconnected, ReaderError, ReaderTimeout, SettingsError
from readers.framing import StreamDecoder
from readers.health import ReaderHealth
from readers.model import Chunk, ClockNs, Read, ReaderId, Scanned
from readers.ports import BytePort, drain

F = TypeVar("F")
A = TypeVar("A")
STOP_ATTEMPTS = 3
STOP_QUIET_MS, STOP_LIMIT_MS = 200, 1000
TAKE_IN_S = 0.005
"""So long a port always gets to take in what waits in the system, though the deadline went by while we were busy."""


class FrameDriver(Generic[F]):
    """One device on one port: its frames in time, every loss counted.

    Args:
        new_decoder: of what the device says.
        clock_ns: stamps what comes.
    """

    def __init__(
        self, reader_id: ReaderId, port: BytePort, new_decoder: Callable[[], StreamDecoder[F]], clock_ns: ClockNs
    ) -> None:
        self.reader_id, self.health = reader_id, ReaderHealth(signs_of_life=0)
        self._port, self._clock_ns = port, clock_ns
        self._new_decoder, self._decoder = new_decoder, new_decoder()

    async def _answer(self, judge: Callable[[F], A | None], within_s: float) -> A | None:
        """What `judge` makes of the first frame that it makes something of; None when none comes in time.

        Args:
            judge: may raise ReaderRefused; None for what is no answer, which is dropped.
        """
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + within_s
        while True:
            for frame in await self._receive_until(deadline_s):
                answer = judge(frame)
                if answer is not None:
                    return answer
            if loop.time() >= deadline_s:
                return None

    async def _find_speed(
        self, wanted: int, speeds: Iterable[int], answers: Callable[[int], Awaitable[bool]]
    ) -> int | None:
        """The first speed at which the device answers, the wanted one tried first; the port stays at it.  None, and the
        port at the wanted one, where it answers at none.

        Args:
            speeds: in baud; those that the port cannot do are passed over.

        Raises:
            SettingsError: the port cannot do the wanted speed.
        """
        for baud in (wanted, *(other for other in speeds if other != wanted)):
            try:
                self._port.set_baud(baud)
            except SettingsError:
                if baud == wanted:
                    raise
                continue
            if await answers(baud):
                return baud
        self._port.set_baud(wanted)
        return None

    async def _stop(self, order: bytes, what: str = "the module") -> None:
        """Send the order to stop until the line is quiet.

        Raises:
            ReaderTimeout: it never is.
        """
        for _ in range(STOP_ATTEMPTS):
            await self._port.send(order)
            if await drain(self._port, STOP_QUIET_MS, STOP_LIMIT_MS):
                return
        raise ReaderTimeout(f"{what} goes on sending although told to stop; switch it off and on")

    async def _receive_until(self, deadline_s: float) -> list[F]:
        data = await self._receive_bytes(deadline_s)
        frames = self._decoder.feed(data) if data else self._decoder.flush()
        self._count(len(frames))
        return frames

    async def _receive_bytes(self, deadline_s: float) -> bytes:
        """What has come; empty when nothing did until the deadline."""
        try:
            async with asyncio.timeout_at(max(deadline_s, asyncio.get_running_loop().time() + TAKE_IN_S)):
                data = await self._port.receive()
        except TimeoutError:
            return b""
        if not data:
            raise ReaderDisconnected("the port was closed")
        return data

    def _lived(self, lives: int) -> int:
        assert self.health.signs_of_life is not None
        self.health.signs_of_life += lives
        return lives

    def _count(self, frames: int) -> None:
        self.health.frames += frames
        self.health.discarded_bytes = self._decoder.discarded_bytes
        self.health.overrun_bytes = self._port.overrun_bytes


class StreamDriver(FrameDriver[F], ABC):
    """One streaming reader.  Use `reads`, or `chunks` together with `scanned`, which is much cheaper; never both."""

    def __init__(
        self, reader_id: ReaderId, port: BytePort, new_decoder: Callable[[], StreamDecoder[F]], clock_ns: ClockNs
    ) -> None:
        super().__init__(reader_id, port, new_decoder, clock_ns)
        self._lives: int | None = None  # signs of life in the chunk just yielded, once we were told
        self._scan_discarded_bytes = 0

    @abstractmethod
    def _interpret(self, frame: F, read_at_ns: int) -> Sequence[Read]:
        """The reads that a frame reports; what else it says is noted for `_attend`.  Waits for nothing.

        Raises:
            FrameError: a report that makes no sense; counted.
            ReaderRefused: the reader will not go on.
        """

    @abstractmethod
    def _is_sign_of_life(self, frame: F) -> bool:
        """Whether the frame proves that the reader reads: a report of a tag, or of having found none."""

    @abstractmethod
    def _listen_until_s(self) -> float:
        """When, by the loop's clock, to stop listening and to `_attend` if nothing comes."""

    @abstractmethod
    async def _attend(self, lives: int, heard_at_s: float) -> None:
        """After everything that was received, and after silence: order the next round, order anew, or give up.

        Args:
            lives: signs of life since the last call.
            heard_at_s: when what waited was taken; judge silence by it, for it may be us who were busy since.

        Raises:
            ReaderDisconnected, ReaderTimeout, ReaderRefused: no use going on.
        """

    async def reads(self) -> AsyncIterator[Read]:
        """Every sound report, without end.

        Raises:
            ReaderDisconnected, ReaderTimeout, ReaderRefused: as `readers.registry.Reader.reads`.
        """
        loop = asyncio.get_running_loop()
        while True:
            frames = await self._receive_until(self._listen_until_s())
            heard_at_s, read_at_ns = loop.time(), self._clock_ns()  # stamped once, where the bytes arrive
            lives = self._lived(sum(map(self._is_sign_of_life, frames)))
            found = [read for frame in frames for read in self._reads_of(frame, read_at_ns)]
            trouble: ReaderError | None = None
            try:
                await self._attend(lives, heard_at_s)
            except ReaderError as error:  # told behind the reads in hand
                trouble = error
            for read in found:
                yield read
            if trouble is not None:
                raise trouble

    async def chunks(self) -> AsyncIterator[Chunk]:
        """The same stream unparsed.  `scanned` must be told what a chunk held before the next is asked for.

        Raises: as `reads`.
        """
        loop = asyncio.get_running_loop()
        while True:
            data = await self._receive_bytes(self._listen_until_s())
            heard_at_s = loop.time()
            data = self._decoder.take_rest() + data  # setting up may have left the beginning of a frame
            self._lives = None
            yield Chunk(data, self._clock_ns())
            if self._lives is None:
                raise ValueError("a chunk was taken, and `scanned` not told what it held")
            await self._attend(self._lives, heard_at_s)

    def scanned(self, found: Scanned) -> None:
        """What the chunk just yielded held.

        Raises:
            ReaderRefused: the reader will not go on.
        """
        reports, others = found.reads + found.bad_frames, self._new_decoder().feed(b"".join(found.others))
        self._lives = self._lived(reports + sum(map(self._is_sign_of_life, others)))
        self._scan_discarded_bytes += found.discarded_bytes
        self.health.bad_frames += found.bad_frames
        self._count(reports + len(others))
        for frame in others:
            self._reads_of(frame, 0)

    def _reads_of(self, frame: F, read_at_ns: int) -> Sequence[Read]:
        try:
            return self._interpret(frame, read_at_ns)
        except FrameError:
            self.health.bad_frames += 1
            return ()

    def _count(self, frames: int) -> None:
        super()._count(frames)
        self.health.discarded_bytes += self._scan_discarded_bytes
