"""`tacet demo` as a stranger would run it."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.patience import WAIT_S

STOPS_WITHIN_S = 90.0  # each of its processes may be waited for, one after the other
pytestmark = [pytest.mark.system, pytest.mark.timeout(400), pytest.mark.xdist_group("system")]


async def start_demo(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tacet", "demo", "--state", str(folder), *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process that was started with something in the folder; zombies are gone already."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(
            str(folder) in word for word in process.info["cmdline"] or []
        ):
            found.append(process)
    return found


def ports_of(folder: Path) -> list[int]:
    """The ports that the demo's configuration names."""
    return [int(line.split("=")[1]) for name in ("broker.toml", "server.toml") for line in (folder / name).read_text().splitlines()
            if line.startswith("port")]  # fmt: skip


def listening() -> set[int]:
    return {
        connection.laddr.port for connection in psutil.net_connections("tcp") if connection.status == psutil.CONN_LISTEN
    }


async def wait_for_line(process: asyncio.subprocess.Process, word: bytes) -> bytes:
    """The first line of the demo's output that holds the word."""
    assert process.stdout
    while line := await asyncio.wait_for(process.stdout.readline(), 240):
        if word in line:
            return line
    raise AssertionError(f"the demo ended without {word!r}: {await process.stderr.read()!r}" if process.stderr else "")


def assert_nothing_left(folder: Path) -> None:
    assert processes_of(folder) == []
    assert listening().isdisjoint(ports_of(folder))
    assert not [path for path in (folder / "sim").iterdir() if path.is_symlink()], "a simulated port is left"


async def test_a_minute_of_demo_ends_by_itself_with_moments_shown_and_nothing_lost(warm_folder) -> None:
    folder = warm_folder("timed")
    demo = await start_demo(folder, "--minutes", "1", "--json")
    output, errors = await asyncio.wait_for(demo.communicate(), 360)
    assert demo.returncode == 0, errors.decode()
    summary = json.loads(output)
    assert summary["events_lost"] == 0
    assert summary["outbox"] == 0
    assert summary["moments_shown"] >= 10
    assert summary["stayed_silent"] >= 1
    assert summary["actuations"] >= 1
    assert summary["latency_ms"]["n"] >= 10
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p99"]
    assert_nothing_left(folder)


async def test_two_demos_run_side_by_side_and_ctrl_c_leaves_nothing(warm_folder) -> None:
    folders = [warm_folder("one"), warm_folder("two")]
    demos = [await start_demo(folder) for folder in folders]
    try:
        for demo in demos:
            await wait_for_line(demo, b"reads/s")
        assert set(ports_of(folders[0])).isdisjoint(ports_of(folders[1]))
        demos[0].send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(demos[0].communicate(), STOPS_WITHIN_S)
        assert demos[0].returncode == 0, errors.decode()
        assert_nothing_left(folders[0])
        assert demos[1].returncode is None, "stopping one demo stopped the other"
    finally:
        for demo in demos:
            if demo.returncode is None:
                demo.send_signal(signal.SIGINT)
                await asyncio.wait_for(demo.communicate(), STOPS_WITHIN_S)
    assert_nothing_left(folders[1])


async def test_a_demo_killed_outright_takes_its_children_with_it(warm_folder) -> None:
    folder = warm_folder("killed")
    demo = await start_demo(folder)
    await wait_for_line(demo, b"reads/s")
    family = [process for process in processes_of(folder) if process.pid != demo.pid]
    assert len(family) >= 5
    os.kill(demo.pid, signal.SIGKILL)
    await demo.wait()
    _, alive = psutil.wait_procs(family, timeout=WAIT_S)
    assert alive == []


async def test_a_folder_in_use_is_refused_in_one_line(warm_folder) -> None:
    folder = warm_folder("busy")
    first = await start_demo(folder)
    try:
        await wait_for_line(first, b"broker")
        second = await start_demo(folder, "--json")
        output, errors = await asyncio.wait_for(second.communicate(), WAIT_S)
        assert second.returncode == 2
        assert output == b""
        assert errors.count(b"\n") == 1
        assert b"--state" in errors
    finally:
        first.send_signal(signal.SIGINT)
        await asyncio.wait_for(first.communicate(), STOPS_WITHIN_S)
