"""MT-SICS scale: driver.

    [[scales]]
    id = "w-s1"
    type = "mt-sics"
    port = "/dev/serial/by-id/…"
    baud = 9600
    line = "8N1"                # "7E1" on older scales
    shelf = "s1"
    items = [{ gtin = "00614141008124", unit_g = 300, tolerance_g = 15 }]

Sends SI (which ends a stream left running), I4 and SIR, nothing else: zero, tare and `@` would change what the shelf
weighs.  A serial number sent unasked means that the scale has restarted; its stream is then started again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

from readers.driver import FrameDriver
from readers.errors import FrameError, ReaderError, ReaderRefused, ReaderTimeout
from readers.model import ClockNs, ReaderId, Weight
from readers.mt_sics import commands
from readers.mt_sics.codec import Line, LineDecoder
from readers.mt_sics.commands import Answer
from readers.ports import BytePort
from readers.settings import Baud, DeviceSettings, LineForm
from readers.trouble import Trouble

TRIES = 2


class MtSicsSettings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a scale's stanza; see the module's docstring."""

    baud: Baud = 9600
    line: LineForm = "8N1"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a driver waits.

    Args:
        answer_s: for the answer to a command.
        rearm_s: of silence before the stream is ordered anew.
        dead_s: without any answer before giving up.
    """

    answer_s: float = 1.0
    rearm_s: float = 2.0
    dead_s: float = 5.0


class MtSicsScale(FrameDriver[Line]):
    """One scale on one port.  Entering starts its stream, leaving ends it.

    Args:
        clock_ns: stamps the weights.
    """

    settings_type: ClassVar[type[DeviceSettings]] = MtSicsSettings
    bauds: ClassVar[tuple[int, ...]] = (9600, 4800, 2400, 19200, 38400)

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        settings: MtSicsSettings,  # noqa: ARG002  every driver is constructed alike
        clock_ns: ClockNs,
        patience: Patience = Patience(),
    ) -> None:
        super().__init__(reader_id, port, LineDecoder, clock_ns)
        self.serial_number: str | None = None
        """As the scale tells it; None where it will not."""
        self._patience = patience
        self._trouble = Trouble(self.health, patience.dead_s)
        self._alive_at_s = self._rearm_at_s = 0.0

    async def __aenter__(self) -> Self:
        """Stop what may still run, ask who is there, start the stream.

        Raises:
            ReaderTimeout: nothing answers, or it cannot be stopped.
        """
        await self._stop(commands.WEIGH_NOW.to_bytes(), "the scale")
        self.serial_number = (await self._identify()).text
        self._alive_at_s = asyncio.get_running_loop().time()
        self._trouble.ends(self._alive_at_s)
        await self._arm()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ReaderError):  # it may be the reason why we leave
            await self._port.send(commands.WEIGH_NOW.to_bytes())

    async def weights(self) -> AsyncIterator[Weight]:
        """Every weight as it comes, without end; overload, underload and busy are counted only.

        Raises:
            ReaderDisconnected: the port is gone.
            ReaderTimeout: no answer although the stream was ordered again.
            ReaderRefused: the scale does not know the stream command.
            FrameError: for too long nothing but values that are no masses, such as pieces.
        """
        while True:
            lines = await self._receive_alive()
            weighed_at_ns = self._clock_ns()  # stamped once, where the bytes arrive
            for line in lines:
                weight = await self._interpret(commands.parse(line), weighed_at_ns)
                if weight is not None:
                    yield weight

    async def _interpret(self, answer: Answer, weighed_at_ns: int) -> Weight | None:
        if answer.command in commands.ERRORS:
            raise ReaderRefused(
                f"the scale does not accept SIR: {answer.command}, {answer.status}", ord(answer.command[1])
            )
        if answer.command == commands.SERIAL_NUMBER.text:
            self.health.rearms += 1
            await self._arm()
        if answer.command not in commands.WEIGHT_COMMANDS:
            return None
        self._lived(1)
        if answer.value is None:
            self.health.no_value += 1
            return None
        try:
            grams = commands.to_grams(answer)
        except FrameError as error:
            self.health.bad_frames += 1
            self._trouble.tell(str(error))
            self._trouble.bear(error, asyncio.get_running_loop().time())
            return None
        self._trouble.ends(asyncio.get_running_loop().time())
        return Weight(self.reader_id, grams, answer.status == "stable", weighed_at_ns)

    async def _receive_alive(self) -> list[Line]:
        """What has come; in silence orders the stream anew, and after too much of it gives up.

        What waits is taken before the silence is judged: it may be us who were busy.
        """
        loop = asyncio.get_running_loop()
        lines = await self._receive_until(self._rearm_at_s)
        if lines:
            self._alive_at_s = loop.time()
            self._rearm_at_s = self._alive_at_s + self._patience.rearm_s
        elif loop.time() - self._alive_at_s >= self._patience.dead_s:
            raise ReaderTimeout(f"no answer for {self._patience.dead_s:g} s; check power, `baud` and `line`")
        elif loop.time() >= self._rearm_at_s:
            self.health.rearms += 1
            await self._arm()
        return lines

    async def _arm(self) -> None:
        await self._port.send(commands.STREAM.to_bytes())
        self._rearm_at_s = asyncio.get_running_loop().time() + self._patience.rearm_s

    async def _identify(self) -> Answer:
        for _ in range(TRIES):
            await self._port.send(commands.SERIAL_NUMBER.to_bytes())
            answer = await self._answer(_serial_number, self._patience.answer_s)
            if answer is not None:
                return answer
        raise ReaderTimeout("no answer to I4; check power, cable, `baud` and `line`, and that the scale speaks MT-SICS")


def _serial_number(line: Line) -> Answer | None:
    answer = commands.parse(line)
    return answer if answer.command == commands.SERIAL_NUMBER.text else None
