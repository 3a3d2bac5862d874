"""UHFReader18 / UHFReader288: what the drivers of both families do alike: start, poll or stream, stop."""

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from readers.errors import ReaderError, ReaderTimeout
from readers.model import ClockNs, Epc, Read, ReaderId
from readers.ports import BytePort
from readers.uhfreader18 import answers, commands
from readers.uhfreader18.answers import Tag
from readers.uhfreader18.codec import Frame, FrameDecoder
from readers.uhfreader18.commands import ACTIVE_MODE, ANSWER_MODE
from readers.uhfreader18.dialogue import UhfDialogue
from readers.uhfreader18.rounds import USUAL, Patience, Rounds, Turn
from readers.uhfreader18.settings import UhfSettings


class UhfReader(UhfDialogue):
    """One reader on one port.  Entering sets it up and starts it; leaving ends the active mode.

    Args:
        clock_ns: stamps the reads.
    """

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        settings: UhfSettings,
        clock_ns: ClockNs,
        patience: Patience = USUAL,
    ) -> None:
        super().__init__(reader_id, port, settings, clock_ns, patience)
        self._is_active = settings.mode == "active"
        self._rounds = Rounds(self._turns(), self.dialect, settings.scan_time_ms / 1000, patience)
        self._overheard = FrameDecoder()
        self._alive_at_s = self._question_at_s = 0.0
        self._has_left_active_mode = False

    @abstractmethod
    def _turns(self) -> Sequence[Turn]:
        """The orders that cover all antennas in use."""

    @abstractmethod
    def _rssi_dbm(self, tag: Tag) -> float:
        """How strongly a tag was heard."""

    @abstractmethod
    async def _start_active(self) -> None:
        """Order the active mode."""

    @abstractmethod
    def _active_dead_s(self) -> float:
        """How long the active mode may show no sign of life."""

    async def __aenter__(self) -> Self:
        """Find out what it is, end an active mode that a crash has left, set the reader up, start it.

        Raises:
            ReaderTimeout: nothing answers, or it cannot be stopped.
            ReaderRefused: it speaks the other dialect, or does not accept region, power, scan time or mode.
        """
        info = await self._find()
        await self._stop(self._mode_order(ANSWER_MODE).to_bytes(), "the reader")
        await self._set_up(info)
        now_s = asyncio.get_running_loop().time()
        self._rounds.entered(now_s)
        self._alive_at_s, self._question_at_s = now_s, now_s + self._patience.question_s
        if not self._is_active:
            await self._poll()
            return self
        async with AsyncExitStack() as undo:  # who is cancelled here has nobody who leaves for him
            undo.push_async_callback(self._end_active)
            await self._start_active()
            undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """An inventory ends by itself; the active mode has to be told."""
        if self._is_active:
            await self._end_active()

    async def _receive_bytes(self, deadline_s: float) -> bytes:
        """As its parent; in poll mode it is overheard."""
        data = await super()._receive_bytes(deadline_s)
        if not self._is_active:
            self._overhear(data, asyncio.get_running_loop().time())
        return data

    def _overhear(self, data: bytes, now_s: float) -> None:
        """Learn how a round goes from the frames that report its tags, whoever parses them."""
        for frame in self._overheard.feed(data) if data else self._overheard.flush():
            self._warn(self._rounds.hear(frame, now_s))

    def _interpret(self, frame: Frame, read_at_ns: int) -> Sequence[Read]:
        if answers.is_mode(frame):
            self._has_left_active_mode = answers.parse_mode(frame) != ACTIVE_MODE
        sighting = answers.parse_sighting(frame, self.dialect)
        if answers.is_empty(frame, sighting) and not self._rounds.told_more:
            self.health.empty_polls += 1
        if sighting is None:
            return ()
        return tuple(
            Read(Epc(tag.epc), self.reader_id, antenna, self._rssi_dbm(tag), read_at_ns)
            for tag in sighting.tags
            for antenna in sighting.antennas
        )

    def _is_sign_of_life(self, frame: Frame) -> bool:
        """In active mode to say so is one, too: in an empty field there is no other."""
        if self._is_active and answers.is_mode(frame):
            return answers.parse_mode(frame) == ACTIVE_MODE
        return answers.is_sign_of_life(frame)

    def _listen_until_s(self) -> float:
        return self._question_at_s if self._is_active else self._rounds.until_s

    async def _attend(self, lives: int, heard_at_s: float) -> None:
        if self._is_active:
            await self._attend_stream(lives, heard_at_s)
        elif self._rounds.is_over(heard_at_s):
            self.health.rearms += not self._rounds.answered
            await self._poll()

    async def _attend_stream(self, lives: int, heard_at_s: float) -> None:
        if lives:
            self._alive_at_s, self._question_at_s = heard_at_s, heard_at_s + self._patience.question_s
        elif heard_at_s - self._alive_at_s >= self._active_dead_s():
            raise ReaderTimeout(f"no sign of life for {self._active_dead_s():g} s; check power and baud rate")
        elif self._has_left_active_mode:
            self._has_left_active_mode = False
            self.health.rearms += 1
            await self._start_active()
        elif heard_at_s >= self._question_at_s:
            self._question_at_s = heard_at_s + self._patience.question_s
            await self._port.send(commands.get_mode(self.dialect, self._common.address).to_bytes())

    async def _end_active(self) -> None:
        """Until the line is quiet, for an order may go unheard."""
        with suppress(ReaderError):  # it may be the reason why we leave
            await self._stop(self._mode_order(ANSWER_MODE).to_bytes(), "the reader")

    async def _poll(self) -> None:
        await self._port.send(self._rounds.next_order(asyncio.get_running_loop().time()).to_bytes())
