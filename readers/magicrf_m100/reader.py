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
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Annotated, ClassVar, Literal, Self

import msgspec

from readers.errors import FrameError, ReaderDisconnected, ReaderError, ReaderRefused, ReaderTimeout
from readers.health import ReaderHealth
from readers.magicrf_m100 import answers, commands
from readers.magicrf_m100.codec import Frame, FrameDecoder, FrameType
from readers.magicrf_m100.commands import Command, Info
from readers.magicrf_m100.scan import NOTICE, ONLY_ANTENNA
from readers.magicrf_m100.vigil import USUAL, Patience, Vigil
from readers.model import Chunk, ClockNs, Epc, Read, ReaderId, Scanned
from readers.ports import BytePort, drain
from readers.settings import Baud, DeviceSettings
from readers.wire_format import WireFormat

STOP_ATTEMPTS = 3
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


class M100Reader:
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
        self.reader_id, self.health = reader_id, ReaderHealth(signs_of_life=0)
        self.module = ""
        """What the module calls itself, known once entered."""
        self._port, self._settings, self._clock_ns, self._patience = port, settings, clock_ns, patience
        self._decoder = FrameDecoder()
        self._vigil = Vigil(patience, settings.poll_count)
        self._lives: int | None = None  # signs of life in the chunk just yielded, once we were told
        self._scan_discarded_bytes = 0

    async def __aenter__(self) -> Self:
        """Stop what may still run, set the module up, start polling.

        Raises:
            ReaderTimeout: nothing answers, or it cannot be stopped.
            ReaderRefused: the module does not accept region, power or query.
        """
        await self._stop()
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

    async def reads(self) -> AsyncIterator[Read]:
        """Every sound report, without end.

        Raises:
            ReaderDisconnected: the port is gone.
            ReaderTimeout: no sign of life although the order was repeated.
            ReaderRefused: the module refuses to poll, or, after a restart, to be set up again.
        """
        loop = asyncio.get_running_loop()
        while True:
            frames = await self._receive_until(self._vigil.rearm_at_s)
            await self._judge(self._lived(sum(map(_is_sign_of_life, frames))), loop.time())
            read_at_ns = self._clock_ns()  # stamped once, where the bytes arrive
            for frame in frames:
                read = self._interpret(frame, read_at_ns)
                if read is not None:
                    yield read

    async def chunks(self) -> AsyncIterator[Chunk]:
        """The same stream unparsed.  `scanned` must be told what a chunk held before the next is asked for.

        Raises: as `reads`.
        """
        loop = asyncio.get_running_loop()
        while True:
            data = await self._receive_bytes(self._vigil.rearm_at_s)
            heard_at_s = loop.time()
            if data:
                data = self._decoder.take_rest() + data  # setting up may have left the beginning of a frame
            else:
                self._decoder.flush()
            self._lives = None
            yield Chunk(data, self._clock_ns())
            if self._lives is None:
                raise ValueError("a chunk was taken, and `scanned` not told what it held")
            await self._judge(self._lives, heard_at_s)

    def scanned(self, found: Scanned) -> None:
        """What the chunk just yielded held.

        Raises:
            ReaderRefused: the module refuses to poll.
        """
        reports, others = found.reads + found.bad_frames, FrameDecoder().feed(b"".join(found.others))
        self._lives = self._lived(reports + sum(map(_is_sign_of_life, others)))
        self._scan_discarded_bytes += found.discarded_bytes
        self.health.bad_frames += found.bad_frames
        self._count(reports + len(others))
        for frame in others:
            self._obey(frame)

    def _interpret(self, frame: Frame, read_at_ns: int) -> Read | None:
        try:
            notice = answers.parse_tag_notice(frame)
        except FrameError:
            self.health.bad_frames += 1
            return None
        if notice is None:
            self._obey(frame)
            return None
        return Read(Epc(notice.epc), self.reader_id, ONLY_ANTENNA, notice.rssi_dbm, read_at_ns, notice.crc_ok)

    def _obey(self, frame: Frame) -> None:
        """What a frame that reports no tag means for the order to poll."""
        try:
            code = answers.parse_error(frame)
        except FrameError:
            self.health.bad_frames += 1
            return
        if code == answers.NO_TAG:
            self.health.empty_polls += 1
        elif code is not None:
            raise _refusal("the poll order", code)

    async def _judge(self, lives: int, heard_at_s: float) -> None:
        """Order anew after silence, give up after too much of it.

        What waits was taken before, and the time is that of taking it: it may be us who were busy.
        """
        if self._vigil.must_rearm(lives, heard_at_s):
            await self._rearm()

    def _lived(self, lives: int) -> int:
        assert self.health.signs_of_life is not None
        self.health.signs_of_life += lives
        return lives

    async def _receive_until(self, deadline_s: float) -> list[Frame]:
        data = await self._receive_bytes(deadline_s)
        frames = self._decoder.feed(data) if data else self._decoder.flush()
        self._count(len(frames))
        return frames

    async def _receive_bytes(self, deadline_s: float) -> bytes:
        """What has come; empty when nothing did until the deadline."""
        try:
            async with asyncio.timeout_at(deadline_s):
                data = await self._port.receive()
        except TimeoutError:
            return b""
        if not data:
            raise ReaderDisconnected("the port was closed")
        return data

    def _count(self, frames: int) -> None:
        self.health.frames += frames
        self.health.discarded_bytes = self._decoder.discarded_bytes + self._scan_discarded_bytes
        self.health.overrun_bytes = self._port.overrun_bytes

    async def _rearm(self) -> None:
        """Order anew, set up from scratch: a module that lost its power says nothing and is back in its default region."""
        self.health.rearms += 1
        await self._order("the stop", commands.stop_multi_poll())
        await self._set_up()
        await self._arm()

    async def _arm(self) -> None:
        await self._port.send(commands.multi_poll(self._settings.poll_count).to_bytes())
        self._vigil.armed(asyncio.get_running_loop().time())

    async def _stop(self) -> None:
        for _ in range(STOP_ATTEMPTS):
            await self._port.send(commands.stop_multi_poll().to_bytes())
            if await drain(self._port, limit_ms=1000):
                return
        raise ReaderTimeout("the module goes on sending although told to stop; switch it off and on")

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
            answer = await self._answer_to(command, what)
            if answer is not None:
                return answer
        raise ReaderTimeout(f"no answer to {what} (command 0x{command.command:02x}); check power, wiring and baud rate")

    async def _answer_to(self, command: Frame, what: str) -> Frame | None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._patience.answer_s
        while loop.time() < deadline_s:
            for frame in await self._receive_until(deadline_s):
                code = answers.parse_error(frame)
                if code is not None and code != answers.NO_TAG:
                    raise _refusal(what, code)
                if frame.type == FrameType.ANSWER and frame.command == command.command:
                    return frame
        return None


def _is_sign_of_life(frame: Frame) -> bool:
    if frame.type == FrameType.NOTICE:
        return True
    return frame.command == Command.ERROR and frame.payload == bytes([answers.NO_TAG])


def _refusal(what: str, code: int) -> ReaderRefused:
    return ReaderRefused(f"the module refuses {what}: error 0x{code:02x}, {answers.error_meaning(code)}", code)
