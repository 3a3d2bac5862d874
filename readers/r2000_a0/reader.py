"""R2000 class UHF reader with the 0xA0 protocol: driver.

    [[readers]]
    id = "r-door"
    type = "r2000-a0"
    port = "/dev/serial/by-id/…"
    region = "us"              # us 902-928, europe 865-868, china 920-925 MHz
    first_mhz = 915.0          # optional: a part of the region, as Brazil or Australia want it
    last_mhz = 928.0
    power_dbm = 27             # or a list, one for each of active_antennas; read back, more than it can do is refused
    ports = 4                  # how many the reader has: 4 (also for fewer) or 8
    active_antennas = [1, 2]   # in turn; the same as in `antennas`
    session = 1                # optional, with target = "A"; unset: the reader's own.  Each antenna then gets orders of its own
    repeat = 1                 # rounds of one order; 255 keeps orders as short as the tags allow
    stay = 1                   # rounds at one antenna before the next; only without session
    interval_ms = 0            # rest between two antennas; only without session
    beeper = "off"             # off, round, tag; unset: as it is
    detector_db = 3            # an antenna with less return loss is missing; 0 off; unset: as it is
    min_return_loss_db = 6     # an antenna with less is worth a warning, measured on opening
    max_temperature_c = 65     # more is worth a warning
    address = 255              # 255 is whichever reader is there
    baud = 115200              # or 38400; a reader found at the other speed is moved to this one
    antennas = [{ number = 1, zone = "door", floor_dbm = -72 }]

The reader rests after each order, so the driver sends the next when the last one's end is told; that is the sign of
life, too.  There is no command to stop: after a crash of the host the last order ends by itself, and opening waits for
that; a reader that goes on is started anew.  Settings live in the reader's flash, so only what differs is written.
"""

import asyncio
import math
from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar, Self

from readers.errors import ReaderRefused, ReaderTimeout
from readers.model import ClockNs, Epc, Read, ReaderId
from readers.ports import BytePort
from readers.r2000_a0 import answers, commands
from readers.r2000_a0.answers import Failure, RoundEnd, TagReport
from readers.r2000_a0.codec import Frame
from readers.r2000_a0.dialogue import USUAL, Patience, R2000Dialogue
from readers.r2000_a0.rounds import Rounds, plan_turns
from readers.r2000_a0.scan import REPORTS
from readers.r2000_a0.settings import R2000Settings
from readers.settings import DeviceSettings
from readers.wire_format import WireFormat


class R2000Reader(R2000Dialogue):
    """One reader on one port.  Entering sets it up and gives the first order; when it is left, it ends its last.

    Args:
        clock_ns: stamps the reads.
    """

    settings_type: ClassVar[type[DeviceSettings]] = R2000Settings
    wire: ClassVar[WireFormat] = REPORTS

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        settings: R2000Settings,
        clock_ns: ClockNs,
        patience: Patience = USUAL,
    ) -> None:
        super().__init__(reader_id, port, settings, clock_ns, patience)
        self._rounds = Rounds(plan_turns(settings))
        self._antenna: int | None = None  # the one in use, where we know
        self._alive_at_s = self._silent_at_s = self._temperature_at_s = 0.0
        self._is_hot = self._has_rearmed = False

    async def __aenter__(self) -> Self:
        """Find the reader, let an old order end, set it up, give the first order.

        Raises:
            ReaderTimeout: nothing answers.
            ReaderRefused: the reader does not accept region, power or antennas.
        """
        await self._find()
        await self._set_up()
        if self._settings.beeper is not None:
            await self._order("beeper", commands.set_beeper(self._to, self._settings.beeper))
        await self._measure_antennas()
        self._alive_at_s = asyncio.get_running_loop().time()
        await self._next_order()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The reader rests by itself once the last order is done."""

    def _interpret(self, frame: Frame, read_at_ns: int) -> Sequence[Read]:
        said = answers.parse_inventory(frame)
        if isinstance(said, TagReport):
            return (Read(Epc(said.epc), self.reader_id, said.antenna, said.rssi_dbm, read_at_ns),)
        if said is not None:
            self._hear(said)
        return ()

    def _hear(self, said: RoundEnd | Failure) -> None:
        """Take in how an order went.

        The manual has the error that there is no tag for accesses to one only; a make that ends an empty round with it must
        not count as broken whenever its field is empty [U].
        """
        if said == answers.NO_TAG_FAILURE:
            said = answers.EMPTY_ROUND
        if isinstance(said, RoundEnd) and said.total_reads == 0:
            self.health.empty_polls += 1
        self._warn(self._rounds.hear(said))

    def _warn(self, words: str) -> None:
        if words:
            self.health.alarms += 1
            self.health.alarm = words

    def _is_sign_of_life(self, frame: Frame) -> bool:
        return answers.is_sign_of_life(frame)

    def _listen_until_s(self) -> float:
        return self._silent_at_s

    async def _attend(self, lives: int, heard_at_s: float) -> None:
        if lives:
            self._alive_at_s, self._has_rearmed = heard_at_s, False
            self._silent_at_s = max(self._silent_at_s, heard_at_s + self._patience.silent_s)
        if self._rounds.is_done:
            await self._next_order()
        elif heard_at_s >= self._silent_at_s:
            if self._has_rearmed and heard_at_s - self._alive_at_s >= self._patience.dead_s:
                raise ReaderTimeout(f"no sign of a round for {self._patience.dead_s:g} s; switch the reader off and on")
            await self._rearm()

    async def _rearm(self) -> None:
        """Order anew, set up from scratch: it may have lost its power, and with it what is not kept in flash."""
        self.health.rearms += 1
        self._has_rearmed, self._antenna = True, None
        await self._set_up()
        self._rounds.start_over()
        await self._next_order()

    async def _next_order(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._temperature_at_s:
            await self._take_temperature()
        turn = self._rounds.next_turn()
        while len(turn.antennas) == 1 and not await self._choose(turn.antennas[0]):
            self._hear(Failure(answers.ANTENNA_MISSING, turn.antennas[0]))
            turn = self._rounds.next_turn()
        await self._port.send(turn.order.to_bytes())
        self._silent_at_s = loop.time() + self._patience.silent_s + self._patience.round_s * turn.rounds + turn.rest_s

    async def _choose(self, antenna: int) -> bool:
        """Make the one-antenna orders use this antenna; whether it is there."""
        if antenna == self._antenna:
            return True
        try:
            await self._order(f"antenna {antenna}", commands.set_antenna(self._to, antenna))
        except ReaderRefused as refusal:
            if refusal.code != answers.ANTENNA_MISSING:
                raise
            return False
        self._antenna = antenna
        return True

    async def _take_temperature(self) -> None:
        told = await self._reply(commands.get_temperature(self._to))
        warmth_c = None if told is None else answers.parse_temperature_c(told)
        if warmth_c is None:  # nice to know, no reason not to read
            self._temperature_at_s = math.inf
            return
        self.health.temperature_c = warmth_c
        was_hot, self._is_hot = self._is_hot, warmth_c > self._settings.max_temperature_c
        if self._is_hot and not was_hot:
            self._warn(f"the reader is at {warmth_c} degrees C; give it air or less power")
        self._temperature_at_s = asyncio.get_running_loop().time() + self._patience.temperature_s

    async def _measure_antennas(self) -> None:
        """Warn of antennas that throw back too much; of those that are missing the orders tell."""
        least_db = self._settings.min_return_loss_db
        question = commands.get_return_loss(self._to, sum(self._settings.channels()) // 2)
        for antenna in self._settings.active_antennas if least_db else ():
            if await self._choose(antenna):
                told = await self._ask(question, "the return loss, which min_return_loss_db = 0 leaves out")
                loss_db = answers.parse_byte(told)  # where it could not measure, a number beyond any limit
                if loss_db < least_db:
                    self._warn(f"antenna {antenna} throws back power: return loss {loss_db} dB; check plug and cable")
