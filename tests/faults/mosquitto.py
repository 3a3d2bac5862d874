"""A real Mosquitto that the rig may kill, and start again on the same port."""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from broker_config.access import Access
from broker_config.child import child_command
from broker_config.mosquitto.files import write_files
from simulators.children import die_with_parent
from tests.support.patience import WAIT_S
from tests.support.programs import program

OURS = ("persistence", "autosave", "max_queued", "max_inflight", "persistent_client")
"""Lines of the store's own configuration that the rig leaves out: as Mosquitto is by default."""


class Mosquitto:
    """One program on one port, started and killed as often as is wanted."""

    def __init__(self, command: list[str], port: int) -> None:
        self._command, self.port = command, port
        self._process: Process | None = None
        self.starts = 0

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Return once it accepts connections on its port."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, preexec_fn=die_with_parent
        )
        self.starts += 1
        assert self._process.stderr is not None
        async with asyncio.timeout(WAIT_S):
            while b" running" not in (line := await self._process.stderr.readline()):
                assert line, "mosquitto ended by itself"
        self._swallowing = asyncio.create_task(_swallow(self._process.stderr))

    async def kill(self) -> None:
        """By kill -9."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._swallowing


async def _swallow(said: asyncio.StreamReader) -> None:
    while await said.readline():
        pass


@asynccontextmanager
async def mosquitto(config: Path, port: int, user: str | None = None) -> AsyncIterator[Mosquitto]:
    """It runs while the block does."""
    broker = Mosquitto(child_command([program("mosquitto"), "-c", str(config)], user), port)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.kill()


def bare_config(folder: Path, port: int, *lines: str) -> Path:
    """Mosquitto as it comes, open to this machine, with `lines` added."""
    config = folder / "bare.conf"
    root = ["user root"] if os.geteuid() == 0 else []
    config.write_text("\n".join([f"listener {port} 127.0.0.1", "allow_anonymous true", *root, *lines]) + "\n")
    return config


def store_config(data: Path, port: int, access: Access, *, defaults: bool) -> tuple[Path, str | None]:
    """The store's own configuration, and its user; with `defaults` as much as possible is left as Mosquitto has it."""
    files = write_files(data, "127.0.0.1", port, access)
    if defaults:
        lines = [line for line in files.config.read_text().splitlines() if not line.startswith(OURS)]
        files.config.write_text("\n".join([*lines, "persistence false"]) + "\n")
    return files.config.resolve(), files.user
