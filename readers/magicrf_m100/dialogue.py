"""MagicRF M100 UHF module: finding it, asking it, and setting it up.  What it reads is in `reader.py`."""

from functools import partial

from readers.driver import StreamDriver
from readers.errors import ReaderRefused, ReaderTimeout
from readers.magicrf_m100 import answers, commands
from readers.magicrf_m100.codec import Frame, FrameDecoder, FrameType
from readers.magicrf_m100.commands import Command, Info, SelectMode
from readers.magicrf_m100.settings import M100Settings
from readers.magicrf_m100.vigil import Patience
from readers.model import ClockNs, ReaderId
from readers.ports import BytePort, drain

TRIES = 2
"""A sleeping module does not answer the command that wakes it."""
HUSH_LIMIT_MS = 1000
_NOT_OUR_ANSWER = (answers.NO_TAG, answers.CHANNELS_OCCUPIED)  # they end rounds of a poll that still runs


class M100Dialogue(StreamDriver[Frame]):
    """One module on one port, as far as it is asked and told.

    Args:
        clock_ns: stamps the reads.
    """

    def __init__(
        self, reader_id: ReaderId, port: BytePort, settings: M100Settings, clock_ns: ClockNs, patience: Patience
    ) -> None:
        super().__init__(reader_id, port, FrameDecoder, clock_ns)
        self.module = ""
        """What the module calls itself, known once entered."""
        self._settings, self._patience = settings, patience

    async def _find(self) -> None:
        """Stop it, and make it talk at the speed of the settings.

        Raises:
            ReaderTimeout: nothing answers at any speed.
        """
        wanted = self._settings.baud
        baud = await self._find_speed(wanted, commands.BAUDS, self._answers_at)
        if baud is None:
            raise ReaderTimeout("no answer at any baud rate; check power, and that RX and TX are not swapped")
        if baud != wanted:
            await self._port.send(commands.set_baud(wanted).to_bytes())
            await drain(self._port)  # there is no answer to wait for, and the order must leave at the old speed
            self._port.set_baud(wanted)
        self.module = answers.parse_info(await self._ask(commands.info(Info.HARDWARE), "what it is"))

    async def _answers_at(self, _baud: int) -> bool:
        """Whether it says at this speed what it is, after having been told to stop."""
        await self._port.send(commands.stop_multi_poll().to_bytes())
        await drain(self._port, limit_ms=HUSH_LIMIT_MS)
        self._decoder.flush()  # what came at another speed
        return await self._reply(commands.info(Info.HARDWARE), "what it is") is not None

    async def _set_up(self) -> None:
        """Stop it for certain, for one stop may have got lost among its notices; then tell it everything."""
        settings = self._settings
        await self._order("the stop", commands.stop_multi_poll())
        region = commands.REGIONS[settings.region]
        await self._order(f"region {settings.region}", commands.set_region(settings.region))
        told = (await self._ask(commands.get_region())).payload
        if told != bytes([region]):
            raise ReaderRefused(f"asked for region {settings.region}, the module is in 0x{told.hex()}", 0)
        if settings.hop_channels:
            await self._order("hop_channels", commands.insert_channels(settings.hop_channels))
        await self._order("hopping", commands.set_hopping(on=settings.hopping))
        if settings.channel is not None:
            await self._order(f"channel {settings.channel}", commands.set_channel(settings.channel))
        await self._set_power(round(settings.power_dbm * 100))
        query = commands.set_query(q=settings.q, session=settings.session, target=settings.target)
        await self._order("the query", query)
        await self._set_select()

    async def _set_power(self, power_cdbm: int) -> None:
        await self._order(f"power_dbm = {power_cdbm / 100:g}", commands.set_power(power_cdbm))
        told_cdbm = answers.parse_power_cdbm(await self._ask(commands.get_power()))
        if told_cdbm != power_cdbm:
            told = f"asked for {power_cdbm / 100:g} dBm, the module is at {told_cdbm / 100:g} dBm"
            raise ReaderRefused(f"{told}; set power_dbm to what it can do", 0)

    async def _set_select(self) -> None:
        """Select, or see that what somebody else selected does not hide our tags."""
        settings = self._settings
        if settings.select is None:
            await self._order("select mode", commands.set_select_mode(SelectMode.NEVER))
            return
        mask = bytes.fromhex(settings.select)
        select = commands.set_select(
            mask, mask_bits=settings.select_bits, session=settings.session, target=settings.target
        )
        await self._order("select", select)
        await self._order("select mode", commands.set_select_mode(SelectMode.ALWAYS))

    async def _order(self, what: str, command: Frame) -> None:
        """Send a command whose answer is a result byte."""
        answer = await self._ask(command, what)
        if answer.payload[:1] != b"\0":
            raise refusal(what, answer.payload[0] if answer.payload else 0)

    async def _ask(self, command: Frame, what: str = "a question") -> Frame:
        """The answer to a command; what else arrives meanwhile is dropped."""
        answer = await self._reply(command, what)
        if answer is None:
            raise ReaderTimeout(f"no answer to {what} (command 0x{command.command:02x}); check power and wiring")
        return answer

    async def _reply(self, command: Frame, what: str) -> Frame | None:
        for _ in range(TRIES):
            await self._port.send(command.to_bytes())
            answer = await self._answer(partial(_is_answer, command=command, what=what), self._patience.answer_s)
            if answer is not None:
                return answer
        return None


def refusal(what: str, code: int) -> ReaderRefused:
    """The module's no, in words."""
    return ReaderRefused(f"the module refuses {what}: error 0x{code:02x}, {answers.error_meaning(code)}", code)


def _is_answer(frame: Frame, command: Frame, what: str) -> Frame | None:
    code = answers.parse_error(frame)
    if code is not None and code not in _NOT_OUR_ANSWER:
        raise refusal(what, code)
    is_ours = frame.command == command.command or (
        command.command == Command.SET_SELECT_MODE and frame.command == Command.SET_SELECT  # as the manual prints it
    )
    return frame if frame.type == FrameType.ANSWER and is_ours else None
