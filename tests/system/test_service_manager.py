"""The three programs under a service manager: ready when they are, alive while they move, stopping when told."""

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker_config.access import Access
from edge.kernels import cache_folder
from hotpath._jit import COMPILES
from tests.server.harness import write_store
from tests.support.brokers import free_port
from tests.support.patience import STOP_S
from tests.support.service_manager import ServiceManager, service_manager

pytestmark = pytest.mark.system
PROGRAMS = ("broker", "server", "edge")
READY_WITHIN_S = 110.0


def write_configs(folder: Path, *, warm: bool = True) -> None:
    """All three programs' files on free ports; nobody answers on the broker's but the broker, if it is started."""
    write_store(folder, broker_port=free_port(), server_port=free_port())
    shutil.rmtree(folder / "identity")
    Access(folder / "site.toml", folder / "identity")  # makes those that the site asks for
    if warm:
        cache_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "edge").mkdir(mode=0o700)
        (folder / "edge" / "kernels").symlink_to(cache_folder())


@asynccontextmanager
async def started(
    name: str, folder: Path, manager: ServiceManager, watchdog_s: float | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tacet", name, "--config", str(folder / f"{name}.toml")),
        env=manager.environment(watchdog_s),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("name", PROGRAMS)
async def test_each_says_that_it_is_ready_alive_and_stopping(tmp_path: Path, name: str) -> None:
    write_configs(tmp_path)
    with service_manager(tmp_path) as manager:
        async with started(name, tmp_path, manager, watchdog_s=0.4) as process:
            heard = await manager.until("READY=1", READY_WITHIN_S)
            assert heard[-1][1].startswith("STATUS=")
            for _ in range(3):
                await manager.until("WATCHDOG=1")
            process.send_signal(signal.SIGTERM)
            await manager.until("STOPPING=1", STOP_S)
            async with asyncio.timeout(STOP_S):
                _, errors = await process.communicate()
            assert (process.returncode, b"Traceback" in errors) == (0, False), errors.decode()


@pytest.mark.skipif(not COMPILES, reason="nothing is compiled")
async def test_an_agent_that_compiles_asks_for_time_at_each_step_and_is_not_ready(tmp_path: Path) -> None:
    write_configs(tmp_path, warm=False)
    with service_manager(tmp_path) as manager:
        async with started("edge", tmp_path, manager) as process:
            heard = [await asyncio.wait_for(manager.hear(), READY_WITHIN_S) for _ in range(3)]
            assert all(lines[0].startswith("STATUS=compiling ") for lines in heard)
            assert all(lines[1].startswith("EXTEND_TIMEOUT_USEC=") for lines in heard)
            assert len({lines[0] for lines in heard}) == len(heard), "the same step bought more time"
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_S):
                _, errors = await process.communicate()
            assert (process.returncode, b"Traceback" in errors) == (0, False), errors.decode()
