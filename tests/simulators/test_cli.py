"""`tacet simulate` as a process: says its ports, ends cleanly, and names mistakes in one line."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial

from tests.simulators.kiosk_server import KioskServer, serving
from tests.support.patience import WAIT_S

SCENE = "simulators/demo_store/scene.toml"
pytestmark = pytest.mark.system


def command(*arguments: str) -> list[str]:
    return [sys.executable, "tacet.py", "simulate", *arguments]


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_store_says_its_ports_answers_there_and_leaves_none_behind(tmp_path, number):
    with started("store", SCENE, "--out", str(tmp_path), "--json") as process:
        ports = json.loads(process.stdout.readline())["ports"]
        assert len(ports) == 8
        with serial.Serial(ports["r-door"], 115_200, timeout=10) as port:
            port.write(bytes.fromhex("bb0003000100047e"))
            assert port.read(5) == bytes.fromhex("bb01030010")
        process.send_signal(number)
        out, err = process.communicate(timeout=WAIT_S)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["kind"] == "summary"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "truth.jsonl"]


def test_a_store_ends_by_itself_with_words_for_people(tmp_path):
    done = subprocess.run(
        command("store", SCENE, "--out", str(tmp_path), "--seconds", "0.3", "--seed", "7"),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.returncode == 0
    assert str(tmp_path / "w-s1") in done.stdout
    assert "seed 7: 1 shoppers" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("store", "none.toml", "--out", "{out}"), "none.toml: no such file"),
        (("store", SCENE, "--out", "{out}", "--site", "none.toml"), "none.toml: no such file"),
        (("store", SCENE, "--out", "{out}/file"), "cannot be used as a folder"),
        (("display", "--server", "ftp://x", "--display", "d-door"), "not an address"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, arguments, says):
    (tmp_path / "file").write_text("")
    words = [word.format(out=tmp_path) for word in arguments]
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


async def test_displays_pair_show_and_end_with_good_bye(tmp_path):
    async with serving(KioskServer()) as server:
        with started(
            "display", "--server", server.url, "--display", "d-door", "--state", str(tmp_path / "c.json"), "--json"
        ) as process:
            await server.until(lambda: server.codes_given == 1)
            server.paired = True
            await server.until(lambda: "ready" in server.states())
            process.send_signal(signal.SIGTERM)
            await server.until(lambda: server.states()[-1] == "disconnected")
            out, err = await asyncio.to_thread(process.communicate, timeout=WAIT_S)
    assert (process.returncode, err) == (0, "")
    assert [json.loads(line)["what"] for line in out.splitlines()][:1] == ["code"]
    assert Path(tmp_path / "c.json").stat().st_mode & 0o777 == 0o600
