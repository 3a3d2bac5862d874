"""UHFReader18 / UHFReader288: finding a reader, asking it, and setting it up."""

import asyncio
import math
from contextlib import suppress
from typing import ClassVar

from readers.driver import StreamDriver
from readers.errors import ReaderRefused, ReaderTimeout, SettingsError
from readers.model import ClockNs, ReaderId
from readers.ports import BytePort
from readers.uhfreader18 import answers, commands
from readers.uhfreader18.answers import Info
from readers.uhfreader18.codec import Frame, FrameDecoder
from readers.uhfreader18.commands import ANSWER_MODE, MODELS, Dialect
from readers.uhfreader18.rounds import Patience
from readers.uhfreader18.settings import UhfSettings

TRIES = 4
"""What is sent while it works is lost; together these outlast an inventory of the usual 2 s."""


class UhfDialogue(StreamDriver[Frame]):
    """What is said before anything is read."""

    dialect: ClassVar[Dialect]

    def __init__(
        self, reader_id: ReaderId, port: BytePort, settings: UhfSettings, clock_ns: ClockNs, patience: Patience
    ) -> None:
        super().__init__(reader_id, port, FrameDecoder, clock_ns)
        self.module = ""
        """What the reader says of itself, known once entered."""
        self._common, self._patience = settings, patience
        self._quiet_at_s = math.inf

    async def _receive_bytes(self, deadline_s: float) -> bytes:
        """As its parent, but empty already when the line falls silent: what waits behind a false length comes out."""
        loop = asyncio.get_running_loop()
        data = await super()._receive_bytes(min(deadline_s, self._quiet_at_s))
        if not data:
            data = await super()._receive_bytes(loop.time())  # it may be us who were busy: what waits is no silence
        self._quiet_at_s = loop.time() + self._patience.quiet_s if data else math.inf
        return data

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
        """The answer to who it is; the port stays at the speed at which it came.

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
        if info.power_dbm != settings.power_dbm or info.power_dbm == answers.POWER_UNKNOWN:
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
