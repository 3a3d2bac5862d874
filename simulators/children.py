"""Child processes that die with their parent, each with a log file of its own."""

import asyncio
import ctypes
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

STOP_WITHIN_S = 8.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class ChildDied(Exception):
    """A child ended by itself; the message is its last line of log and where the rest is."""


class Child:
    """One running `tacet …` process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name, self.process, self.log = name, process, log

    @property
    def last_line(self) -> str:
        """The newest line of its log that says something."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines()]
        return next((line for line in reversed(lines) if line), "")

    def check(self) -> None:
        """Raises:
        ChildDied: it is no longer running.
        """
        if self.process.returncode is not None:
            said = self.last_line.removeprefix("tacet: ") or f"ended with code {self.process.returncode}"
            raise ChildDied(f"{self.name}: {said}  (its log: {self.log})")

    async def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            with suppress(ProcessLookupError):  # it has ended in this very moment
                self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def running(name: str, arguments: list[str], logs: Path) -> AsyncIterator[Child]:
    """`tacet` with `arguments`, in a process group of its own so that Ctrl-C reaches us first; stopped on leaving."""
    log = logs / f"{name}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tacet", *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, preexec_fn=die_with_parent,
        )  # fmt: skip
    child = Child(name, process, log)
    try:
        yield child
    finally:
        await child.stop()


def die_with_parent() -> None:
    """Have the kernel end this process when its parent is gone, even by kill -9.  Source: prctl(2), PR_SET_PDEATHSIG."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
