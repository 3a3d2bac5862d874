"""Mercury UHF modules: finding one, asking it, and setting it up.  What it reads is in `reader.py`."""

from collections.abc import Collection
from contextlib import suppress
from functools import partial

from readers.driver import StreamDriver
from readers.errors import FrameError, ReaderRefused, ReaderTimeout
from readers.mercury import answers, commands, statuses
from readers.mercury.codec import Answer, AnswerDecoder, Command
from readers.mercury.commands import Opcode, ReaderOption
from readers.mercury.patience import Patience
from readers.mercury.settings import MercurySettings
from readers.model import ClockNs, ReaderId
from readers.ports import BytePort, drain

TRIES = 2


class MercuryDialogue(StreamDriver[Answer]):
    """One module on one port, as far as it is asked and told.

    Args:
        clock_ns: stamps the reads.
    """

    def __init__(
        self, reader_id: ReaderId, port: BytePort, settings: MercurySettings, clock_ns: ClockNs, patience: Patience
    ) -> None:
        super().__init__(reader_id, port, AnswerDecoder, clock_ns)
        self.module = ""
        """What the module calls itself, known once entered."""
        self._settings, self._patience = settings, patience

    async def _find(self) -> None:
        """Make it quiet, and talk at the speed of the settings.

        Raises:
            ReaderTimeout: nothing answers at any speed.
        """
        wanted = self._settings.baud
        baud = await self._find_speed(wanted, commands.BAUDS, self._answers_at)
        if baud is None:
            raise ReaderTimeout(
                "no answer at any baud rate; check power, and RX and TX; a module that hangs has to lose power"
            )
        if baud != wanted:
            await self._done(f"baud = {wanted}", commands.set_baud(wanted))
            self._port.set_baud(wanted)
        self.module = answers.parse_version(await self._done("its version", commands.get_version())).model

    async def _answers_at(self, baud: int) -> bool:
        """Whether it says at this speed what it is, after having been told to stop."""
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
        temperature = await self._reply(commands.get_temperature())
        with suppress(FrameError):  # nice to know, no reason not to read
            if temperature is not None and temperature.status == statuses.OK:
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
            raise refusal(what, answer.status)
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


def refusal(what: str, status: int) -> ReaderRefused:
    """The module's no, in words."""
    return ReaderRefused(f"the module refuses {what}: status 0x{status:04x}, {statuses.name(status)}", status)
