"""Mosquitto's life: started, ready when it says so, told to read its clients again, stopped."""

import asyncio
import logging
import os
import re
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from broker_config.access import Access
from broker_config.child import child_command
from broker_config.config import BrokerSettings
from broker_config.errors import ConfigError
from broker_config.mosquitto.files import Files, write_clients, write_files
from broker_config.mosquitto.network import Network

log = logging.getLogger(__name__)
READY_WITHIN_S = 10.0
STOP_WITHIN_S = 3.0  # of the 5 s that a stop of ours may take
RUNNING = re.compile(r"mosquitto version (\S+) running")
ANONYMOUS_CONNECT = bytes.fromhex("100c 0004 4d515454 04 02 000a 0000")
"""An MQTT 3.1.1 CONNECT of nobody, which is refused."""


def find_mosquitto() -> str | None:
    """The program, also where it is not on an ordinary user's PATH."""
    return shutil.which("mosquitto", path=os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin:/usr/local/sbin")


class MosquittoBroker:
    """A running Mosquitto."""

    def __init__(self, process: Process, files: Files, version: str) -> None:
        self._process, self._files = process, files
        self.engine = f"mosquitto {version}"

    def apply(self, access: Access) -> None:
        """Let in whom `access` knows now, and nobody else."""
        try:
            write_clients(self._files, access)
        finally:  # what could be written counts
            self._process.send_signal(signal.SIGHUP)

    async def ended(self) -> str:
        """Return when the program is gone, with a word on how."""
        return f"mosquitto ended with code {await self._process.wait()}"


@asynccontextmanager
async def run_mosquitto(
    settings: BrokerSettings, program: str, access: Access, network: Network
) -> AsyncIterator[MosquittoBroker]:
    """Mosquitto, ready, until the block ends.

    Raises:
        ConfigError: it refused to start; its last words are in the message.
    """
    files = write_files(settings.data, settings.host, settings.port, access, network)
    command = child_command([program, "-c", str(files.config.resolve())], files.user)
    process = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, start_new_session=True
    )
    listener: asyncio.Task[None] | None = None
    try:
        version = await _wait_until_ready(process, settings)
        listener = asyncio.create_task(_log_lines(process), name="mosquitto log")
        yield MosquittoBroker(process, files, version)
    finally:
        await _stop(process)
        if listener is not None:
            await listener


async def _wait_until_ready(process: Process, settings: BrokerSettings) -> str:
    """Mosquitto's version, once it says that it runs (a port that answers could be another program's) and has answered.

    It says so a moment before its main loop begins, and a signal to end that comes in between is lost for good.
    """
    assert process.stderr is not None, "stderr is a pipe"
    last_words = "nothing"
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            while line := (await process.stderr.readline()).decode(errors="replace").strip():
                if running := RUNNING.search(line):
                    await _have_an_answer(settings.host, settings.port)
                    return running.group(1)
                last_words = line
    except (TimeoutError, ConnectionError) as error:
        raise ConfigError(
            f"mosquitto is not ready within {READY_WITHIN_S:.0f} s; its last words: {last_words}"
        ) from error
    raise ConfigError(f"mosquitto did not start; its last words: {last_words}")


async def _have_an_answer(host: str, port: int) -> None:
    """Return once the main loop has refused somebody, or hung up on them."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(ANONYMOUS_CONNECT)
    await reader.read(1)
    writer.close()


async def _log_lines(process: Process) -> None:
    assert process.stderr is not None, "stderr is a pipe"
    while line := await process.stderr.readline():
        text = line.decode(errors="replace").strip()
        log.log(logging.WARNING if re.search(r"error|warning", text, re.IGNORECASE) else logging.DEBUG, "%s", text)


async def _stop(process: Process) -> None:
    """Ask, wait, insist."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
    except TimeoutError:
        with suppress(ProcessLookupError):  # it has ended in this very moment
            process.kill()
        await process.wait()
