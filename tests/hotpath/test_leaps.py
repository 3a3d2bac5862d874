"""Which times of a log are believed, against the rule written plainly."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hotpath.leaps import clamp_leaps

AHEAD = 10


def believe(times: list[int]) -> list[int]:
    """Hold what leaps; three held in a row, each near the first of them, are a gap in the log."""
    believed: list[int] = []
    held: list[int] = []
    for time in times:
        newest = max(believed, default=time)
        if held and (time <= newest + AHEAD or abs(time - held[0]) > AHEAD):
            believed += [newest] * len(held)
            held = []
        if time <= newest + AHEAD:
            believed.append(time)
        elif len(held) == 2:
            believed += [*held, time]
            held = []
        else:
            held.append(time)
    return believed + [max(believed, default=0)] * len(held)


@given(st.lists(st.integers(0, 60) | st.integers(0, 8), max_size=30))
@settings(deadline=None, max_examples=500)
def test_leaps_are_believed_or_clamped_as_the_rule_says(times: list[int]) -> None:
    found = np.array(times, np.int64)
    clamped = clamp_leaps(found, AHEAD)
    assert found.tolist() == believe(times)
    assert clamped == sum(a != b for a, b in zip(times, found.tolist(), strict=True))
