"""Which times of a recorded log are believed."""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, hot_kernel

AGREEING_ROWS = 3


@entry_kernel
def clamp_leaps(t_ns: NDArray[np.int64], ahead_ns: int) -> int:
    """Change times to those the engine may believe; how many were clamped.

    A row more than `ahead_ns` ahead of the newest accepted one is held.  Three such rows in a row that agree, each within
    `ahead_ns` of the first, are believed: the log has a gap.  Otherwise they are clamped to the newest accepted time.
    The first row is accepted.
    """
    if t_ns.shape[0] == 0:
        return 0
    clamped, held, newest = 0, 0, t_ns[0]
    for row in range(t_ns.shape[0]):
        leaps = t_ns[row] > newest + ahead_ns
        if held > 0 and not (leaps and abs(t_ns[row] - t_ns[row - held]) <= ahead_ns):
            clamped += _set(t_ns, row - held, row, newest)
            held = 0
        if not leaps:
            newest = max(newest, t_ns[row])
            continue
        held += 1
        if held == AGREEING_ROWS:
            for each in range(row - held + 1, row + 1):
                newest = max(newest, t_ns[each])
            held = 0
    return clamped + _set(t_ns, t_ns.shape[0] - held, t_ns.shape[0], newest)


@hot_kernel
def _set(t_ns: NDArray[np.int64], first: int, last: int, to_ns: int) -> int:
    for row in range(first, last):
        t_ns[row] = to_ns
    return last - first
