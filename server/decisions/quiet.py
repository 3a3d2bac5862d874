"""Quiet hours: windows of the day, by the store's wall clock, in which a member wants to be left alone.

    20:00-10:00    from 20:00 on, past midnight, until just before 10:00
    00:00-24:00    always

The start belongs to the window, the end does not.  Wall clock means: an hour that the clock skips in spring is never met,
and one that it repeats in autumn is quiet both times.
"""

import re
from dataclasses import dataclass

_WINDOW = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})")
DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes since midnight; `end` may be smaller than `start`: past midnight."""

    start: int
    end: int

    def __contains__(self, minute: int) -> bool:
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def parse_window(text: str) -> Window:
    """A window from `HH:MM-HH:MM`.

    Raises:
        ValueError: says what is wrong, for the person who wrote it.
    """
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ValueError(f"quiet hours {text!r} are not HH:MM-HH:MM")
    start_h, start_m, end_h, end_m = (int(group) for group in match.groups())
    start, end = start_h * 60 + start_m, end_h * 60 + end_m
    if start_m > 59 or end_m > 59 or start >= DAY_MINUTES or end > DAY_MINUTES:
        raise ValueError(f"quiet hours {text!r} are no times of the day")
    if start == end:
        raise ValueError(f"quiet hours {text!r} start when they end; write 00:00-24:00 for the whole day")
    return Window(start, end)


def parse_windows(text: str) -> tuple[Window, ...]:
    """Windows separated by `;`; none for an empty text.

    Raises:
        ValueError: as `parse_window`.
    """
    return tuple(parse_window(part.strip()) for part in text.split(";") if part.strip())


def find_window(windows: tuple[str, ...], minute: int) -> str | None:
    """The first of the windows that the minute of the day is in, as it was written."""
    return next((text for text in windows if minute in parse_window(text)), None)
