"""Time: UTC integer nanoseconds from an injected clock; aware datetimes only where messages and pages need them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from broker_config.errors import MessageError

ClockNs = Callable[[], int]
"""UTC nanoseconds: the monotonic clock plus an offset fixed at start, so it never steps."""

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
YEARS = range(1970, 2200)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_clock() -> ClockNs:
    """A clock for this process."""
    offset_ns = time.time_ns() - time.monotonic_ns()
    return lambda: time.monotonic_ns() + offset_ns


def to_datetime(at_ns: int) -> datetime:
    """The moment as an aware datetime, to the microsecond."""
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def to_ns(at: datetime) -> int:
    """The moment in UTC nanoseconds.

    Args:
        at: aware, of a year that fits 64 bits.
    Raises:
        MessageError: naive, so that nobody knows what it means, or of another age.
    """
    if at.tzinfo is None or at.year not in YEARS:
        raise MessageError(f"the time {at.isoformat()} has no zone, or is of another age")
    passed = at - _EPOCH
    return ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds) * 1000
