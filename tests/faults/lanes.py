"""Rows side by side, each in a process of its own: most of a row's time is waiting for something to be noticed.

What a row changes of its process (patches, the folder for temporary files, its environment) is its process's own.  Rows
whose figures hang on the machine's speed run first, with nothing beside them; the others begin with those that take
longest, so that no long one is left for the end.
"""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess

from simulators.children import die_with_parent
from tests.faults.nursery import close_nursery
from tests.faults.report import FaultRow, NotRun, Outcome, as_row
from tests.faults.row import Profile, Row
from tests.faults.run_row import run_row

LANES = 4
"""Two processors, and half of a row's time is spent on neither."""

Lines = list[FaultRow | NotRun]


@dataclass(frozen=True, slots=True)
class Lane:
    """A process that runs one row after another."""

    process: ForkProcess
    pipe: Connection

    def lines(self, row: Row) -> Lines:
        """What it has made of this one; where it has died of it, a line that says so."""
        try:
            made: Lines = self.pipe.recv()
        except EOFError:
            self.process.join()
            return [died(row, f"its process ended by itself, code {self.process.exitcode}")]
        return made

    def end(self) -> None:
        """It has nothing more to do."""
        with suppress(BrokenPipeError):  # it has ended already
            self.pipe.send(None)
        self.process.join()
        self.pipe.close()


def died(row: Row, why: str) -> FaultRow:
    """The line of a row that nobody finished."""
    return as_row(row.numbers, row.fault, [Outcome(0, broken=[why])], 0.0)


def in_turn(rows: Sequence[Row], profile: Profile) -> Iterator[FaultRow | NotRun]:
    """The rows' lines, one row after the other in this process."""
    for row in rows:
        yield from run_row(row, profile)


def in_lanes(rows: Sequence[Row], profile: Profile) -> Iterator[FaultRow | NotRun]:
    """The rows' lines as they are made."""
    beside = sorted((row for row in rows if not row.alone), key=lambda row: row.takes_s[not profile.fast])
    close_nursery()  # a copy of this process could not use it
    with ExitStack() as stack:
        lanes = [_lane(beside, profile) for _ in range(min(LANES, len(beside)))]
        for lane in lanes:
            stack.callback(lane.end)
        yield from in_turn([row for row in rows if row.alone], profile)
        yield from _spread(beside, lanes)


def _spread(rows: Sequence[Row], idle: list[Lane]) -> Iterator[FaultRow | NotRun]:
    """Whichever lane has nothing to do runs the last of the rows that wait."""
    waiting, running = [*range(len(rows))], dict[Connection, tuple[Lane, Row]]()
    while running or (waiting and idle):
        while waiting and idle:
            lane, number = idle.pop(), waiting.pop()
            lane.pipe.send(number)
            running[lane.pipe] = lane, rows[number]
        for pipe in [pipe for pipe in wait([*running]) if isinstance(pipe, Connection)]:
            lane, row = running.pop(pipe)
            yield from lane.lines(row)
            idle += [lane] if lane.process.is_alive() else []
    for number in waiting:
        yield died(rows[number], "no process is left to run it")


def _lane(rows: Sequence[Row], profile: Profile) -> Lane:
    """A copy of this process, with everything imported already."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run_them, args=([*rows], profile, theirs))
    process.start()
    theirs.close()
    return Lane(process, ours)


def _run_them(rows: Sequence[Row], profile: Profile, pipe: Connection) -> None:
    """In the new process: run the rows whose numbers come."""
    die_with_parent()
    while (number := pipe.recv()) is not None:
        pipe.send([*run_row(rows[number], profile)])
