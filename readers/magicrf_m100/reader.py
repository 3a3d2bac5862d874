"""MagicRF M100 / QM100 UHF module: driver.

    [[readers]]
    id = "r-door"
    type = "magicrf-m100"
    port = "/dev/serial/by-id/…"
    region = "us"            # china_900, us, europe, china_800, korea
    power_dbm = 26.0         # read back; more than the module can do is refused
    hopping = true           # false: stays on `channel`
    # channel = 0            # instead, with hopping = false
    hop_channels = [0, 5]    # optional: hop between these only
    q = 4                    # 2**q slots a round: 4 for some 10 tags in the field, 6 for 50
    session = 0              # 0 reports a tag in every round, which presence needs
    target = "A"
    select = "3034257b"      # optional: only tags whose EPC begins with these bytes, or with
    select_bits = 30         # so many bits of them
    poll_count = 10000       # rounds of one order; the driver orders anew at its end
    baud = 115200            # a module found at another speed is moved to this one
    antennas = [{ number = 1, zone = "door", floor_dbm = -72 }]

The module never says that a poll order has ended; a round without a tag is answered by error 15, which is the sign of
life.  After a crash of the host it goes on polling, so opening stops and drains it first.  In a region where it must listen
first it may find every channel occupied (error 20): a warning, for it tries again by itself.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import ClassVar, Self

from readers.errors import ReaderError
from readers.magicrf_m100 import answers, commands
from readers.magicrf_m100.codec import Frame, FrameType
from readers.magicrf_m100.commands import Command
from readers.magicrf_m100.dialogue import M100Dialogue, refusal
from readers.magicrf_m100.scan import NOTICE, ONLY_ANTENNA
from readers.magicrf_m100.settings import M100Settings
from readers.magicrf_m100.vigil import USUAL, Patience, Vigil
from readers.model import ClockNs, Epc, Read, ReaderId
from readers.ports import BytePort
from readers.settings import DeviceSettings
from readers.wire_format import WireFormat


class M100Reader(M100Dialogue):
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
        super().__init__(reader_id, port, settings, clock_ns, patience)
        self._vigil = Vigil(patience, settings.poll_count)

    async def __aenter__(self) -> Self:
        """Find the module, stop what may still run, set it up, start polling.

        Raises:
            ReaderTimeout: nothing answers.
            ReaderRefused: the module does not accept region, power or query.
        """
        await self._find()
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
        elif code == answers.CHANNELS_OCCUPIED:
            self.health.alarms += 1
            self.health.alarm = "every channel is occupied; give readers near each other channels of their own"
        elif code is not None:
            raise refusal("the poll order", code)

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
        await self._set_up()
        await self._arm()

    async def _arm(self) -> None:
        await self._port.send(commands.multi_poll(self._settings.poll_count).to_bytes())
        self._vigil.armed(asyncio.get_running_loop().time())
