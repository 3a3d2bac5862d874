"""UHFReader18 / UHFReader288: what the drivers of both families do alike."""

import asyncio
import math
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import ClassVar, Self

from readers.driver import StreamDriver
from readers.errors import ReaderError, ReaderRefused, ReaderTimeout, SettingsError
from readers.model import ClockNs, Epc, Read, ReaderId
from readers.ports import BytePort
from readers.uhfreader18 import answers, commands
from readers.uhfreader18.answers import Info, Tag
from readers.uhfreader18.codec import Frame, FrameDecoder
from readers.uhfreader18.commands import ACTIVE_MODE, ANSWER_MODE, MODELS, Dialect
from readers.uhfreader18.rounds import USUAL, Patience, Rounds, Turn
from readers.uhfreader18.settings import UhfSettings

TRIES = 4
"""What is sent while it works is lost; together these outlast an inventory of the usual 2 s."""


class UhfReader(StreamDriver[Frame]):
    """One reader on one port.  Entering sets it up and starts it; leaving ends the active mode.

    Args:
        clock_ns: stamps the reads.
    """

    dialect: ClassVar[Dialect]

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        settings: UhfSettings,
        clock_ns: ClockNs,
        patience: Patience = USUAL,
    ) -> None:
        super().__init__(reader_id, port, FrameDecoder, clock_ns)
        self.module = ""
        """What the reader says of itself, known once entered."""
        self._common, self._patience = settings, patience
        self._is_active = settings.mode == "active"
        self._rounds = Rounds(self._turns(), self.dialect, settings.scan_time_ms / 1000, patience)
        self._overheard = FrameDecoder()
        self._quiet_at_s = math.inf
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
        if self._is_active:
            await self._start_active()
        else:
            await self._poll()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """An inventory ends by itself; the active mode has to be told."""
        if self._is_active:
            with suppress(ReaderError):  # it may be the reason why we leave
                await self._port.send(self._mode_order(ANSWER_MODE).to_bytes())

    async def _receive_bytes(self, deadline_s: float) -> bytes:
        """As its parent, but empty already when the line falls silent: what waits behind a false length comes out."""
        loop = asyncio.get_running_loop()
        data = await super()._receive_bytes(min(deadline_s, self._quiet_at_s))
        if not data:
            data = await super()._receive_bytes(loop.time())  # it may be us who were busy: what waits is no silence
        self._quiet_at_s = loop.time() + self._patience.quiet_s if data else math.inf
        if not self._is_active:
            self._overhear(data, loop.time())
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

    async def _poll(self) -> None:
        await self._port.send(self._rounds.next_order(asyncio.get_running_loop().time()).to_bytes())

    async def _find(self) -> Info:
        """Who is there; asked before anything is set, so that a reader of the other family is left as it is."""
        told = await self._answer_at_any_baud()
        info = answers.parse_info(told)
        model, version = MODELS.get(info.type), f"{info.firmware[0]}.{info.firmware[1]:02d}"
        if model is None:
            self._warn(f"type byte 0x{info.type:02x} is of no known reader; taken for a {self.dialect.type_name}")
        elif model.dialect is not self.dialect:
            is_a = f"the reader is a {model.name} (type byte 0x{info.type:02x})"
            raise ReaderRefused(f'{is_a}; set type = "{model.dialect.type_name}"', info.type)
        name = f"type 0x{info.type:02x}" if model is None else model.name
        self.module = f"{name} firmware {version}, address {told.address}"
        return info

    async def _answer_at_any_baud(self) -> Frame:
        """The answer to who it is; the port stays at the speed it was given at.

        Raises:
            ReaderTimeout: nothing answers at any speed.
        """
        question, wanted = commands.get_info(self._common.address), self._common.baud
        told = await self._try(question)
        if told is None:  # it may be too busy streaming to listen
            with suppress(ReaderTimeout):  # or what streams is another speed's
                await self._stop(self._mode_order(ANSWER_MODE).to_bytes(), "the reader")
            told = await self._try(question)
        if told is not None:
            return told
        for baud in commands.BAUDS.values():
            if baud != wanted and self._change_baud(baud):
                told = await self._try(question, tries=1)
                if told is not None:
                    self._warn(f"the reader is at {baud} baud, not at {wanted}; set baud = {baud}")
                    return told
        raise ReaderTimeout("no answer at any baud rate; check power, wiring and address")

    def _change_baud(self, baud: int) -> bool:
        """Whether the port can."""
        try:
            self._port.set_baud(baud)
        except SettingsError:
            return False
        return True

    async def _set_up(self, info: Info) -> None:
        """Write what differs: it is kept in a memory that wears."""
        settings = self._common
        band, address = commands.band_bytes(settings.band, settings.channel), settings.address
        if info.band != band:
            await self._order(f"region {settings.region}", commands.set_band(settings.band, settings.channel, address))
        if info.power_dbm != settings.power_dbm:
            await self._order(f"power_dbm = {settings.power_dbm}", commands.set_power(settings.power_dbm, address))
        if info.scan_time_100ms != settings.scan_time_100ms:
            order = commands.set_scan_time(settings.scan_time_100ms, address)
            await self._order(f"scan_time_ms = {settings.scan_time_ms}", order)
        told = answers.parse_info(await self._ask("its settings", commands.get_info(address)))
        if told.band != band:
            raise ReaderRefused(f"asked for region {settings.region}, the reader is at 0x{told.band.hex()}", 0)
        if told.power_dbm not in (settings.power_dbm, answers.POWER_UNKNOWN):
            is_at = f"asked for {settings.power_dbm} dBm, the reader is at {told.power_dbm} dBm"
            raise ReaderRefused(f"{is_at}; set power_dbm to what it can do", 0)

    def _mode_order(self, mode: int) -> Frame:
        return commands.set_mode(self.dialect, mode, self._common.address)

    def _warn(self, words: str) -> None:
        if words:
            self.health.alarms += 1
            self.health.alarm = words

    async def _order(self, what: str, command: Frame) -> None:
        """Send a command whose answer is its status.

        Raises:
            ReaderRefused: it is not `ok`.
        """
        told = await self._ask(what, command)
        if told.status != answers.OK:
            why = f"status 0x{told.status:02x}, {answers.meaning(told)}"
            raise ReaderRefused(f"the reader refuses {what}: {why}", told.status or 0)

    async def _ask(self, what: str, command: Frame) -> Frame:
        told = await self._try(command)
        if told is None:
            raise ReaderTimeout(
                f"no answer to {what} (command 0x{command.command:02x}); check power, wiring and baud rate"
            )
        return told

    async def _try(self, command: Frame, tries: int = TRIES) -> Frame | None:
        """The answer to a command, by its code; what else arrives meanwhile is dropped.

        A command it does not know it may only have heard wrongly.
        """

        def judge(frame: Frame) -> Frame | None:
            return frame if frame.command == command.command or answers.is_unknown_command(frame) else None

        told: Frame | None = None
        for _ in range(tries):
            await self._port.send(command.to_bytes())
            told = await self._answer(judge, self._patience.answer_s)
            if told is not None and not answers.is_unknown_command(told):
                break
        return told
