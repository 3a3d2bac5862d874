"""The fault matrix: every fault that a store may meet, by number, and why one that no row injects is not injected.

A reason that names a test file: the behaviour is held there, but without the figures of a run.  A row takes its fault's
line away from here.
"""

from tests.faults.report import NotRun

NOT_RUN: tuple[tuple[int, str, str], ...] = (
    (6, "a reader's brown-out", "held by tests/readers/mercury, one driver; not counted here yet"),
    (
        8,
        "a slow host, buffers overrun",
        "held by tests/readers/test_ports.py; under a load on the processor not tried yet",
    ),
    (37, "PostgreSQL fails over", "the server has no PostgreSQL store"),
)


def not_run() -> list[NotRun]:
    """A line for each fault that is not injected, with the reason."""
    return [NotRun(numbers=(number,), fault=fault, why=why) for number, fault, why in NOT_RUN]
