"""Plain re-report suppression, as readers and simple middleware do it."""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel
from hotpath.record import NEVER


@entry_kernel
def suppress_repeats(
    source: NDArray[np.int64],
    t_ns: NDArray[np.int64],
    window_ns: int,
    passed_ns: NDArray[np.int64],
    keep: NDArray[np.bool_],
) -> int:
    """Mark in `keep` the reads that survive a fixed re-report window; return how many.

    A read passes if none of its source has passed in the last `window_ns`; exactly that long ago passes.  A suppressed
    read does not extend the window.

    Args:
        source, t_ns: [n]; row in `passed_ns`; ascending.
        passed_ns: [sources], last passed read or NEVER; updated, so batches may be cut anywhere.
        keep: [n], written.
    """
    kept = 0
    for i in range(source.shape[0]):
        last = passed_ns[source[i]]
        keep[i] = last == NEVER or t_ns[i] - last >= window_ns
        if keep[i]:
            passed_ns[source[i]] = t_ns[i]
            kept += 1
    return kept
