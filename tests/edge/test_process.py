"""The agent as a process: it starts without its devices, says so, and stops cleanly when told."""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker_config.messages import EdgeState, Envelope, decode
from broker_config.topics import topic_for
from edge.kernels import cache_folder
from edge.outbox_store import OutboxStore
from tests.support.brokers import TestBroker, running_broker
from tests.support.patience import STOP_S, WAIT_S

pytestmark = pytest.mark.system
READY_WITHIN_S = 110.0  # a cold compile on a busy machine
COMMAND = [sys.executable, "-m", "tacet"]


def share_kernels(folder: Path) -> None:
    """Compiled kernels are the same for every test; only the first start of the machine compiles them."""
    cache_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "edge").mkdir(mode=0o700, exist_ok=True)
    (folder / "edge" / "kernels").symlink_to(cache_folder())


@asynccontextmanager
async def agent_process(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    share_kernels(folder)
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "edge", "--config", str(folder / "edge.toml"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_ready(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(READY_WITHIN_S):
        while line := await process.stdout.readline():
            if re.search(rb"agent gw-1: ready in \d+\.\d s", line):
                return
    raise AssertionError("the agent ended before it was ready")


def point_at(folder: Path, broker: TestBroker) -> None:
    text = (folder / "edge.toml").read_text()
    (folder / "edge.toml").write_text(text.replace("port = 1\n", f"port = {broker.port}\n", 1))
    (folder / "identity" / "agent-gw-1.toml").write_bytes((broker.identity / "agent-gw-1.toml").read_bytes())


async def next_state(broker: TestBroker, wanted: str) -> Envelope[EdgeState]:
    async with asyncio.timeout(WAIT_S), broker.client("server") as client:
        await client.subscribe(topic_for("edge_state", "demo", agent="gw-1"), qos=1)
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            envelope = decode(message.payload)
            if isinstance(envelope.data, EdgeState) and envelope.data.state == wanted:
                return envelope  # type: ignore[return-value]
    raise AssertionError


async def test_it_starts_without_devices_or_server_tells_so_and_stops_cleanly(edge_folder: Path) -> None:
    async with running_broker(edge_folder / "broker") as broker:
        point_at(edge_folder, broker)
        async with agent_process(edge_folder) as process:
            await until_ready(process)
            state = (await next_state(broker, "alert")).data
            parts = [device.id for device in state.devices if device.state == "ready"]
            assert parts == ["server.clock"], "the agent's own part, which says what it lacks"
            reasons = [device.reason for device in state.devices if device.reason]
            assert reasons
            assert all("no such device; check the cable" in reason for reason in reasons)
            began_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            out, errors = await process.communicate()
            assert time.monotonic() - began_s < STOP_S
            assert (process.returncode, b"stopped" in out, b"Traceback" in errors) == (0, True, False), errors
        assert (await next_state(broker, "disconnected")).data.state == "disconnected"
    OutboxStore(edge_folder / "edge" / "outbox.sqlite", 1 << 20).close()


async def test_ctrl_c_without_a_broker_stops_it_cleanly(edge_folder: Path) -> None:
    async with agent_process(edge_folder) as process:
        await until_ready(process)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(STOP_S):
            _, errors = await process.communicate()
        assert (process.returncode, b"Traceback" in errors) == (0, False), errors


async def test_a_second_agent_on_the_same_data_is_one_line_and_exit_2(edge_folder: Path) -> None:
    share_kernels(edge_folder)
    store = OutboxStore(edge_folder / "edge" / "outbox.sqlite", 1 << 20)
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "edge", "--config", str(edge_folder / "edge.toml"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _, errors = await process.communicate()
    store.close()
    assert process.returncode == 2
    assert errors.decode().splitlines()[-1].startswith("tacet: ")
    assert b"is another agent running" in errors
    assert b"Traceback" not in errors


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [("[broker]", "[broker", "edge.toml"), ('type = "magicrf-m100"', 'type = "magic"', "unknown reader type 'magic'")],
)
async def test_a_wrong_file_is_one_line_and_exit_2(edge_folder: Path, old: str, new: str, words: str) -> None:
    path = edge_folder / "edge.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "edge", "--config", str(path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert len(errors.decode().splitlines()) == 1
    assert words in errors.decode()
