"""HLK-LD2410 radar (LD2410, LD2410B, LD2410C; not the LD2410S, which speaks otherwise): driver.

    [[sensors]]
    id = "p-desk"
    type = "hlk-ld2410"
    port = "/dev/serial/by-id/…"
    zone = "desk"
    baud = 256000           # as it leaves the factory
    max_moving_gate = 4     # a gate is 0.75 m deep, if nobody set it to 0.2 m: people that move count up to 3.75 m
    max_still_gate = 4      # the same for people that sit
    hold_s = 5              # how long it goes on saying "somebody"

Gates and hold time left out stay as they are in the radar, which keeps them without power; they are written only where
they differ.  It reports by itself, ten times a second, but not while it is being configured.
"""

from contextlib import suppress
from types import TracebackType
from typing import Annotated, ClassVar, Self

import msgspec

from readers.errors import ReaderError, ReaderRefused, ReaderTimeout
from readers.hlk_ld2410 import commands
from readers.hlk_ld2410.codec import Command, Frame, FrameDecoder, Report
from readers.hlk_ld2410.commands import Parameters
from readers.model import ClockNs, Proximity, ReaderId
from readers.ports import BytePort
from readers.sensor_driver import USUAL, Patience, SensorDriver
from readers.settings import Baud, DeviceSettings

Gate = Annotated[int, msgspec.Meta(ge=2, le=8)]


class Ld2410Settings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a radar's stanza; see the module's docstring."""

    baud: Baud = 256_000
    max_moving_gate: Gate | None = None
    max_still_gate: Gate | None = None
    hold_s: Annotated[int, msgspec.Meta(ge=0, le=65_535)] | None = None


class Ld2410Sensor(SensorDriver[Frame]):
    """One radar on one port.  Entering sets it up and lets it report."""

    settings_type: ClassVar[type[DeviceSettings]] = Ld2410Settings
    bauds: ClassVar[tuple[int, ...]] = (256_000, 115_200, 9600, 57_600, 19_200, 38_400, 230_400, 460_800)

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        settings: Ld2410Settings,
        clock_ns: ClockNs,
        patience: Patience = USUAL,
    ) -> None:
        super().__init__(reader_id, port, FrameDecoder, clock_ns, patience)
        self.version = ""
        """Its firmware, as it tells it."""
        self.parameters: Parameters | None = None
        """How it is set, once entered."""
        self._settings = settings

    async def __aenter__(self) -> Self:
        """Set the radar up; one left in its configuration mode reports again afterwards.

        Raises:
            ReaderTimeout: nothing answers.
            ReaderRefused: it does not take a setting.
        """
        try:
            await self._do(commands.ENTER_CONFIGURATION)
            self.version = commands.parse_firmware(await self._do(commands.FIRMWARE))
            await self._do(commands.ENGINEERING_OFF)
            self.parameters = await self._set_parameters()
        finally:
            with suppress(ReaderError):  # it may be why we are here; should this get lost, silence repeats it
                await self._rearm()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to stop: the radar reports by itself, and would to the next host."""

    def _is_report(self, frame: Frame) -> bool:
        return isinstance(frame, Report)

    def _sense(self, frame: Frame, sensed_at_ns: int) -> Proximity | None:
        if not isinstance(frame, Report):
            return None
        target = commands.parse_report(frame)
        if target.occupied is None:
            self.health.no_value += 1
        return Proximity(self.reader_id, target.occupied, target.moving, target.distance_cm, sensed_at_ns)

    async def _rearm(self) -> None:
        """Out of its configuration mode, where it does not report."""
        await self._port.send(commands.LEAVE_CONFIGURATION.to_bytes())

    async def _set_parameters(self) -> Parameters:
        found = await self._read_parameters()
        wanted = self._wanted(found)
        if wanted == (found.max_moving, found.max_still, found.hold_s):
            return found
        await self._do(commands.set_gates(*wanted))
        found = await self._read_parameters()
        if wanted != (found.max_moving, found.max_still, found.hold_s):
            raise ReaderRefused(
                f"asked for gates and hold {wanted}, the radar has {found.max_moving, found.max_still, found.hold_s};"
                " set max_moving_gate, max_still_gate and hold_s to what it can",
                commands.REFUSED,
            )
        return found

    def _wanted(self, found: Parameters) -> tuple[int, int, int]:
        """Moving gate, still gate, hold time: ours, else the radar's own."""
        ours = self._settings
        moving = found.max_moving if ours.max_moving_gate is None else ours.max_moving_gate
        still = found.max_still if ours.max_still_gate is None else ours.max_still_gate
        return moving, still, found.hold_s if ours.hold_s is None else ours.hold_s

    async def _read_parameters(self) -> Parameters:
        return commands.parse_parameters(await self._do(commands.READ_PARAMETERS))

    async def _do(self, command: Command) -> Command:
        """The radar's answer to a command.

        Raises:
            ReaderTimeout, ReaderRefused: there is none; it is no.
        """

        def judge(frame: Frame) -> Command | None:
            return frame if isinstance(frame, Command) and commands.answers(frame, command) else None

        answer = await self._ask(command.to_bytes(), judge)
        if answer is None:
            raise ReaderTimeout(
                f"no answer to command 0x{command.code:02x}; check power, both data lines and baud rate,"
                " and that it is an LD2410, B or C"
            )
        if (status := commands.status_of(answer)) != commands.DONE:
            raise ReaderRefused(f"the radar refuses command 0x{command.code:02x}: status {status}", status)
        return answer
