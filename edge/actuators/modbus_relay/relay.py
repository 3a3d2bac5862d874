"""Relay board that speaks Modbus RTU: driver.

    [[actuators]]
    id = "lamp-s1"
    type = "modbus-relay"
    port = "/dev/serial/by-path/…"
    unit = 1                         # the board's number on the line; 0 is broadcast, and refused
    channel = 1                      # as printed on the board
    first_coil = 0                   # the address of channel 1
    safe = "off"                     # the state to be in when nobody is in charge
    channels = 8                     # how many the board has
    function = 5                     # 5 writes one coil, 15 several: few boards want 15
    read_back = true                 # false for a board that cannot tell its coils
    baud = 9600
    line = "8N1"                     # or "8E1", as the standard has it

The board repeats an order, which proves that it came, not that a contact moved: reading the coils back proves what the
board holds.  An adapter that hears itself would repeat the order as well, so leave `read_back` on.  A state is absolute,
so an order without a right answer is given again.
"""

import asyncio
import time
from typing import Annotated, ClassVar, Literal

import msgspec
from pymodbus.pdu import ModbusPDU, ReadCoilsRequest
from pymodbus.pdu.bit_message import WriteMultipleCoilsRequest, WriteSingleCoilRequest

from edge.actuators.channel import OwnChannel
from readers.errors import FrameError, ReaderRefused, ReaderTimeout
from readers.modbus_rtu.codec import BUSY, WRITE_COIL
from readers.modbus_rtu.master import ANSWER_S, Master, ModbusSettings
from readers.model import ReaderId
from readers.ports import BytePort
from readers.settings import DeviceSettings

TRIES, PAUSE_S = 3, 0.05
LAST_COIL = 0xFFFF
Channel = Annotated[int, msgspec.Meta(ge=1, le=64)]


class ModbusRelaySettings(ModbusSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a relay's stanza; see the module's docstring."""

    channel: Channel = 1
    first_coil: Annotated[int, msgspec.Meta(ge=0, le=LAST_COIL)] = 0
    safe: Literal["on", "off"] = "off"
    channels: Channel = 8
    function: Literal[5, 15] = 5
    read_back: bool = True

    def __post_init__(self) -> None:
        """Check what types cannot."""
        if self.channel > self.channels:
            raise ValueError(f"channel {self.channel} is not on a board of {self.channels} channels")
        if self.first_coil + self.channels - 1 > LAST_COIL:
            raise ValueError(f"first_coil {self.first_coil} leaves no room for {self.channels} channels")


class ModbusRelay(OwnChannel):
    """One board on one port, of which one channel is ours.  Entering and leaving put that channel into its safe state.

    Args:
        answer_s: how long the board may think.
    """

    settings_type: ClassVar[type[DeviceSettings]] = ModbusRelaySettings

    def __init__(self, port: BytePort, settings: ModbusRelaySettings, answer_s: float = ANSWER_S) -> None:
        super().__init__(settings.channel, settings.channels, settings.safe)
        self._settings = settings
        self._master = Master(ReaderId("relay"), port, settings, time.monotonic_ns, answer_s)

    async def set(self, channel: int, on: bool) -> None:
        """Put one channel into a state; returns once the board says that it is.

        Raises:
            ReaderDisconnected: the port is gone.
            ReaderTimeout: no right answer, although asked again.
            ReaderRefused: the board says no.
            FrameError: the board goes on saying the opposite of what it was told.
            ValueError: the board has no such channel.
        """
        self._refuse_unknown(channel)
        for attempt in range(1, TRIES + 1):
            try:
                await self._order(channel, on)
            except (ReaderTimeout, FrameError, ReaderRefused) as error:
                if attempt == TRIES or (isinstance(error, ReaderRefused) and error.code not in BUSY):
                    raise
                await asyncio.sleep(PAUSE_S)
            else:
                return

    async def _order(self, channel: int, on: bool) -> None:
        coil = self._settings.first_coil + channel - 1
        await self._master.ask(self._writing(coil, on))
        if not self._settings.read_back:
            return
        try:
            answer = await self._master.ask(ReadCoilsRequest(address=coil, count=1))
        except ReaderRefused as refusal:
            advice = "if the board cannot tell its coils, set read_back = false"
            raise ReaderRefused(f"{refusal}; {advice}", refusal.code) from refusal
        if answer.bits[0] != on:
            said, told = ("off", "on") if on else ("on", "off")
            raise FrameError(f"channel {channel} is {said} although told {told}; does the board have its relay power?")

    def _writing(self, coil: int, on: bool) -> ModbusPDU:
        if self._settings.function == WRITE_COIL:
            return WriteSingleCoilRequest(address=coil, bits=[on])
        return WriteMultipleCoilsRequest(address=coil, bits=[on])
