"""Time: UTC integer nanoseconds from an injected clock; aware datetimes only where messages and pages need them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from broker_config.errors import ConfigError, MessageError

ClockNs = Callable[[], int]
"""UTC nanoseconds: the monotonic clock plus an offset fixed at start, so it never steps."""

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
YEARS = range(1970, 2200)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SANE_FROM = datetime(2020, 1, 1, tzinfo=UTC)
"""Before this program was written: a clock without a battery that nobody has set yet."""


def utc_clock() -> ClockNs:
    """A clock for this process."""
    offset_ns = time.time_ns() - time.monotonic_ns()
    return lambda: time.monotonic_ns() + offset_ns


def check_clock(now_ns: int) -> None:
    """Refuse a clock that was never set: by it, what agents say is of before 1970, and would be taken for unreadable.

    Raises:
        ConfigError: it was not; nothing is taken in then, and agents keep their events.
    """
    now = to_datetime(now_ns)
    if now < _SANE_FROM:
        why = f"this host's clock shows {now:%Y-%m-%d}, so it was never set: set it, by NTP best"
        raise ConfigError(f"{why}; the server starts once it is right, and agents keep their events")


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
