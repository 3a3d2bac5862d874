"""R2000 class UHF reader: finding it, asking it, and setting it up.  What it reads is in `reader.py`."""

from dataclasses import dataclass
from functools import partial

from readers.driver import StreamDriver
from readers.errors import ReaderRefused, ReaderTimeout
from readers.model import ClockNs, ReaderId
from readers.ports import BytePort, drain
from readers.r2000_a0 import answers, commands
from readers.r2000_a0.codec import Frame, FrameDecoder
from readers.r2000_a0.settings import ROUND_S, R2000Settings

TRIES = 4
"""A reader that has just been started anew does not answer at once."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the driver waits.

    Args:
        calm_s: for an old order to end by itself.
        answer_s: for the answer to a command; writing to flash takes over 0.1 s.
        silent_s: of silence in an order before ordering anew, beside `round_s` for each of its rounds.
        round_s: of silence in each inventory round.
        dead_s: without a sign of life, although it answers, before giving up.
        temperature_s: from one question for the temperature to the next.
    """

    calm_s: float = 3.0
    answer_s: float = 0.5
    silent_s: float = 1.0
    round_s: float = ROUND_S
    dead_s: float = 5.0
    temperature_s: float = 30.0


USUAL = Patience()


class R2000Dialogue(StreamDriver[Frame]):
    """One reader on one port, as far as it is asked and told.

    Args:
        clock_ns: stamps the reads.
    """

    def __init__(
        self, reader_id: ReaderId, port: BytePort, settings: R2000Settings, clock_ns: ClockNs, patience: Patience
    ) -> None:
        super().__init__(reader_id, port, FrameDecoder, clock_ns)
        self.module = ""
        """What the reader says of itself, known once entered."""
        self._settings, self._patience, self._to = settings, patience, settings.address

    async def _find(self) -> None:
        """Make it talk at the speed of the settings, with no old order running.

        Raises:
            ReaderTimeout: nothing answers at any speed.
        """
        wanted = self._settings.baud
        baud = await self._find_speed(wanted, commands.BAUDS, self._answers_at)
        if baud is None:
            raise ReaderTimeout("no answer at any baud rate; check power, wiring and address")
        if baud != wanted:
            await self._order(f"the speed of {wanted} baud", commands.set_baud(self._to, wanted))
            self._port.set_baud(wanted)
        told = await self._ask(commands.get_firmware(self._to), "the firmware's version")
        self.module = f"R2000 firmware {answers.parse_firmware(told)}, address {told.address}"

    async def _answers_at(self, _baud: int) -> bool:
        """Whether it answers at this speed, after having been waited for, and started anew where that did not help."""
        if not await drain(self._port, limit_ms=round(self._patience.calm_s * 1000)):
            await self._port.send(commands.reset(self._to).to_bytes())
            await drain(self._port)
        self._decoder.flush()  # what came at another speed
        return await self._reply(commands.get_firmware(self._to)) is not None

    async def _set_up(self) -> None:
        settings = self._settings
        region = bytes([commands.REGIONS[settings.region], *settings.channels()])
        if await self._region() != region:
            await self._order(f"region {settings.region}", commands.set_region(self._to, settings.region, *region[1:]))
            told = await self._region()
            if told != region:
                raise ReaderRefused(f"asked for region {settings.region}, the reader is in 0x{told.hex()}", 0)
        await self._set_powers()
        detector_db = settings.detector_db
        if detector_db is not None and detector_db != answers.parse_byte(
            await self._ask(commands.get_detector(self._to), "the antenna detector")
        ):
            await self._order("detector_db", commands.set_detector(self._to, detector_db))

    async def _region(self) -> bytes:
        return (await self._ask(commands.get_region(self._to), "the region")).data

    async def _set_powers(self) -> None:
        wanted = self._settings.powers_dbm()
        told = await self._powers()
        if all(told[antenna - 1] == power for antenna, power in wanted.items()):
            return
        alike = set(wanted.values())
        powers = alike if len(alike) == 1 else [wanted.get(port, power) for port, power in enumerate(told, start=1)]
        await self._order("power_dbm", commands.set_power(self._to, [*powers]))
        told = await self._powers()
        for antenna, power in wanted.items():
            if told[antenna - 1] != power:
                is_at = f"asked for {power} dBm, antenna {antenna} is at {told[antenna - 1]} dBm"
                raise ReaderRefused(f"{is_at}; set power_dbm to what the reader can do", 0)

    async def _powers(self) -> tuple[int, ...]:
        """The transmit power of each port."""
        ports = self._settings.ports
        told = answers.parse_powers_dbm(await self._ask(commands.get_power(self._to, ports), "the power"))
        if len(told) not in (1, ports):
            raise ReaderRefused(f"the reader has {len(told)} ports; set ports = {len(told)}", 0)
        return told * ports if len(told) == 1 else told

    async def _order(self, what: str, command: Frame) -> None:
        """Send a command whose answer is a result byte."""
        code = answers.parse_byte(await self._ask(command, what))
        if code != answers.OK:
            raise ReaderRefused(f"the reader refuses {what}: {answers.describe_error(code)}", code)

    async def _ask(self, command: Frame, what: str) -> Frame:
        """The answer to a command; what else arrives meanwhile is dropped."""
        answer = await self._reply(command)
        if answer is None:
            raise ReaderTimeout(f"no answer to {what} (command 0x{command.command:02x}); check power and wiring")
        return answer

    async def _reply(self, command: Frame) -> Frame | None:
        for _ in range(TRIES):
            await self._port.send(command.to_bytes())
            answer = await self._answer(partial(_is_answer, command=command), self._patience.answer_s)
            if answer is not None:
                return answer
        return None


def _is_answer(frame: Frame, command: Frame) -> Frame | None:
    return frame if frame.command == command.command else None
