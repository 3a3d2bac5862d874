"""Rows 39 and 40: a program hangs; the first compilation is slower than the patience of whoever started it.

A service manager of the rig's own does what systemd does by its units: it starts again what does not answer its watchdog,
and what is not ready in time.
"""

import asyncio
import shutil
import signal
import time
from pathlib import Path

from edge.kernels import cache_folder, prepare_kernels
from tests.faults.report import Outcome
from tests.faults.row import CannotRunError, Profile, Row
from tests.support.identities import rename_members
from tests.support.service_manager import ServiceManager, service_manager
from tests.system.test_service_manager import started, write_configs

PROGRAMS = ("broker", "server", "edge")
START_S = 20.0
"""Until it is ready or asks for more: less than a compilation takes, so that one which says nothing is started again."""
READY_S = 400.0


async def hang(profile: Profile) -> list[Outcome]:
    """Each program is stopped dead (SIGSTOP); until the one started in its place is ready."""
    prepare_kernels(cache_folder(), lambda *_: None)
    watchdog_s, outcomes = float(profile.times(2, 15)), []
    for name in PROGRAMS:
        folder = profile.folder / name
        folder.mkdir()
        write_configs(folder)
        rename_members(folder / "members.csv")
        outcomes.append(await _hang_once(name, folder, watchdog_s))
    return outcomes


async def _hang_once(name: str, folder: Path, watchdog_s: float) -> Outcome:
    outcome = Outcome(0)
    with service_manager(folder) as manager:
        async with started(name, folder, manager, watchdog_s) as process:
            await manager.until("READY=1", READY_S)
            await manager.until("WATCHDOG=1", 2 * watchdog_s)
            process.send_signal(signal.SIGSTOP)
            began_s = time.monotonic()
            await _unanswered(manager, watchdog_s)
            noticed_s = time.monotonic() - began_s
            process.kill()
        async with started(name, folder, manager, watchdog_s):
            await manager.until("READY=1", READY_S)
            outcome.recovery_s = time.monotonic() - began_s
    outcome.extra |= {
        f"{name}_noticed_s": noticed_s,
        f"{name}_ready_again_s": outcome.recovery_s,
        "watchdog_s": watchdog_s,
    }
    outcome.expect(noticed_s <= 2 * watchdog_s, f"{name}: a hang noticed after {noticed_s:.1f} s")
    return outcome


async def _unanswered(manager: ServiceManager, watchdog_s: float) -> None:
    """Until the watchdog has not been answered for its time, as systemd counts."""
    while True:
        try:
            async with asyncio.timeout(watchdog_s):
                while "WATCHDOG=1" not in await manager.hear():
                    pass
        except TimeoutError:
            return


async def slow_compilation(profile: Profile) -> list[Outcome]:
    """A first start with an empty cache, under a manager of `START_S` patience; then a warm one."""
    if profile.fast:
        raise CannotRunError(
            "half a minute of compiling, whatever the machine: tacet bench faults --row 40 --profile full"
        )
    outcome, folder = Outcome(profile.seed), profile.folder / "cold"
    folder.mkdir()
    write_configs(folder, warm=False)
    rename_members(folder / "members.csv")
    with service_manager(folder) as manager:
        for kind in ("cold", "warm"):
            began_s = time.monotonic()
            async with started("edge", folder, manager) as process:
                restarts = await _ready(manager, process)
                outcome.extra[f"{kind}_start_s"] = time.monotonic() - began_s
                outcome.extra[f"{kind}_restarts"] = restarts
                outcome.expect(not restarts, f"{kind}: started again {restarts} times")
    shutil.rmtree(folder / "edge" / "kernels")
    return [outcome]


async def _ready(manager: ServiceManager, process: asyncio.subprocess.Process) -> int:
    """Until it is ready: 0; 1 where its patience, extended as asked, ran out before (and systemd would start it again)."""
    due_s = time.monotonic() + START_S
    while True:
        try:
            async with asyncio.timeout(due_s - time.monotonic()):
                lines = await manager.hear()
        except TimeoutError:
            return 1
        if "READY=1" in lines:
            return 0
        for line in lines:
            key, _, value = line.partition("=")
            if key == "EXTEND_TIMEOUT_USEC":
                due_s = max(due_s, time.monotonic() + int(value) / 1e6)


ROWS = (
    Row((39,), "a program hangs", hang, takes_s=(35, 180)),
    Row((40,), "the first compilation is slower than the watchdog", slow_compilation, takes_s=(0, 150)),
)
