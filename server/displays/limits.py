"""How much a browser may send: an allowance that refills with time."""

from server.clock import ClockNs


class Allowance:
    """A token bucket: `burst` at once, then `per_s`."""

    def __init__(self, per_s: float, burst: float, clock_ns: ClockNs) -> None:
        self._per_s, self._burst, self._clock_ns = per_s, burst, clock_ns
        self._left, self._at_ns = burst, clock_ns()

    def spend(self, amount: float) -> bool:
        """Whether `amount` was still allowed; it is taken off either way, so a flood does not creep through."""
        now_ns = self._clock_ns()
        left = min(self._burst, self._left + (now_ns - self._at_ns) / 1e9 * self._per_s) - amount
        self._left = max(-self._burst, left)  # whoever stops is let in again soon, however much it was
        self._at_ns = now_ns
        return self._left >= 0

    @property
    def left(self) -> float:
        """What is left of it; below zero: how much too much was spent."""
        return self._left
