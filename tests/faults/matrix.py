"""The fault matrix: every fault that a store may meet, by number, and why one that no row injects is not injected.

A row takes its fault's line away from here.
"""

from tests.faults.report import NotRun

NOT_RUN: tuple[tuple[int, str, str], ...] = ((37, "PostgreSQL fails over", "the server has no PostgreSQL store"),)


def not_run() -> list[NotRun]:
    """A line for each fault that is not injected, with the reason."""
    return [NotRun(numbers=(number,), fault=fault, why=why) for number, fault, why in NOT_RUN]
