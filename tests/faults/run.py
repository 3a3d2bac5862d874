"""Running rows: each in a folder of its own, bounded in time; what it lacks, and what it throws, become its line."""

import asyncio
import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.matrix import not_run
from tests.faults.report import FaultRow, NotRun, Outcome, as_row
from tests.faults.row import CannotRunError, Inject, Profile, Row

ENDING_S = 20.0  # to clean up after a run that took too long
CANNOT_RUN = (CannotRunError, pytest.skip.Exception)  # the test suite's helpers skip where a program is missing


def run_all(rows: Sequence[Row], profile: Profile, only: int | None = None) -> Iterator[FaultRow | NotRun]:
    """The table, line by line as it is made: every fault of the matrix, or only one."""
    wanted = [row for row in rows if only is None or only in row.numbers]
    for row in wanted:
        yield from run_row(row, profile)
    covered = {number for row in wanted for number in row.numbers}
    for other in not_run():
        if not covered & {*other.numbers} and only in (None, *other.numbers):
            yield other


def run_row(row: Row, profile: Profile) -> Iterator[FaultRow | NotRun]:
    """A row's line, and its control's."""
    yield _run(row, row.run, row.fault, profile, control=False)
    if row.control is not None:
        yield _run(row, row.control, f"{row.fault}: {row.control_name}", profile.for_control(), control=True)


def _run(row: Row, inject: Inject, name: str, profile: Profile, *, control: bool) -> FaultRow | NotRun:
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder, quiet():
        done = asyncio.run(_bounded(inject, replace(profile, folder=Path(folder)), row.limit_s))
    if isinstance(done, str):
        return NotRun(numbers=row.numbers, fault=name, why=done)
    went_wrong = isinstance(done, Outcome)  # a control has to fail, but not like this
    outcomes = [done] if isinstance(done, Outcome) else done
    return as_row(row.numbers, name, outcomes, time.perf_counter() - began, control=control and not went_wrong)


async def _bounded(inject: Inject, profile: Profile, limit_s: float) -> list[Outcome] | Outcome | str:
    """What an injection says of itself; the reason where it cannot run; one outcome where it throws or does not end."""

    async def injected() -> list[Outcome]:
        return await inject(profile)

    running = asyncio.create_task(injected(), name="row")
    done, _ = await asyncio.wait([running], timeout=limit_s)
    if not done:
        running.cancel()
        await asyncio.wait([running], timeout=ENDING_S)
        return Outcome(profile.seed, broken=[f"not done within {limit_s:.0f} s"])
    error = running.exception()
    if isinstance(error, CANNOT_RUN):
        return str(error)
    if error is not None:
        return Outcome(profile.seed, broken=[_in_words(error)])
    return running.result()


def _in_words(error: BaseException) -> str:
    """An exception on one line, with the place it came from; of a group the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" ({Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno})"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}{where}"


@contextmanager
def quiet() -> Iterator[None]:
    """Drops and gaps by the thousand are meant, and not worth a line each."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
