"""PN532 NFC chip on its serial interface (HSU), cards of ISO 14443 A (MIFARE, NTAG, DESFire): driver.

    [[readers]]
    id = "r-desk"
    type = "pn532-hsu"
    port = "/dev/serial/by-id/…"
    poll_ms = 100            # between two polls; presence asks for two reads within 1.5 s
    baud = 115200
    antennas = [{ number = 1, zone = "desk" }]

The chip sleeps until it is woken, and with its own settings answers a poll only when a card comes; so it is woken and its
retries are set first, also after every silence, since it forgets both with its power.  Every answer to a poll, with a card or
without, is the sign of life.  After a card the field goes off until the next poll: a card that is left selected misses every
other one (esphome issue 9875, Adafruit-PN532 issue 52).  Cards whose UID is drawn anew at every touch (telephones) are
counted in `health.random_uids` and never become a read.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, ClassVar, Self

import msgspec

from readers.card_number import CARD_RSSI_DBM, is_random, nfc_card
from readers.driver import FrameDriver
from readers.errors import FrameError, ReaderError, ReaderRefused, ReaderTimeout
from readers.model import ClockNs, Epc, Read, ReaderId
from readers.pn532_hsu import commands
from readers.pn532_hsu.codec import TFI_ERROR, Frame, FrameDecoder, Information
from readers.pn532_hsu.commands import Command
from readers.ports import BytePort
from readers.settings import Baud, DeviceSettings

ONLY_ANTENNA = 1
TRIES = 2
"""A chip that is just waking up may miss the command that woke it."""


class Pn532Settings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of the reader's stanza; see the module's docstring."""

    baud: Baud = 115200
    poll_ms: Annotated[int, msgspec.Meta(ge=10, le=500)] = 100


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a driver waits.

    Args:
        answer_s: for the answer to a command, a poll among them.
        dead_polls: so many polls in a row without an answer, although other commands are answered, before giving up.
    """

    answer_s: float = 0.5
    dead_polls: int = 5


class Pn532Reader(FrameDriver[Frame]):
    """One chip on one port.  Entering wakes it up and sets it up, leaving switches its field off.

    Args:
        clock_ns: stamps the reads.
    """

    settings_type: ClassVar[type[DeviceSettings]] = Pn532Settings
    bauds: ClassVar[tuple[int, ...]] = (115200, 9600, 19200, 38400, 57600, 230400, 460800, 921600)

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        settings: Pn532Settings,
        clock_ns: ClockNs,
        patience: Patience = Patience(),
    ) -> None:
        super().__init__(reader_id, port, FrameDecoder, clock_ns)
        self.module = ""
        """What the chip calls itself, known once entered."""
        self._poll_s, self._patience = settings.poll_ms / 1000, patience
        self._unanswered = 0  # polls in a row

    async def __aenter__(self) -> Self:
        """End the poll that may still run, wake the chip up, ask who it is, set it up.

        Raises:
            ReaderTimeout: nothing answers, or it does not fall silent.
            ReaderRefused: it is no PN532, or does not accept what it is told.
        """
        await self._stop(commands.WAKE + commands.ABORT.to_bytes(), "the chip")
        await self._set_up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ReaderError):  # it may be the reason why we leave
            await self._port.send(commands.ABORT.to_bytes() + commands.field_off().to_bytes())

    async def reads(self) -> AsyncIterator[Read]:
        """Every card of every poll, without end.

        Raises:
            ReaderDisconnected: the port is gone.
            ReaderTimeout: no poll is answered although the chip was set up anew.
            ReaderRefused: the chip does not accept what it is told.
        """
        loop = asyncio.get_running_loop()
        while True:
            next_at_s = loop.time() + self._poll_s
            answer = await self._exchange(commands.poll())
            if answer is None:
                await self._revive()
                continue
            read_at_ns = self._clock_ns()  # stamped once, where the bytes arrive
            self._unanswered = 0
            self._lived(1)
            for read in await self._reads_of(answer, read_at_ns):
                yield read
            await self._rest_until(next_at_s)

    async def _reads_of(self, answer: Information, read_at_ns: int) -> Sequence[Read]:
        """What a poll has found; a card is let go at once, so that the next poll finds it again."""
        try:
            targets = commands.parse_targets(answer)
            uids = [target.uid for target in targets if not is_random(target.uid)]
            cards = [Epc(nfc_card(uid)) for uid in uids]
        except (FrameError, ValueError):
            self.health.bad_frames += 1
            return ()
        self.health.random_uids += len(targets) - len(uids)
        self.health.empty_polls += not targets
        if targets:
            await self._exchange(commands.field_off())
        return [Read(card, self.reader_id, ONLY_ANTENNA, CARD_RSSI_DBM, read_at_ns) for card in cards]

    async def _rest_until(self, next_at_s: float) -> None:
        """Wait for the next poll's turn; what comes meanwhile was not asked for."""
        loop = asyncio.get_running_loop()
        while loop.time() < next_at_s:
            await self._receive_until(next_at_s)

    async def _revive(self) -> None:
        """No answer: the chip may have lost its power, and with it what it was told.

        Raises:
            ReaderTimeout: too many polls were not answered, or nothing at all is answered.
        """
        self._unanswered += 1
        if self._unanswered >= self._patience.dead_polls:
            raise ReaderTimeout(f"{self._unanswered} polls in a row not answered; check the chip's power")
        self.health.rearms += 1
        await self._port.send(commands.ABORT.to_bytes())
        await self._set_up()

    async def _set_up(self) -> None:
        await self._ask(commands.sam_configuration(), "the wake-up")
        try:
            firmware = commands.parse_firmware(await self._ask(commands.get_firmware(), "the question who it is"))
        except FrameError as error:
            raise ReaderRefused(f"the chip is no PN532: {error}", 0) from error
        self.module = str(firmware)
        if firmware.chip != commands.PN532 or not firmware.reads_14443a:
            raise ReaderRefused(f"the chip is a {self.module} and not a PN532 that reads ISO 14443 A", firmware.chip)
        await self._ask(commands.set_max_retries(), "the number of retries")

    async def _ask(self, command: Information, what: str) -> Information:
        for _ in range(TRIES):
            answer = await self._exchange(command, wake=command.code == Command.SAM_CONFIGURATION)
            if answer is not None:
                return answer
        raise ReaderTimeout(f"no answer to {what}; check power, wiring, baud rate, and that its switches say HSU")

    async def _exchange(self, command: Information, *, wake: bool = False) -> Information | None:
        """The answer to a command, None where none comes in time; what else arrives meanwhile is dropped.

        The chip sends an ACK first, often in one piece with the answer; the answer alone is proof enough.
        """

        def judge(frame: Frame) -> Information | None:
            if commands.is_error(frame):
                raise ReaderRefused(f"the chip does not understand command 0x{command.code:02x}", TFI_ERROR)
            return frame if isinstance(frame, Information) and commands.is_answer(frame, command) else None

        await self._port.send((commands.WAKE if wake else b"") + command.to_bytes())
        return await self._answer(judge, self._patience.answer_s)
