"""ThingMagic / JADAK Mercury UHF module (M6e, Micro, Nano, M7e, and Silion boards): driver.

    [[readers]]
    id = "r-door"
    type = "mercury"
    port = "/dev/serial/by-id/…"
    region = "eu3"           # na North America, eu3 Europe, prc China, …; the error for a wrong one lists the module's
    power_dbm = 27.0         # outside what the module says it can do is refused
    active_antennas = [1]    # in turn; the same as in `antennas`
    session = 0              # 0 reports a tag in every round, which presence needs
    target = "A"             # A, B, AB, BA
    q = 4                    # optional: 2**q slots a round; unset: as many as the module finds good
    hop_khz = []             # optional: hop over these frequencies instead of the region's own
    baud = 115200            # or up to 921600: a module found at another speed is moved to this one
    antennas = [{ number = 1, zone = "door", floor_dbm = -72 }]

While it streams, the module sends a keep-alive once a second, tags or not: that, and the tags, are the sign of life.  After a
crash of the host it goes on streaming, at whatever speed it was told, so opening tells it to stop at every speed until it
answers.  A module that got too little power starts again in its bootloader without a word; it is then set up from scratch.

A tag is dated where its bytes arrive.  The module's own time, milliseconds since the last keep-alive, would need the keep-
alives' times reconciled with ours to gain what the line costs, a few milliseconds; so it is not asked for, nor is anything
else that is not used, which makes a report 34 bytes instead of 47: at 115200 baud the line carries 330 a second instead of
245.  A module that reads faster wants a faster one.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import ClassVar, Self

from readers.errors import FrameError, ReaderError, ReaderRefused, ReaderTimeout
from readers.mercury import answers, commands, statuses
from readers.mercury.codec import Answer
from readers.mercury.dialogue import MercuryDialogue, refusal
from readers.mercury.patience import USUAL, Patience
from readers.mercury.scan import METADATA, STREAM, USUAL_METADATA
from readers.mercury.settings import MercurySettings
from readers.model import ClockNs, Epc, Read, ReaderId
from readers.ports import BytePort
from readers.settings import DeviceSettings
from readers.wire_format import WireFormat

ORDERS = ((METADATA, True), (METADATA, False), (USUAL_METADATA, False))
"""What to be told of a tag, and whether of the temperature, too: the best first, last what all published captures have."""


class MercuryReader(MercuryDialogue):
    """One module on one port.  Entering sets it up and starts the stream, leaving stops it.

    Args:
        clock_ns: stamps the reads.
    """

    settings_type: ClassVar[type[DeviceSettings]] = MercurySettings
    wire: ClassVar[WireFormat] = STREAM

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        settings: MercurySettings,
        clock_ns: ClockNs,
        patience: Patience = USUAL,
    ) -> None:
        super().__init__(reader_id, port, settings, clock_ns, patience)
        self._alive_at_s = self._rearm_at_s = 0.0
        self._complaint = ""  # of the module since its last sign of life

    async def __aenter__(self) -> Self:
        """Find the module at whatever speed, stop what may still run, set it up, start the stream.

        Raises:
            ReaderTimeout: nothing answers.
            ReaderRefused: the module does not accept region, power, antennas or the stream.
        """
        await self._find()
        await self._set_up()
        self._alive_at_s = asyncio.get_running_loop().time()
        async with AsyncExitStack() as in_vain:
            in_vain.push_async_callback(self._end)  # refused, or cut short: it may stream all the same
            await self._arm()
            in_vain.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        with suppress(ReaderError):  # it may be the reason why we leave
            await self._port.send(commands.stop_stream().to_bytes())

    def _interpret(self, frame: Answer, read_at_ns: int) -> Sequence[Read]:
        if not answers.is_stream(frame):
            return ()
        if frame.status != statuses.OK or not frame.payload:
            self._obey(frame.status)
            return ()
        record = answers.parse_tag(frame)
        if record is None:
            temperature_c = answers.parse_streamed_temperature(frame)
            if temperature_c is not None:
                self.health.temperature_c = temperature_c
            return ()
        seen = record.sighting
        if seen.antenna_tx is None or seen.rssi_dbm is None:
            raise FrameError("a tag without antenna or signal strength")
        return (Read(Epc(record.epc), self.reader_id, seen.antenna_tx, seen.rssi_dbm, read_at_ns, record.crc_ok),)

    def _obey(self, status: int) -> None:
        """What a frame of the stream says that is nothing but a status."""
        if status in (statuses.NO_TAGS, statuses.OK):
            self.health.empty_polls += 1
        elif status in statuses.ALARMS:
            self.health.alarms += 1
            self.health.alarm = self._complaint = statuses.ALARMS[status]
        elif status != statuses.TAG_BUFFER_FULL:  # that ends a search, which shows as silence
            raise refusal("to go on reading", status)

    def _is_sign_of_life(self, frame: Answer) -> bool:
        return answers.is_sign_of_life(frame)

    def _listen_until_s(self) -> float:
        return self._rearm_at_s

    async def _attend(self, lives: int, heard_at_s: float) -> None:
        if lives:
            self._complaint = ""
            self._alive_at_s = heard_at_s
            self._rearm_at_s = heard_at_s + self._patience.rearm_s
        elif heard_at_s - self._alive_at_s >= self._patience.dead_s:
            why = self._complaint or "check power and wiring"
            raise ReaderTimeout(f"no sign of life for {self._patience.dead_s:g} s; {why}")
        elif heard_at_s >= self._rearm_at_s:
            await self._rearm()

    async def _rearm(self) -> None:
        """Start again, from scratch: a module that lost its power is back in its bootloader."""
        self.health.rearms += 1
        await self._hush()
        await self._set_up()
        await self._arm()

    async def _arm(self) -> None:
        """Start the stream, in the best form that the module accepts."""
        for metadata, temperature in ORDERS:
            answer = await self._ask(commands.start_stream(metadata, temperature=temperature), "to read without end")
            if answer.status == statuses.OK:
                self._rearm_at_s = asyncio.get_running_loop().time() + self._patience.rearm_s
                return
        if answer.status in statuses.NOT_SUPPORTED:
            raise ReaderRefused(f"{self.module}: it cannot stream tags, as an M5e cannot", answer.status)
        raise refusal("to read without end", answer.status)
