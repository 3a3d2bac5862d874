"""Modbus RTU: the one master of a line, which asks one unit and waits for its answer.

What is asked and answered are pymodbus's messages (PDUs).  The line is ours: pymodbus's client would open a port of its
own, and its framer throws everything away that has come when one CRC is wrong.
A unit number, function or shape that does not belong to the question is no answer, and the wait goes on.
Source: Modbus over serial line V1.02, sections 2.4 and 2.5; pymodbus 3.
"""

import asyncio
from functools import partial
from typing import Annotated

import msgspec
from pymodbus.pdu import DecodePDU, ModbusPDU

from readers.driver import FrameDriver
from readers.errors import ReaderRefused, ReaderTimeout
from readers.modbus_rtu.codec import (
    MAX_FRAME,
    READ_COILS,
    READ_HOLDING,
    READ_INPUT_REGISTERS,
    READ_INPUTS,
    REFUSAL,
    Frame,
    FrameDecoder,
    explain,
)
from readers.model import ClockNs, ReaderId
from readers.ports import BytePort
from readers.settings import Baud, DeviceSettings, LineForm

ANSWER_S = 0.5
BITS_PER_BYTE = 11
SILENT_BYTES = 3.5
LEAST_SILENCE_S = 0.005  # more than the standard asks for at speed: a USB adapter hands bytes over in lots
RESTLESS_S = 1.0
MAX_UNIT = 247

Unit = Annotated[int, msgspec.Meta(ge=1, le=MAX_UNIT)]
"""0 is broadcast, which nobody answers: no driver of ours could tell whether it did anything."""


class ModbusSettings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all Modbus devices have.  The standard says 8E1, most devices for shops come with 8N1."""

    baud: Baud = 9600
    line: LineForm = "8N1"
    unit: Unit = 1


class Master(FrameDriver[Frame]):
    """Asks one unit; questions wait for each other, for the line carries one at a time.

    Args:
        answer_s: how long the unit may think, beside what the line itself takes.
    """

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        settings: ModbusSettings,
        clock_ns: ClockNs,
        answer_s: float = ANSWER_S,
    ) -> None:
        super().__init__(reader_id, port, FrameDecoder, clock_ns)
        self._unit = settings.unit
        self._silence_s = max(SILENT_BYTES * BITS_PER_BYTE / settings.baud, LEAST_SILENCE_S)
        self._within_s = answer_s + MAX_FRAME * BITS_PER_BYTE / settings.baud
        self._pdus = DecodePDU(is_server=False)
        self._line = asyncio.Lock()
        self._is_owed = False  # the last question went unanswered, so an answer to it may still come
        self._stray = ""
        self._noise_before = 0

    async def ask(self, request: ModbusPDU) -> ModbusPDU:
        """The answer to a request, whose unit is set here.

        Raises:
            ReaderDisconnected: the port is gone.
            ReaderTimeout: no answer; the message tells what came instead.
            ReaderRefused: the unit said no, with the exception code of the standard.
        """
        async with self._line:
            await self._let_late_answer_pass()
            await self._let_line_rest()
            self._stray, self._noise_before = "", self._decoder.discarded_bytes
            order = Frame(self._unit, request.function_code, request.encode())
            self._is_owed = True
            await self._port.send(order.to_bytes())
            answer = await self._answer(partial(self._judge, order, request), self._within_s)
            self._is_owed = answer is None
        if answer is None:
            raise ReaderTimeout(self._say_what_came())
        self._lived(1)
        return answer

    def _judge(self, order: Frame, request: ModbusPDU, frame: Frame) -> ModbusPDU | None:
        if frame.unit == order.unit and frame.function == order.function | REFUSAL:
            code, self._is_owed = frame.data[0], False
            raise ReaderRefused(
                f"unit {order.unit} refuses function {order.function:02x} at address {request.address}: {explain(code)}",
                code,
            )
        if _answers(order, request.count, frame):
            return self._pdus.decode(bytes([frame.function]) + frame.data)
        self.health.bad_frames += 1
        self._stray = f"unit {frame.unit}, function {frame.function:02x}, {len(frame.data)} bytes"
        return None

    async def _let_late_answer_pass(self) -> None:
        """Wait for it as long again: answers do not say of which register they are, so it would be taken for the next one's."""
        if self._is_owed:
            self._is_owed = False
            if await self._answer(lambda frame: frame, self._within_s) is not None:
                self.health.bad_frames += 1

    async def _let_line_rest(self) -> None:
        """Wait for the silence that ends whatever was said before."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + RESTLESS_S
        late = 0
        while data := await self._overhear(loop.time() + self._silence_s):
            late += len(self._decoder.feed(data))
            if loop.time() > give_up_s:
                raise ReaderTimeout(
                    "the line is never quiet: is there another master on it, or a device set to send unasked?"
                )
        late += len(self._decoder.flush())
        self.health.bad_frames += late
        self._count(late)

    async def _overhear(self, until_s: float) -> bytes:
        """What comes until then.  The second look finds what has come while we were busy, and the time ran out with it."""
        return await self._receive_bytes(until_s) or await self._receive_bytes(until_s)

    def _say_what_came(self) -> str:
        if self._stray:
            return f"no answer of unit {self._unit}, but another one came: {self._stray}; check `unit` and the unit's own number"
        noise = self._decoder.discarded_bytes - self._noise_before
        if noise:
            return f"no answer of unit {self._unit}, only {noise} bytes that are no frame; check `baud`, `line` and the wiring"
        return f"unit {self._unit} does not answer; check power, wiring (A and B swapped?), `baud`, `line` and `unit`"


def _answers(order: Frame, count: int, frame: Frame) -> bool:
    """Whether a sound frame has the shape of the answer: as many values as were asked for, or the order repeated."""
    if (frame.unit, frame.function) != (order.unit, order.function):
        return False
    if order.function in (READ_COILS, READ_INPUTS):
        return frame.data[0] == -(-count // 8)
    if order.function in (READ_HOLDING, READ_INPUT_REGISTERS):
        return frame.data[0] == 2 * count
    return frame.data == order.data[:4]
