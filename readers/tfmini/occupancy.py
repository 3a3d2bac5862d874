"""When a distance means that somebody is there.  Told the time, never asks it."""

UNSURE_NS = 2_000_000_000
"""So long without a distance to rely on, and what was said before no longer holds."""


class Occupancy:
    """One range finder's opinion, with hysteresis, so that somebody at the border does not come and go.

    Args:
        within_cm: somebody is there from this distance on.
        hysteresis_cm: and gone from so much farther on.
    """

    def __init__(self, within_cm: int, hysteresis_cm: int) -> None:
        self.occupied: bool | None = None
        """None before the first distance, and after too long without one."""
        self._within_cm, self._gone_cm = within_cm, within_cm + hysteresis_cm
        self._sure_at_ns: int | None = None
        self._blind = False

    def measured(self, distance_cm: int, now_ns: int) -> None:
        """A distance to rely on."""
        self._sure_at_ns, self._blind = now_ns, False
        if distance_cm <= self._within_cm:
            self.occupied = True
        elif distance_cm > self._gone_cm or self.occupied is None:
            self.occupied = False

    def blinded(self, now_ns: int) -> bool:
        """A measurement without such a distance; whether it is the one too many."""
        if self._sure_at_ns is None:
            self._sure_at_ns = now_ns
        if self._blind or now_ns - self._sure_at_ns < UNSURE_NS:
            return False
        self._blind, self.occupied = True, None
        return True
