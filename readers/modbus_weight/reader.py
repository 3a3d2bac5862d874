"""Weighing transmitter that speaks Modbus RTU: driver.

    [[scales]]
    id = "w-s1"
    type = "modbus-weight"
    port = "/dev/serial/by-id/…"
    baud = 9600
    line = "8N1"                # or "8E1", as the standard has it
    unit = 1                    # the transmitter's number on the line
    function = 3                # 3 reads holding registers, 4 input registers
    address = 0                 # of the weight, counted from 0: 40001 in a manual is 0 here
    value_type = "int32"        # int16, uint16, int32, uint32, float32
    word_order = "big"          # which half of 32 bits comes first: "big" is the high one
    byte_order = "big"          # inside a register
    scale = "0.1"               # weight in mass_unit = value x scale
    mass_unit = "g"
    capacity_g = 15000          # of the scale: a weight beyond it is none
    status_address = 2          # the rest is optional: a register with bits, counted from 0
    stable_bit = 0              # or moving_bit
    overload_bit = 1
    fault_bit = 2
    stable_count = 5            # without stable_bit and moving_bit: so many weights ...
    stable_spread_g = 2         # ... within so much of each other are stable
    poll_ms = 100
    shelf = "s1"
    items = [{ gtin = "00614141008124", unit_g = 300, tolerance_g = 15 }]

Only ever reads.  Swapped words are the commonest fault in the field: such weights are counted as `bad_frames`, and the
alarm says which order would make sense of them; when nothing else comes, the scale is given up and opened again.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

from pymodbus.pdu import ModbusPDU, ReadHoldingRegistersRequest
from pymodbus.pdu.register_message import ReadInputRegistersRequest

from readers.errors import FrameError, ReaderRefused, ReaderTimeout
from readers.health import ReaderHealth
from readers.modbus_rtu.codec import READ_HOLDING
from readers.modbus_rtu.master import ANSWER_S, Master
from readers.modbus_weight.registers import Status
from readers.modbus_weight.settings import ModbusWeightSettings
from readers.model import ClockNs, ReaderId, Weight
from readers.ports import BytePort
from readers.settings import DeviceSettings
from readers.steadiness import Steadiness
from readers.trouble import Trouble

TRIES = 3
FAULT = "the transmitter reports a fault: check the wires between it and the load cell"
SAYS_NOTHING = Status(stable=None, overload=False, fault=False)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a driver waits.

    Args:
        answer_s: for each answer.
        dead_s: without a word that can be used before giving up.
    """

    answer_s: float = ANSWER_S
    dead_s: float = 5.0


class ModbusScale:
    """One transmitter on one port, asked again and again.

    Args:
        clock_ns: stamps the weights.
    """

    settings_type: ClassVar[type[DeviceSettings]] = ModbusWeightSettings
    bauds: ClassVar[tuple[int, ...]] = (9600, 19200, 38400, 115200, 4800, 57600, 2400)

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        settings: ModbusWeightSettings,
        clock_ns: ClockNs,
        patience: Patience = Patience(),
    ) -> None:
        self.reader_id = reader_id
        self._master = Master(reader_id, port, settings, clock_ns, patience.answer_s)
        self._settings, self._clock_ns, self._patience = settings, clock_ns, patience
        self._value = settings.value
        self._steadiness = Steadiness(settings.stable_count, settings.stable_spread_g)
        self._trouble = Trouble(self._master.health, patience.dead_s)
        self._poll_at_s = 0.0

    @property
    def health(self) -> ReaderHealth:
        """Its counters; `rearms` counts questions that were left without an answer."""
        return self._master.health

    async def __aenter__(self) -> Self:
        """See that the transmitter answers, and has these registers.

        Raises:
            ReaderTimeout: nothing answers; the message says what to check.
            ReaderRefused: no such registers.
        """
        for attempt in range(1, TRIES + 1):
            try:
                await self._read()
                break
            except ReaderTimeout:
                if attempt == TRIES:
                    raise
        self._poll_at_s = asyncio.get_running_loop().time()
        self._trouble.ends(self._poll_at_s)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to stop: a transmitter speaks when asked."""

    async def weights(self) -> AsyncIterator[Weight]:
        """Every weight, polled, without end; overload is counted only.

        Raises:
            ReaderDisconnected: the port is gone.
            ReaderTimeout, ReaderRefused, FrameError: nothing that can be used for too long; the last reason why not.
        """
        loop = asyncio.get_running_loop()
        while True:
            weight = await self._poll()
            if weight is not None:
                yield weight
                self._trouble.ends(loop.time())  # however long the weight was looked at
            self._poll_at_s = max(self._poll_at_s + self._settings.poll_ms / 1000, loop.time())
            await asyncio.sleep(self._poll_at_s - loop.time())

    async def _poll(self) -> Weight | None:
        loop = asyncio.get_running_loop()
        try:
            weight = await self._weigh()
        except ReaderTimeout as error:
            self.health.rearms += 1
            self._trouble.bear(error, loop.time())
        except FrameError as error:
            self.health.bad_frames += 1
            self._trouble.tell(str(error))
            self._trouble.bear(error, loop.time())
        except ReaderRefused as error:  # busy, or a fault
            self.health.no_value += 1
            self._trouble.bear(error, loop.time())
        else:
            self._trouble.ends(loop.time())
            return weight
        self._steadiness.forget()
        return None

    async def _weigh(self) -> Weight | None:
        """The weight now; None while the scale is overloaded."""
        registers, status = await self._read()
        weighed_at_ns = self._clock_ns()  # stamped once, where the bytes arrive
        if status.fault:
            self._trouble.tell(FAULT)
            raise ReaderRefused(FAULT, self._settings.fault_bit or 0)
        if status.overload:
            self.health.no_value += 1
            self._steadiness.forget()
            return None
        grams = self._value.to_grams(registers)
        at_rest = self._steadiness.is_stable_with(grams)
        return Weight(self.reader_id, grams, at_rest if status.stable is None else status.stable, weighed_at_ns)

    async def _read(self) -> tuple[list[int], Status]:
        """The registers of the weight, and the status."""
        words: dict[int, int] = {}
        for block in self._settings.blocks:
            answer = await self._master.ask(self._question(block))
            words |= zip(block, answer.registers, strict=True)
        at = self._settings.status_address
        status = SAYS_NOTHING if at is None else self._settings.status_of(words.pop(at))
        return list(words.values()), status

    def _question(self, block: range) -> ModbusPDU:
        holding = self._settings.function == READ_HOLDING
        return (ReadHoldingRegistersRequest if holding else ReadInputRegistersRequest)(
            address=block.start, count=len(block)
        )
