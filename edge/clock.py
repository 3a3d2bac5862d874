"""The agent's one clock: UTC ns that never step, because they are the monotonic clock plus an offset fixed at start."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Clock:
    """Call it for UTC ns.  A step of the wall clock after start is visible in `step_ns`, never in the time."""

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall_ns, self._monotonic_ns = wall_ns, monotonic_ns
        self.offset_ns = wall_ns() - monotonic_ns()
        """UTC less the monotonic clock, fixed at start."""

    def __call__(self) -> int:
        """UTC now, ns."""
        return self._monotonic_ns() + self.offset_ns

    def step_ns(self) -> int:
        """How far the host's wall clock has moved against ours since start; positive: it was set forward."""
        return self._wall_ns() - self()


def to_datetime(at_ns: int) -> datetime:
    """The instant as an aware datetime, to the microsecond; for messages only."""
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def to_ns(at: datetime) -> int:
    """UTC ns of an aware datetime."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000
