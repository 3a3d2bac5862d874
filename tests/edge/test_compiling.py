"""A process that is still compiling ends at once when it is told to, and leaves no child behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from edge.kernel_cache import KeptKernels
from hotpath._jit import COMPILES
from tests.support.patience import STOP_S, WAIT_S

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not COMPILES, reason="nothing is compiled"),
    pytest.mark.skipif(sys.platform != "linux", reason="children die with their parents on Linux"),
]
COMMAND = [sys.executable, "-m", "tacet"]


@asynccontextmanager
async def compiling(*arguments: str, home: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, psutil.Process]]:
    """A command with nothing compiled yet, and its child at work."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        env={**os.environ, "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=partial(
            signal.signal, signal.SIGINT, signal.SIG_DFL
        ),  # ignored by what a shell runs in the background
    )
    try:
        yield process, await child_of(process.pid)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def child_of(pid: int) -> psutil.Process:
    """The child that compiles, once it has come so far."""
    parent = psutil.Process(pid)
    async with asyncio.timeout(WAIT_S):
        while True:
            for child in parent.children():
                if any("kernel_build" in word for word in child.cmdline()) and "-S" not in child.cmdline():
                    return child
            await asyncio.sleep(0.02)  # another process's life can only be looked at


async def ends(process: asyncio.subprocess.Process, child: psutil.Process) -> tuple[int | None, str]:
    """How it ended, and what it said on stderr; the child is gone too."""
    async with asyncio.timeout(STOP_S):
        _, errors = await process.communicate()
        while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)
    return process.returncode, errors.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_agent_that_compiles_stops_when_it_is_told_to(edge_folder: Path, number: signal.Signals) -> None:
    async with compiling("edge", "--config", str(edge_folder / "edge.toml"), home=edge_folder) as (process, child):
        process.send_signal(number)
        code, errors = await ends(process, child)
        assert (code, "Traceback" in errors) == (0, False), errors


async def test_a_command_that_compiles_ends_at_ctrl_c(tmp_path: Path) -> None:
    async with compiling("bench", "presence", home=tmp_path) as (process, child):
        process.send_signal(signal.SIGINT)
        code, errors = await ends(process, child)
        assert (code, "Traceback" in errors) == (130, False), errors


async def test_the_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    async with compiling("bench", "presence", home=tmp_path) as (process, child):
        process.kill()
        await ends(process, child)


async def test_a_compile_cut_short_is_begun_again(tmp_path: Path) -> None:
    async with compiling("bench", "presence", home=tmp_path) as (process, child):
        process.kill()
        await ends(process, child)
    kept = KeptKernels(tmp_path / ".cache" / "tacet" / "kernels")
    assert not kept.are_sound()
    with kept.building() as needed:  # nobody holds the lock any more
        assert needed
