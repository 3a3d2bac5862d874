"""Rows side by side: those that mostly wait run in a process of their own, beside those that keep a processor busy.

What a row changes of its process (patches, the folder for temporary files, its environment) is its process's own, so two
lanes are two processes.  Rows whose figures hang on the machine's speed run first, with nothing beside them.
"""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor

from simulators.children import die_with_parent
from tests.faults.report import FaultRow, NotRun
from tests.faults.row import Profile, Row
from tests.faults.run_row import run_row

Lines = list[FaultRow | NotRun]


def in_lanes(rows: Sequence[Row], profile: Profile) -> Iterator[FaultRow | NotRun]:
    """The rows' lines as they are made."""
    for row in rows:
        if row.lane == "alone":
            yield from run_row(row, profile)
    beside = [row for row in rows if row.lane == "beside"]
    main = [row for row in rows if row.lane == "main"]
    if not beside or not main:
        for row in (*main, *beside):
            yield from run_row(row, profile)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=die_with_parent) as other:
        waiting = [other.submit(run_in_lane, row, profile) for row in beside]
        for row in main:
            yield from run_row(row, profile)
            yield from _done(waiting)
        for each in waiting:
            yield from each.result()


def _done(waiting: list["Future[Lines]"]) -> Iterator[FaultRow | NotRun]:
    """The lines that the other lane has made meanwhile."""
    while waiting and waiting[0].done():
        yield from waiting.pop(0).result()


def run_in_lane(row: Row, profile: Profile) -> Lines:
    """In the other process: a row's lines."""
    return [*run_row(row, profile)]
