"""ThingMagic / JADAK Mercury UHF module (M6e, Micro, Nano, M7e, and Silion boards): driver.

    [[readers]]
    id = "r-door"
    type = "mercury"
    port = "/dev/serial/by-id/…"
    region = "eu3"           # na North America, eu3 Europe, prc China, …; the error for a wrong one lists the module's
    power_dbm = 27.0         # outside what the module says it can do is refused
    active_antennas = [1]    # in turn; each should be in `antennas`
    session = 0              # 0 reports a tag in every round, which presence needs
    target = "A"             # A, B, AB, BA
    q = 4                    # optional: 2**q slots a round; unset: as many as the module finds good
    hop_khz = []             # optional: hop over these frequencies instead of the region's own
    baud = 115200            # or up to 921600: a module found at another speed is moved to this one
    antennas = [{ number = 1, zone = "door", floor_dbm = -72 }]

While it streams, the module sends a keep-alive once a second, tags or not: that, and the tags, are the sign of life.  After a
crash of the host it goes on streaming, at whatever speed it was told, so opening tells it to stop at every speed until it
answers.  A module that got too little power starts again in its bootloader without a word; it is then set up from scratch.

A tag is dated where its bytes arrive.  The module's own time of it, milliseconds since the last keep-alive, is reported and
not used: it would take the keep-alives' times reconciled with ours to win back what the line costs, a few milliseconds.
At 115200 baud the line carries some 245 reports a second; a module that reads faster wants more.
"""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import ClassVar, Self

from readers.driver import StreamDriver
from readers.errors import FrameError, ReaderError, ReaderRefused, ReaderTimeout, SettingsError
from readers.mercury import answers, commands, statuses
from readers.mercury.codec import Answer, AnswerDecoder, Command
from readers.mercury.commands import Opcode, ReaderOption
from readers.mercury.patience import USUAL, Patience
from readers.mercury.scan import METADATA, STREAM
from readers.mercury.settings import MercurySettings
from readers.model import ClockNs, Epc, Read, ReaderId
from readers.ports import BytePort, drain
from readers.settings import DeviceSettings
from readers.wire_format import WireFormat

TRIES = 2


class MercuryReader(StreamDriver[Answer]):
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
        super().__init__(reader_id, port, AnswerDecoder, clock_ns)
        self.module = ""
        """What the module calls itself, known once entered."""
        self._settings, self._patience = settings, patience
        self._alive_at_s = self._rearm_at_s = 0.0
        self._complaint = ""  # of the module since its last sign of life

    async def __aenter__(self) -> Self:
        """Find the module at whatever speed, stop what may still run, set it up, start the stream.

        Raises:
            ReaderTimeout: nothing answers.
            ReaderRefused: the module does not accept region, power, antennas or the stream.
        """
        self.module = await self._find()
        await self._set_up()
        self._alive_at_s = asyncio.get_running_loop().time()
        await self._arm()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            raise _refusal("to go on reading", status)

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
        """Start the stream, with the temperature in it where the module can."""
        for temperature in (True, False):
            answer = await self._ask(commands.start_stream(METADATA, temperature=temperature), "to read without end")
            if answer.status == statuses.OK:
                self._rearm_at_s = asyncio.get_running_loop().time() + self._patience.rearm_s
                return
        if answer.status in statuses.NOT_SUPPORTED:
            raise ReaderRefused(f"{self.module}: it cannot stream tags, as an M5e cannot", answer.status)
        raise _refusal("to read without end", answer.status)

    async def _find(self) -> str:
        """What the module is, once it is quiet and talks at the speed of the settings.

        Raises:
            ReaderTimeout: nothing answers at any speed.
        """
        wanted = self._settings.baud
        for baud in (wanted, *(other for other in commands.BAUDS if other != wanted)):
            if await self._answers_at(baud):
                if baud != wanted:
                    await self._done(f"baud = {wanted}", commands.set_baud(wanted))
                    self._port.set_baud(wanted)
                return answers.parse_version(await self._done("its version", commands.get_version())).model
        self._port.set_baud(wanted)
        raise ReaderTimeout(
            "no answer at any baud rate; check power, and RX and TX; a module that hangs has to lose power"
        )

    async def _answers_at(self, baud: int) -> bool:
        """Whether it says at this speed what it is, after having been told to stop."""
        try:
            self._port.set_baud(baud)
        except SettingsError:
            if baud == self._settings.baud:
                raise
            return False  # the port cannot, so the module is not found there
        self._decoder.flush()  # what came at another speed
        for _ in range(TRIES if baud == self._settings.baud else 1):
            if await self._hush() and await self._reply(commands.get_version(), tries=1) is not None:
                return True
        return False

    async def _hush(self) -> bool:
        """Tell it to stop, and say whether the line fell quiet."""
        await self._port.send(commands.stop_stream().to_bytes())
        return await drain(self._port, self._patience.quiet_ms, self._patience.hush_ms)

    async def _set_up(self) -> None:
        if answers.parse_in_bootloader(await self._done("what runs", commands.current_program())):
            await self._done("to boot", commands.boot())
        await self._set_region()
        await self._done("the tag protocol Gen2", commands.set_protocol())
        await self._set_antennas()
        await self._set_power()
        await self._done("to report each tag again", commands.set_reader_option(ReaderOption.READ_FILTER, 0))
        await self._set_gen2()
        temperature = await self._ask(commands.get_temperature(), "its temperature")
        with suppress(FrameError):  # nice to know, no reason not to read
            if temperature.status == statuses.OK:
                self.health.temperature_c = answers.parse_temperature(temperature)

    async def _set_region(self) -> None:
        wanted = self._settings.region
        there = await self._ask(commands.get_regions(), "its regions")
        if there.status == statuses.OK and commands.REGIONS[wanted] not in there.payload:
            names = ", ".join(commands.REGION_NAMES.get(code, f"0x{code:02x}") for code in there.payload)
            raise ReaderRefused(f"region {wanted} is not among those of this module: {names}", 0)
        await self._done(f"region {wanted}", commands.set_region(wanted))
        told = (await self._done("its region", commands.get_region())).payload
        if told != bytes([commands.REGIONS[wanted]]):
            raise ReaderRefused(f"asked for region {wanted}, the module is in 0x{told.hex()}", 0)
        if self._settings.hop_khz:
            await self._done("hop_khz", commands.set_hop_table(self._settings.hop_khz))

    async def _set_antennas(self) -> None:
        wanted = self._settings.active_antennas
        there = await self._ports()
        missing = [str(antenna) for antenna in wanted if antenna not in there]
        if there and missing:
            ports = ", ".join(map(str, there))
            raise ReaderRefused(f"active_antennas: no port {', '.join(missing)}; this module has {ports}", 0)
        await self._done("active_antennas", commands.set_antennas(wanted))

    async def _ports(self) -> Collection[int]:
        """The antenna ports it has; none where it cannot tell, as not every clone can."""
        answer = await self._ask(commands.detect_antennas(), "its antennas")
        with suppress(FrameError):
            if answer.status == statuses.OK:
                return answers.parse_antennas(answer)
        return ()

    async def _set_power(self) -> None:
        wanted_cdbm = round(self._settings.power_dbm * 100)
        power = answers.parse_power(await self._done("its power limits", commands.get_read_power()))
        least_cdbm, most_cdbm = power.least_cdbm or 0, power.most_cdbm or wanted_cdbm
        if not least_cdbm <= wanted_cdbm <= most_cdbm:
            limits = f"{least_cdbm / 100:g} to {most_cdbm / 100:g} dBm"
            raise ReaderRefused(f"power_dbm = {wanted_cdbm / 100:g}: this module does {limits}", 0)
        await self._done(f"power_dbm = {wanted_cdbm / 100:g}", commands.set_read_power(wanted_cdbm))

    async def _set_gen2(self) -> None:
        session, target, q = self._settings.session, self._settings.target, self._settings.q
        await self._done(f"session = {session}", commands.set_session(session))
        await self._done(f"target = {target}", commands.set_target(target))
        await self._done("to choose q" if q is None else f"q = {q}", commands.set_q(q))

    async def _done(self, what: str, command: Command) -> Answer:
        """The answer to a command that must be obeyed."""
        answer = await self._ask(command, what)
        if answer.status != statuses.OK:
            raise _refusal(what, answer.status)
        return answer

    async def _ask(self, command: Command, what: str) -> Answer:
        answer = await self._reply(command)
        if answer is None:
            raise ReaderTimeout(
                f"no answer to {what} (command 0x{command.opcode:02x}); check power, wiring and baud rate"
            )
        return answer

    async def _reply(self, command: Command, tries: int = TRIES) -> Answer | None:
        """The answer to a command, whatever it says; what else arrives meanwhile is dropped."""
        for _ in range(tries):
            await self._port.send(command.to_bytes())
            answer = await self._answer(partial(_answer_to, command), self._patience.answer_s)
            if answer is not None:
                return answer
        return None


def _answer_to(command: Command, answer: Answer) -> Answer | None:
    """The answer, if it is to the command; a late one to a stop is none to a start."""
    if answer.opcode != command.opcode:
        return None
    late = command.opcode == Opcode.STREAM and answer.payload[:1] == bytes([commands.STOP_STREAM])
    return None if late else answer


def _refusal(what: str, status: int) -> ReaderRefused:
    return ReaderRefused(f"the module refuses {what}: status 0x{status:04x}, {statuses.name(status)}", status)
