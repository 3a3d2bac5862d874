"""TFmini, TFmini Plus and TFmini-S laser range finders: driver.

    [[sensors]]
    id = "p-till"
    type = "tfmini"
    port = "/dev/serial/by-id/…"
    zone = "till"
    baud = 115200               # as it leaves the factory
    occupied_within_cm = 120    # somebody is there when something is as near as this …
    hysteresis_cm = 10          # … and gone when nothing is nearer than 130
    # min_strength = 100        # an echo weaker than this is not relied on: else 100 on a Plus or S, 20 on an original

Aim it at something that it can see when nobody is there, at most 12 m away: no echo means "cannot tell", never "nobody".
It measures by itself, 100 times a second; the driver tells changes at once and the rest ten times a second.  A Plus or S is
asked for centimetres; nothing is written to a flash memory, but for an original that was left in text mode.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Annotated, ClassVar, Self

import msgspec

from readers.errors import ReaderError, ReaderTimeout
from readers.model import ClockNs, Proximity, ReaderId
from readers.ports import BytePort
from readers.sensor_driver import USUAL, Patience, SensorDriver
from readers.settings import Baud, DeviceSettings
from readers.tfmini import commands
from readers.tfmini.codec import Command, Frame, FrameDecoder, Measurement, Setup, Text
from readers.tfmini.occupancy import Occupancy

MAX_SEEN_CM = 1200
BLIND = "no distance to rely on; clean the lens, and aim it at something that it sees when nobody is there"


class TfMiniSettings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a range finder's stanza; see the module's docstring."""

    baud: Baud = 115_200
    occupied_within_cm: Annotated[int, msgspec.Meta(ge=10, le=MAX_SEEN_CM)]
    hysteresis_cm: Annotated[int, msgspec.Meta(ge=0, le=300)] = 10
    min_strength: Annotated[int, msgspec.Meta(ge=1, le=65_534)] | None = None

    def __post_init__(self) -> None:
        """Check that somebody can go as well as come."""
        if self.occupied_within_cm + self.hysteresis_cm >= MAX_SEEN_CM:
            raise ValueError(
                f"occupied_within_cm and hysteresis_cm must be less than {MAX_SEEN_CM} together, for it sees no farther"
            )


class TfMiniSensor(SensorDriver[Frame]):
    """One range finder on one port.  Entering finds out what it is and sees that it sends binary measurements."""

    settings_type: ClassVar[type[DeviceSettings]] = TfMiniSettings
    bauds: ClassVar[tuple[int, ...]] = (115_200, 9600, 19_200, 38_400, 57_600, 230_400, 256_000, 460_800, 921_600)

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        settings: TfMiniSettings,
        clock_ns: ClockNs,
        patience: Patience = USUAL,
    ) -> None:
        super().__init__(reader_id, port, FrameDecoder, clock_ns, patience)
        self.version: str | None = None
        """The firmware of a Plus or S; None on an original, which cannot be asked."""
        self._settings = settings
        self._occupancy = Occupancy(settings.occupied_within_cm, settings.hysteresis_cm)
        self._min_strength = settings.min_strength or commands.MIN_STRENGTH  # until it says that it is no original
        self._kinds_heard: set[type[Frame]] = set()  # while setting up

    async def __aenter__(self) -> Self:
        """Find out what it is; there is nothing to stop first, since it always measures.

        Raises:
            ReaderTimeout: it does not answer as it should.
        """
        answer = await self._ask(commands.GET_VERSION.to_bytes(), self._judge_version)
        if answer is not None:
            self.version = commands.parse_version(answer)
            self._min_strength = self._settings.min_strength or commands.MIN_STRENGTH_PLUS
            await self._order(commands.FORMAT_CM, _judge_format)  # what came before the echo may be millimetres
            await self._port.send(commands.OUTPUT_ON.to_bytes())
        elif Measurement not in self._kinds_heard:
            if Text not in self._kinds_heard:
                raise ReaderTimeout("no measurement and no answer; check power, cable and baud rate")
            await self._make_binary()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to stop: it measures by itself, and would for the next host."""

    def _is_report(self, frame: Frame) -> bool:
        return isinstance(frame, Measurement)

    def _sense(self, frame: Frame, sensed_at_ns: int) -> Proximity | None:
        if not isinstance(frame, Measurement):
            return None
        reading = commands.parse(frame, self._min_strength)
        if self.version is not None and reading.temperature_c is not None:
            self.health.temperature_c = reading.temperature_c
        if reading.distance_cm is not None:
            self._occupancy.measured(reading.distance_cm, sensed_at_ns)
        else:
            self.health.no_value += 1
            if self._occupancy.blinded(sensed_at_ns):
                self.health.alarms += 1
                self.health.alarm = BLIND
            elif self._occupancy.occupied is not None:
                return None  # one bad measurement changes nothing
        return Proximity(self.reader_id, self._occupancy.occupied, None, reading.distance_cm, sensed_at_ns)

    async def _rearm(self) -> None:
        """A Plus or S that was switched to silence, text or millimetres by somebody, or that has just got its power back."""
        if self.version is None:
            return
        for order in (commands.FORMAT_CM, commands.OUTPUT_ON):
            await self._port.send(order.to_bytes())

    async def _make_binary(self) -> None:
        """Text has no check, so an original that sends it is told not to; it keeps that without power.

        The manual has two echoes for one order, so any will do.
        """
        async with AsyncExitStack() as undo:  # given up halfway, it must not stay in its setup
            undo.push_async_callback(self._end_setup)
            for order in (commands.BEGIN_SETUP, commands.SETUP_BINARY, commands.END_SETUP):
                await self._order(order, _judge_setup)
            undo.pop_all()

    async def _end_setup(self) -> None:
        with suppress(ReaderError):  # it may be the reason why the setup was given up
            await self._port.send(commands.END_SETUP.to_bytes())

    async def _order(self, order: Command | Setup, judge: Callable[[Frame], Frame | None]) -> None:
        if await self._ask(order.to_bytes(), judge) is None:
            raise ReaderTimeout(
                f"no answer to {order.to_bytes().hex()}; check both data lines, or set its output by hand"
            )

    def _judge_version(self, frame: Frame) -> Command | None:
        self._kinds_heard.add(type(frame))
        return frame if isinstance(frame, Command) and frame.id == commands.GET_VERSION.id else None


def _judge_format(frame: Frame) -> Command | None:
    return frame if isinstance(frame, Command) and frame.id == commands.FORMAT_ID else None


def _judge_setup(frame: Frame) -> Setup | None:
    return frame if isinstance(frame, Setup) else None
