"""Firmware of a Modbus RTU relay board: 05 and 0F switch coils, 01 reads them.  9600 8N1.

05 takes FF00 on and 0000 off, and is answered by its echo; 0F repeats start and count.  Contacts fall off with the power.
Source: Modbus application protocol V1.1b3, sections 6.1, 6.5 and 6.11; command lists of relay boards.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from simulators.modbus_rtu.slave import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    WELL_BEHAVED,
    Manners,
    Refusal,
    Slave,
)

READ_COILS, WRITE_COIL, WRITE_COILS = 1, 5, 15
Switched = Callable[[int, bool, int], None]
"""Told channel from 1, new state and time, when a contact really moves."""


@dataclass(frozen=True, slots=True)
class Board:
    """One make of the board.

    Args:
        functions: those it offers; cheap boards lack some.
        stuck: channels, from 1, that answer as they should and do not move: a relay without power.
        wrong_echo: the answer to 05 names the coil next to it.
    """

    unit: int = 1
    baud: int = 9600
    channels: int = 8
    first_coil: int = 0
    functions: tuple[int, ...] = (READ_COILS, WRITE_COIL, WRITE_COILS)
    stuck: tuple[int, ...] = ()
    wrong_echo: bool = False


class ModbusRelayDevice(Slave):
    """One board on its line."""

    def __init__(self, switched: Switched, *, board: Board = Board(), manners: Manners = WELL_BEHAVED) -> None:
        super().__init__(board.unit, board.baud, manners)
        self.board = board
        self.contacts = [False] * board.channels
        self._switched = switched

    def power_cycle(self, now_ns: int) -> None:
        """All contacts fall off."""
        for channel in range(1, self.board.channels + 1):
            self._switch(channel, False, now_ns)

    def obey(self, request: bytes, now_ns: int) -> bytes:
        """Switch or read coils."""
        if request[0] not in self.board.functions:
            raise Refusal(ILLEGAL_FUNCTION)
        if len(request) < 5:
            raise Refusal(ILLEGAL_VALUE)
        first, second = struct.unpack(">HH", request[1:5])
        match request[0]:
            case 5:
                return self._write_one(first, second, now_ns)
            case 15:
                return self._write_many(first, second, request[5:], now_ns)
        states = [self.contacts[channel - 1] for channel in self._channels(first, second)]
        packed = sum(on << number for number, on in enumerate(states)).to_bytes(-(-second // 8), "little")
        return bytes([READ_COILS, len(packed)]) + packed

    def _write_one(self, coil: int, value: int, now_ns: int) -> bytes:
        if value not in (0xFF00, 0x0000):
            raise Refusal(ILLEGAL_VALUE)
        for channel in self._channels(coil, 1):
            self._switch(channel, value == 0xFF00, now_ns)
        return struct.pack(">BHH", WRITE_COIL, coil + self.board.wrong_echo, value)

    def _write_many(self, coil: int, count: int, rest: bytes, now_ns: int) -> bytes:
        if not rest or rest[0] != -(-count // 8) or len(rest) != 1 + rest[0]:
            raise Refusal(ILLEGAL_VALUE)
        states = int.from_bytes(rest[1:], "little")
        for number, channel in enumerate(self._channels(coil, count)):
            self._switch(channel, bool(states >> number & 1), now_ns)
        return struct.pack(">BHH", WRITE_COILS, coil, count)

    def _channels(self, coil: int, count: int) -> range:
        first = coil - self.board.first_coil + 1
        if count < 1:
            raise Refusal(ILLEGAL_VALUE)
        if first < 1 or first + count - 1 > self.board.channels:
            raise Refusal(ILLEGAL_ADDRESS)
        return range(first, first + count)

    def _switch(self, channel: int, on: bool, now_ns: int) -> None:
        if channel not in self.board.stuck and self.contacts[channel - 1] != on:
            self.contacts[channel - 1] = on
            self._switched(channel, on, now_ns)
