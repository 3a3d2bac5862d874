"""Running a row: in a folder of its own, bounded in time, searched; what it lacks, and what it throws, become its line."""

import asyncio
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace as replace_line

from tests.faults.nursery import nursery_pid
from tests.faults.report import FaultRow, NotRun, Outcome, as_row
from tests.faults.row import CannotRunError, Inject, Profile, Row
from tests.faults.search import Searched, searching

ENDING_S = 20.0  # to clean up after a run that took too long
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 1 << 30
CANNOT_RUN = (CannotRunError, pytest.skip.Exception)  # the test suite's helpers skip where a program is missing


def run_row(row: Row, profile: Profile) -> Iterator[FaultRow | NotRun]:
    """A row's line, and its control's."""
    yield _run(row, row.run, row.fault, profile, control=False)
    if row.control is not None:
        yield _run(row, row.control, f"{row.fault}: {row.control_name}", profile.for_control(), control=True)


def _run(row: Row, inject: Inject, name: str, profile: Profile, *, control: bool) -> FaultRow | NotRun:
    began, spent_s, searched = time.perf_counter(), _cpu_s(), Searched()
    with searching(searched, memory_disk() if row.in_memory else None) as folder, quiet():
        done = asyncio.run(_bounded(inject, replace(profile, folder=folder), row.limit_s))
        took_s = time.perf_counter() - began
    if isinstance(done, str):
        return NotRun(numbers=row.numbers, fault=name, why=done)
    went_wrong = isinstance(done, Outcome)  # a control has to fail, but not like this
    outcomes = [done] if isinstance(done, Outcome) else done
    line = as_row(row.numbers, name, outcomes, took_s, control=control and not went_wrong)
    return replace_line(
        line,
        cpu_s=round(_cpu_s() - spent_s, 1),
        searched_bytes=searched.files_bytes,
        traffic_bytes=searched.traffic_bytes,
        stores=searched.stores,
        identities_found=len(searched.found) + len(searched.unknown),
        identities=[str(hit) for hit in searched.found[:5]]
        + [f"not looked for: {each}" for each in searched.unknown[:5]],
    )


def memory_disk() -> Path | None:
    """A disk of memory, if there is one with room; a container often has one of 64 MB."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ENOUGH_BYTES else None


def _cpu_s() -> float:
    """Processor time so far of this process and its ended children, those of the nursery among them."""
    spent = [psutil.Process(), *([psutil.Process(pid)] if (pid := nursery_pid()) is not None else [])]
    return sum(sum(each.cpu_times()[:4]) for each in spent)


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
