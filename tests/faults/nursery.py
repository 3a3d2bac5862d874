"""Real processes that start in milliseconds: forked from one that has imported everything, and killed from outside.

`tacet server` takes a second to import what it needs before it does anything.  A thousand kills would spend their time
there, and a kill within 300 ms of the start would never meet a write.  A life here is a process of its own with its own
loop, files and sockets, as a started one; only its imports are done already.
"""

import asyncio
import logging
import multiprocessing
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from simulators.children import die_with_parent
from tests.faults.tap import FOLDER, tap_for_good

LIVES = ["tests.faults.edge_life", "tests.faults.server_life", "tests.faults.raw_life", "tests.faults.reader_life"]
CALLERS = [
    "tacet",
    "pytest",
    "tests.faults.store",
]  # each life runs its caller's main module anew, so what that imports, too
ENDING_S = 10.0


class Life:
    """One process.

    Args:
        log: what it says on stderr.
    """

    def __init__(self, process: ForkServerProcess, log: Path) -> None:
        self._process, self._log = process, log

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.is_alive()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def kill(self) -> None:
        """At once, by the kernel."""
        self._process.kill()

    async def gone(self, within_s: float = ENDING_S) -> None:
        """Return once it has ended.

        Raises:
            TimeoutError: it has not within `within_s`.
        """
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        sentinel = self._process.sentinel
        loop.add_reader(sentinel, ended.set)
        try:
            async with asyncio.timeout(within_s):
                await ended.wait()
        finally:
            loop.remove_reader(sentinel)
        self._process.join()

    def check(self) -> None:
        """Raises:
        RuntimeError: it ended by itself; with its last words.
        """
        if not self.alive:
            raise RuntimeError(f"a life ended by itself, code {self._process.exitcode}: {self.last_words}")

    @property
    def last_words(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-400:] if self._log.exists() else ""


def open_nursery() -> None:
    """Start the process that the lives are forked from, if there is none."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(LIVES + CALLERS)
    forkserver.ensure_running()


def nursery_pid() -> int | None:
    """Of the process that the lives are forked from, if there is one."""
    return forkserver._forkserver._forkserver_pid


@asynccontextmanager
async def life(target: Callable[..., None], *arguments: Any, log: Path) -> AsyncIterator[Life]:
    """A process that runs `target(*arguments)`; killed on leaving, if nobody did before.

    Args:
        target: a module's own function, so that it can be named to the other process.
    """
    open_nursery()
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=_live, args=(target, arguments, log, os.environ.get(FOLDER)), daemon=True)
    process.start()
    started = Life(process, log)
    try:
        yield started
    finally:
        if started.alive:
            started.kill()
            await started.gone()
        process.join()
        process.close()


def _live(target: Callable[..., None], arguments: tuple[Any, ...], log: Path, traffic: str | None) -> None:
    """In the new process: its words go to its log, its traffic is noted, and it ends when nobody is left to kill it."""
    die_with_parent()
    os.close(forkserver._forkserver._forkserver_alive_fd)  # while anybody has it open, the parent outlives the rig
    words = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(words, 1)
    os.dup2(words, 2)
    logging.disable(logging.WARNING)
    tap_for_good(traffic)
    target(*arguments)


async def until(condition: Callable[[], Any], within_s: float = 120.0, *, lives: tuple[Life, ...] = ()) -> Any:
    """The condition's first true answer; `lives` must not end meanwhile.

    Raises:
        TimeoutError: none within `within_s`.
    """
    deadline_s = time.monotonic() + within_s
    while not (answer := condition()):
        for each in lives:
            each.check()
        if time.monotonic() > deadline_s:
            said = " | ".join(each.last_words for each in lives)
            raise TimeoutError(f"{getattr(condition, '__name__', 'nothing')} within {within_s:.0f} s; {said}")
        await asyncio.sleep(0.005)
    return answer


def close_nursery() -> None:
    """End the process that the lives are forked from; the next life starts another."""
    forkserver._forkserver._stop()
    resource_tracker._resource_tracker._stop()
