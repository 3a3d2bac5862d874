"""MagicRF M100 / QM100 UHF module: driver.

    [[readers]]
    id = "r-door"
    type = "magicrf-m100"
    port = "/dev/serial/by-id/…"
    region = "us"            # china_900, us, europe, china_800, korea
    power_dbm = 26.0         # read back; more than the module can do is refused
    hopping = true           # false: stays on `channel`
    channel = 0              # only with hopping = false
    q = 4                    # 2**q slots a round: 4 for some 10 tags in the field, 6 for 50
    session = 0              # 0 reports a tag in every round, which presence needs
    target = "A"
    poll_count = 10000       # rounds of one order; the driver orders anew at its end
    baud = 115200
    antennas = [{ number = 1, zone = "door", floor_dbm = -72 }]

The module never says that a poll order has ended; a round without a tag is answered by error 15, which is the sign of
life.  After a crash of the host it goes on polling, so opening stops and drains it first.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Annotated, ClassVar, Literal, Self

import msgspec

from readers.driver import StreamDriver
from readers.errors import ReaderError, ReaderRefused, ReaderTimeout
from readers.magicrf_m100 import answers, commands
from readers.magicrf_m100.codec import Frame, FrameDecoder, FrameType
from readers.magicrf_m100.commands import Command, Info
from readers.magicrf_m100.scan import NOTICE, ONLY_ANTENNA
from readers.magicrf_m100.vigil import USUAL, Patience, Vigil
from readers.model import ClockNs, Epc, Read, ReaderId
from readers.ports import BytePort
from readers.settings import Baud, DeviceSettings
from readers.wire_format import WireFormat

TRIES = 2
"""A sleeping module does not answer the command that wakes it."""


class M100Settings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of an M100's stanza; see the module's docstring."""

    baud: Baud = 115200
    region: str
    power_dbm: Annotated[float, msgspec.Meta(ge=0, le=33)]
    hopping: bool = True
    channel: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    q: Annotated[int, msgspec.Meta(ge=0, le=15)] = 4
    session: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    target: Literal["A", "B"] = "A"
    poll_count: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 10000

    def __post_init__(self) -> None:
        """Check what types cannot."""
        if self.region not in commands.REGIONS:
            raise ValueError(f"region {self.region!r} is none of {', '.join(commands.REGIONS)}")
        if self.hopping == (self.channel is not None):
            raise ValueError("`channel` goes with `hopping = false`, and only with it")


class M100Reader(StreamDriver[Frame]):
    """One module on one port.  Entering sets it up and starts the inventory, leaving stops it.

    Args:
        clock_ns: stamps the reads.
    """

    settings_type: ClassVar[type[DeviceSettings]] = M100Settings
    wire: ClassVar[WireFormat] = NOTICE

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        settings: M100Settings,
        clock_ns: ClockNs,
        patience: Patience = USUAL,
    ) -> None:
        super().__init__(reader_id, port, FrameDecoder, clock_ns)
        self.module = ""
        """What the module calls itself, known once entered."""
        self._settings, self._patience = settings, patience
        self._vigil = Vigil(patience, settings.poll_count)

    async def __aenter__(self) -> Self:
        """Stop what may still run, set the module up, start polling.

        Raises:
            ReaderTimeout: nothing answers, or it cannot be stopped.
            ReaderRefused: the module does not accept region, power or query.
        """
        await self._stop(commands.stop_multi_poll().to_bytes())
        self.module = answers.parse_info(await self._ask(commands.info(Info.HARDWARE)))
        await self._set_up()
        self._vigil.entered(asyncio.get_running_loop().time())
        await self._arm()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ReaderError):  # it may be the reason why we leave
            await self._port.send(commands.stop_multi_poll().to_bytes())

    def _interpret(self, frame: Frame, read_at_ns: int) -> Sequence[Read]:
        notice = answers.parse_tag_notice(frame)
        if notice is None:
            self._obey(frame)
            return ()
        return (Read(Epc(notice.epc), self.reader_id, ONLY_ANTENNA, notice.rssi_dbm, read_at_ns, notice.crc_ok),)

    def _obey(self, frame: Frame) -> None:
        """What a frame that reports no tag means for the order to poll."""
        code = answers.parse_error(frame)
        if code == answers.NO_TAG:
            self.health.empty_polls += 1
        elif code is not None:
            raise _refusal("the poll order", code)

    def _is_sign_of_life(self, frame: Frame) -> bool:
        if frame.type == FrameType.NOTICE:
            return True
        return frame.command == Command.ERROR and frame.payload == bytes([answers.NO_TAG])

    def _listen_until_s(self) -> float:
        return self._vigil.rearm_at_s

    async def _attend(self, lives: int, heard_at_s: float) -> None:
        if self._vigil.must_rearm(lives, heard_at_s):
            await self._rearm()

    async def _rearm(self) -> None:
        """Order anew, set up from scratch: a module that lost its power says nothing and is back in its default region."""
        self.health.rearms += 1
        await self._order("the stop", commands.stop_multi_poll())
        await self._set_up()
        await self._arm()

    async def _arm(self) -> None:
        await self._port.send(commands.multi_poll(self._settings.poll_count).to_bytes())
        self._vigil.armed(asyncio.get_running_loop().time())

    async def _set_up(self) -> None:
        settings = self._settings
        region = commands.REGIONS[settings.region]
        await self._order(f"region {settings.region}", commands.set_region(settings.region))
        told = (await self._ask(commands.get_region())).payload
        if told != bytes([region]):
            raise ReaderRefused(f"asked for region {settings.region}, the module is in 0x{told.hex()}", 0)
        await self._order("hopping", commands.set_hopping(on=settings.hopping))
        if settings.channel is not None:
            await self._order(f"channel {settings.channel}", commands.set_channel(settings.channel))
        await self._set_power(round(settings.power_dbm * 100))
        query = commands.set_query(q=settings.q, session=settings.session, target=settings.target)
        await self._order("the query", query)

    async def _set_power(self, power_cdbm: int) -> None:
        await self._order(f"power_dbm = {power_cdbm / 100:g}", commands.set_power(power_cdbm))
        told_cdbm = answers.parse_power_cdbm(await self._ask(commands.get_power()))
        if told_cdbm != power_cdbm:
            told = f"asked for {power_cdbm / 100:g} dBm, the module is at {told_cdbm / 100:g} dBm"
            raise ReaderRefused(f"{told}; set power_dbm to what it can do", 0)

    async def _order(self, what: str, command: Frame) -> None:
        """Send a command whose answer is a result byte."""
        answer = await self._ask(command, what)
        if answer.payload[:1] != b"\0":
            raise _refusal(what, answer.payload[0] if answer.payload else 0)

    async def _ask(self, command: Frame, what: str = "a question") -> Frame:
        """The answer to a command; what else arrives meanwhile is dropped."""
        for _ in range(TRIES):
            await self._port.send(command.to_bytes())
            answer = await self._answer(partial(self._is_answer, command=command, what=what), self._patience.answer_s)
            if answer is not None:
                return answer
        raise ReaderTimeout(f"no answer to {what} (command 0x{command.command:02x}); check power, wiring and baud rate")

    def _is_answer(self, frame: Frame, command: Frame, what: str) -> Frame | None:
        code = answers.parse_error(frame)
        if code is not None and code != answers.NO_TAG:
            raise _refusal(what, code)
        return frame if frame.type == FrameType.ANSWER and frame.command == command.command else None


def _refusal(what: str, code: int) -> ReaderRefused:
    return ReaderRefused(f"the module refuses {what}: error 0x{code:02x}, {answers.error_meaning(code)}", code)
