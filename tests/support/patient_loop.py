"""An event loop whose clock leaves out the moments in which the whole machine stood still.

A test plays both ends of a line.  Where the machine stands still for two seconds, the driver under test gives a device up
that was given no turn to answer: no time-out short enough for a test is long enough for that.  A real device answers
meanwhile; that a driver then finds the answer before it gives up is tested where it is promised, by blocking the loop.
"""

import asyncio
import selectors
import time

OVERSLEPT_S = 0.03
"""Woken so much later than asked for: the machine stood still."""
BUSY_S = 0.2
"""Nothing that a test does in one turn takes so long, and whoever blocks the loop on purpose does it for less."""


class PatientSelector(selectors.DefaultSelector):
    """Waits, and tells a time that never goes back and holds no standstill."""

    def __init__(self) -> None:
        super().__init__()
        self._lost_s = 0.0
        self._seen_s = time.monotonic()
        self._forgave = False

    def now_s(self) -> float:
        """Seconds in which the machine was at work."""
        took_s = self._look()
        if took_s > BUSY_S:
            self._lost_s += took_s
        return self._seen_s - self._lost_s

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready.  A standstill is forgotten, and the whole wait with it; but not twice in a row: time must go on."""
        self.now_s()
        ready = super().select(timeout)
        took_s = self._look()
        if timeout is not None and took_s > timeout + OVERSLEPT_S:
            self._lost_s += took_s - timeout * self._forgave
            self._forgave = not self._forgave
        return ready

    def _look(self) -> float:
        before_s, self._seen_s = self._seen_s, time.monotonic()
        return self._seen_s - before_s


class PatientLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop on such a clock."""

    def __init__(self) -> None:
        self._patient = PatientSelector()
        super().__init__(self._patient)

    def time(self) -> float:
        """Seconds in which the machine was at work."""
        return self._patient.now_s()


def working_ns() -> int:
    """The running loop's time, for a simulated device that has to stand still when the driver does."""
    return round(asyncio.get_running_loop().time() * 1e9)
