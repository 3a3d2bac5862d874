"""A stop is a matter of seconds, also where what it waits for never answers."""

import asyncio
import os
import resource
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from broker_config.mosquitto import process as mosquitto
from simulators import children
from tests.support.patience import STOP_S
from tests.support.programs import program
from tests.support.service_manager import service_manager
from tests.system.test_service_manager import READY_WITHIN_S, started, write_configs

pytestmark = pytest.mark.system


@contextmanager
def silent_listener(folder: Path, stanza: str, config: str) -> Iterator[None]:
    """Whoever connects to the stanza's port is never answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        path = folder / config
        lines, section = [], ""
        for line in path.read_text().splitlines():
            section = line.strip("[]") if line.startswith("[") else section
            is_it = section == stanza and line.startswith("port = ")
            lines.append(f"port = {listener.getsockname()[1]}" if is_it else line)
        path.write_text("\n".join(lines) + "\n")
        yield


@contextmanager
def hanging_port(path: Path) -> Iterator[None]:
    """A serial port that is there and takes bytes, and says nothing."""
    path.parent.mkdir(exist_ok=True)
    controller, device = os.openpty()
    path.symlink_to(os.ttyname(device))
    try:
        yield
    finally:
        os.close(controller)
        os.close(device)


@asynccontextmanager
async def stopped(name: str, folder: Path, after_s: float = 1.0) -> AsyncIterator[tuple[int | None, float, str]]:
    """How a program that was ready ended, how long that took, and what it said."""
    with service_manager(folder) as manager:
        async with started(name, folder, manager) as process:
            await manager.until("READY=1", READY_WITHIN_S)
            await asyncio.sleep(after_s)  # its connections are under way; nothing tells from outside
            began_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, errors = await process.communicate()
            yield process.returncode, time.monotonic() - began_s, errors.decode()


@pytest.mark.parametrize("name", ["edge", "server"])
async def test_a_broker_that_never_answers_does_not_hold_up_the_stop(tmp_path: Path, name: str) -> None:
    write_configs(tmp_path)
    with silent_listener(tmp_path, "broker", f"{name}.toml"):
        async with stopped(name, tmp_path) as (code, took_s, errors):
            assert (code, "Traceback" in errors) == (0, False), errors
            assert took_s < STOP_S


async def test_ports_that_hang_do_not_hold_up_the_stop(tmp_path: Path) -> None:
    write_configs(tmp_path)
    with (
        hanging_port(tmp_path / "sim" / "r-door"),
        hanging_port(tmp_path / "sim" / "w-s1"),
        hanging_port(tmp_path / "sim" / "lamp-s1"),
    ):
        async with stopped("edge", tmp_path) as (code, took_s, errors):
            assert (code, "Traceback" in errors) == (0, False), errors
            assert took_s < STOP_S


async def test_a_full_disk_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """Nothing more can be written: the limit on a file's size stands for the disk's."""
    write_configs(tmp_path)
    with service_manager(tmp_path) as manager:
        async with started("edge", tmp_path, manager) as process:
            await manager.until("READY=1", READY_WITHIN_S)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
            began_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, errors = await process.communicate()
            assert (process.returncode, b"Traceback" in errors) == (0, False), errors.decode()
            assert time.monotonic() - began_s < STOP_S


async def test_an_engine_that_hangs_does_not_hold_up_the_stop_of_the_broker(tmp_path: Path) -> None:
    program("mosquitto")
    write_configs(tmp_path)
    with service_manager(tmp_path) as manager:
        async with started("broker", tmp_path, manager) as process:
            await manager.until("READY=1", READY_WITHIN_S)
            engine = next(c for c in psutil.Process(process.pid).children() if c.name() == "mosquitto")
            engine.suspend()
            began_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, errors = await process.communicate()
            assert (process.returncode, b"Traceback" in errors) == (0, False), errors.decode()
            assert time.monotonic() - began_s < STOP_S


class Late:
    """A process that ends just when nobody waits for it any more."""

    returncode = None

    def __init__(self) -> None:
        self.waits = 0

    def terminate(self) -> None: ...

    def kill(self) -> None:
        raise ProcessLookupError  # as asyncio says of what it has seen end

    async def wait(self) -> int:
        self.waits += 1
        if self.waits == 1:
            await asyncio.Event().wait()
        return 0


@pytest.mark.parametrize("module", [children, mosquitto])
async def test_a_child_that_ends_in_the_moment_of_its_kill_is_stopped(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    monkeypatch.setattr(module, "STOP_WITHIN_S", 0.01)
    late = Late()
    await (children.Child("late", late, Path()).stop() if module is children else mosquitto._stop(late))  # type: ignore[arg-type]
    assert late.waits == 2
