r"""Scale that prints lines of text, such as a board with an HX711 amplifier: driver.

    [[scales]]
    id = "w-s1"
    type = "line-weight"
    port = "/dev/serial/by-id/…"
    baud = 9600                    # 9600, 38400, 57600 and 115200 are common
    line = "8N1"                   # "7E1" on some indicators
    channel = "Weight"             # which label, name or place, where a line tells several; "" takes the only one
    offset = 8423                  # weight in mass_unit = (number - offset) x scale: here the raw count of the empty shelf
    scale = "0.00243"
    mass_unit = "g"                # of numbers without a unit of their own
    capacity_g = 5000              # of the scale: a weight beyond it is none
    stable_count = 5               # unless the line says so: so many weights ...
    stable_spread_g = 2            # ... within so much of each other are stable
    silence_s = 5                  # without a weight before the port is opened again
    pattern = '(?P<value>-?\d+\.\d+) kilos'   # instead of the shapes that are found: see `readers.line_weight.commands`
    fault = "not found|error"      # lines that tell a fault
    shelf = "s1"
    items = [{ gtin = "00614141008124", unit_g = 300, tolerance_g = 15 }]

Nothing is ever sent.  Opening the port resets most boards (DTR): what they print while they start is passed over, as is the
first line, of which the beginning may be missing.  There is no check, so a digit lost on the way makes another weight: what
is beyond the capacity is refused, and the rest of them never is stable, being alone among the others.
A sketch that tares when it starts zeroes a stocked shelf at every opening; better one that prints raw counts.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from decimal import Decimal
from types import TracebackType
from typing import ClassVar, Self

from readers.driver import FrameDriver
from readers.errors import FrameError, ReaderError, ReaderTimeout
from readers.line_weight.codec import Line, LineDecoder
from readers.line_weight.commands import Fault, Label, Reading
from readers.line_weight.settings import LineWeightSettings
from readers.model import ClockNs, ReaderId, Weight
from readers.ports import BytePort
from readers.settings import DeviceSettings
from readers.steadiness import Steadiness
from readers.trouble import Trouble


class LineScale(FrameDriver[Line]):
    """One scale on one port, which speaks by itself.

    Args:
        clock_ns: stamps the weights.
    """

    settings_type: ClassVar[type[DeviceSettings]] = LineWeightSettings

    def __init__(self, reader_id: ReaderId, port: BytePort, settings: LineWeightSettings, clock_ns: ClockNs) -> None:
        super().__init__(reader_id, port, LineDecoder, clock_ns)
        self._settings, self._form = settings, settings.form
        self._steadiness = Steadiness(settings.stable_count, settings.stable_spread_g)
        self._trouble = Trouble(self.health, settings.silence_s)
        self._label = ""  # what the line before says of the next
        self._why = ""  # the latest line had no weight; empty after one that had
        self._waiting: list[Line] = []

    async def __aenter__(self) -> Self:
        """Wait for the end of the first line; what follows begins where a line begins.

        Raises:
            ReaderTimeout: none comes.
        """
        loop = asyncio.get_running_loop()
        self._trouble.ends(loop.time())
        while not self._waiting:
            self._waiting = await self._receive()
        del self._waiting[0]
        self._trouble.ends(loop.time())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to stop: the scale goes on talking to nobody."""

    async def weights(self) -> AsyncIterator[Weight]:
        """Every weight as it comes, without end; faults are counted and told in an alarm.

        Raises:
            ReaderDisconnected: the port is gone.
            ReaderTimeout: no line for too long.
            FrameError: lines, but no weight for too long; the message shows the last.
        """
        loop = asyncio.get_running_loop()
        while True:
            lines, self._waiting = self._waiting or await self._receive(), []
            weighed_at_ns = self._clock_ns()  # stamped once, where the bytes arrive
            for line in lines:
                grams, stable = self._weigh(line)
                if grams is not None:
                    yield Weight(self.reader_id, grams, stable, weighed_at_ns)
                    self._trouble.ends(loop.time())
            self._trouble.bear(self._complaint(), loop.time())

    async def _receive(self) -> list[Line]:
        """The lines that have come; none only while there is still patience."""
        loop = asyncio.get_running_loop()
        lines = await self._receive_until(loop.time() + self._settings.silence_s)
        if not lines:
            self._trouble.bear(self._complaint(), loop.time())
        return lines

    def _complaint(self) -> ReaderError:
        """What is wrong when no weight comes."""
        if self._why:
            return FrameError(f"no weight for too long: {self._why}")
        came = "only noise" if self.health.discarded_bytes else "nothing"
        return ReaderTimeout(f"{came} came, no line of text; check power, cable and `baud`")

    def _weigh(self, line: Line) -> tuple[Decimal | None, bool]:
        """The weight that a line tells, and whether the pan is at rest."""
        try:
            reading = self._pick(line.text)
            grams = None if reading is None else self._settings.to_grams(reading)
        except FrameError as error:
            self.health.bad_frames += 1
            self._complain(str(error))
            return None, False
        if reading is None or grams is None:
            return None, False
        self._why = ""
        self._lived(1)
        at_rest = self._steadiness.is_stable_with(grams)
        return grams, at_rest if reading.stable is None else reading.stable

    def _pick(self, text: str) -> Reading | None:
        """Our reading of a line; None where it has none.

        Raises:
            FrameError: it cannot be told which is ours.
        """
        said = self._form.read(text)
        label, self._label = self._label, said.name if isinstance(said, Label) else ""
        if isinstance(said, Fault):
            self.health.no_value += 1
            self._lived(1)
            self._complain(f"the scale says {text!r}; check the wires between board, amplifier and load cell")
        if isinstance(said, Fault | Label) or not text:
            return None
        if not said:
            self.health.bad_frames += 1
            self._why = f"{text!r} tells no weight; check `pattern` and `baud`"
            return None
        return self._ours([replace(said[0], channel=label)] if label and not said[0].channel else said, text)

    def _ours(self, readings: Sequence[Reading], text: str) -> Reading | None:
        wanted = self._settings.channel
        if not wanted and len(readings) > 1:
            names = ", ".join(reading.channel for reading in readings)
            raise FrameError(f"{text!r} tells several weights: set `channel` to one of {names}")
        for reading in readings:
            if wanted in ("", reading.channel):
                return reading
        self._why = f"{text!r} tells nothing of channel {wanted!r}"
        return None

    def _complain(self, why: str) -> None:
        """The scale is in trouble: what it weighed before is no measure for rest."""
        self._why = why
        self._trouble.tell(why)
        self._steadiness.forget()
