"""`tacet broker` as a program: ready, signals, exit codes, and the one line when something is wrong."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import psutil
import pytest
from typer.testing import CliRunner

from broker_config.cli import broker_app
from broker_config.config import Engine
from broker_config.errors import ConfigError
from broker_config.identity import load_credential
from tests.support.brokers import DEMO_SITE, ENGINES, TestBroker, free_port
from tests.support.patience import WAIT_S
from tests.support.programs import program

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]


def write_config(folder: Path, engine: str = "amqtt", port: int = 0, **more: str) -> Path:
    """A broker's file and its site file in `folder`."""
    if engine == "mosquitto":
        program("mosquitto")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(DEMO_SITE, folder / "site.toml")
    settings = {"engine": engine, "site": "site.toml", "identity": "identity", "data": "broker"} | more
    config = folder / "broker.toml"
    config.write_text(
        "".join(f'{key} = "{value}"\n' for key, value in settings.items()) + f"port = {port or free_port()}\n"
    )
    return config


async def tacet(*arguments: str | Path, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, ROOT / "tacet.py", *arguments, stdout=-1, stderr=-1, cwd=ROOT, env=os.environ | environment
    )


async def result(*arguments: str | Path, **environment: str) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of a command that ends by itself."""
    process = await tacet(*arguments, **environment)
    try:
        async with asyncio.timeout(WAIT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def running(config: Path, **environment: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The broker process and its ready line; killed at the end if it still runs."""
    process = await tacet("broker", "--config", config, **environment)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT_S):
            line = (await process.stdout.readline()).decode()
        yield process, line
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def reach(config: Path, port: int) -> TestBroker:
    return TestBroker("127.0.0.1", port, config.parent / "identity", config.parent / "site.toml", "")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_when_it_is_ready_and_ends_cleanly_when_asked(
    tmp_path: Path, engine: Engine, number: int
) -> None:
    config = write_config(tmp_path, engine, port := free_port())
    async with running(config) as (process, line):
        assert line.startswith(f"broker ready on 127.0.0.1:{port} ({engine} ")
        async with reach(config, port).client("agent-gw-1"):
            process.send_signal(number)
            async with asyncio.timeout(WAIT_S):
                out, err = await process.communicate()
        assert (process.returncode, out.decode(), err.decode()) == (0, "", "")


async def test_auto_takes_amqtt_where_mosquitto_is_missing(tmp_path: Path) -> None:
    hidden = "import broker_config.engine, sys, tacet; broker_config.engine.find_mosquitto = lambda: None; tacet.main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        hidden,
        "broker",
        "--config",
        write_config(tmp_path, "auto"),
        stdout=-1,
        stderr=-1,
        cwd=ROOT,
    )
    assert process.stdout is not None
    async with asyncio.timeout(WAIT_S):
        line = (await process.stdout.readline()).decode()
        process.terminate()
        await process.communicate()
    assert "(amqtt 0.12.1)" in line
    assert process.returncode == 0


async def test_a_missing_mosquitto_is_said_in_one_line(tmp_path: Path) -> None:
    config = write_config(tmp_path, "amqtt")
    config.write_text(config.read_text().replace("amqtt", "mosquitto"))
    hidden = "import broker_config.engine, sys, tacet; broker_config.engine.find_mosquitto = lambda: None; tacet.main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", hidden, "broker", "--config", config, stdout=-1, stderr=-1, cwd=ROOT
    )
    async with asyncio.timeout(WAIT_S):
        _, err = await process.communicate()
    assert process.returncode == 2
    assert err.decode().count("\n") == 1
    assert b"install it, or set engine" in err


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_port_in_use_ends_it_with_one_line(tmp_path: Path, engine: Engine) -> None:
    with_listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with with_listener:
        port = with_listener.sockets[0].getsockname()[1]
        code, out, err = await result("broker", "--config", write_config(tmp_path, engine, port))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"port {port} on 127.0.0.1 is in use" in err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"host": "0.0.0.0"}, "tacet broker init"),
        ({"site": "nowhere.toml"}, "nowhere.toml"),
        ({"engine": "nats"}, "engine"),
    ],
)
async def test_a_wrong_setting_ends_it_with_one_line(tmp_path: Path, change: dict[str, str], said: str) -> None:
    code, _, err = await result("broker", "--config", write_config(tmp_path, **change))
    assert (code, err.count("\n")) == (2, 1)
    assert said in err


async def test_mosquitto_dies_with_the_broker_process(tmp_path: Path) -> None:
    async with running(write_config(tmp_path, "mosquitto")) as (process, _):
        (child,) = psutil.Process(process.pid).children()
        assert "mosquitto" in child.name()
        process.kill()
        _, alive = await asyncio.to_thread(psutil.wait_procs, [child], WAIT_S)
        assert alive == []


async def test_the_broker_process_ends_when_mosquitto_does(tmp_path: Path) -> None:
    async with running(write_config(tmp_path, "mosquitto")) as (process, _):
        psutil.Process(process.pid).children()[0].kill()
        async with asyncio.timeout(WAIT_S):
            _, err = await process.communicate()
        assert process.returncode == 1
        assert b"mosquitto ended" in err


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_added_display_connects_without_a_restart(tmp_path: Path, engine: Engine) -> None:
    config = write_config(tmp_path, engine, port := free_port())
    async with running(config):
        code, out, err = await result("broker", "add", "display", "d-window", "--config", config)
        assert (code, err) == (0, "")
        assert str(tmp_path / "identity" / "display-d-window.toml") in out
        assert "tacet/1/demo/display/d-window/moment/set" in out
        assert "site.toml has no display 'd-window'" in out
        async with asyncio.timeout(WAIT_S):
            while not await connects(reach(config, port), "display-d-window"):
                await asyncio.sleep(0.05)


async def connects(broker: TestBroker, user: str) -> bool:
    try:
        async with broker.client(user):
            return True
    except aiomqtt.MqttError:
        return False


def call(*arguments: str | Path) -> str:
    """What a command prints, run in this process; what it refuses comes out as its exception."""
    answer = CliRunner().invoke(broker_app, [str(argument) for argument in arguments], standalone_mode=False)
    if answer.exception is not None:
        raise answer.exception
    return answer.stdout


def test_add_never_overwrites_unless_told(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    call("add", "client", "watch", "--config", config)
    path = tmp_path / "identity" / "client-watch.toml"
    first = load_credential(path)
    with pytest.raises(ConfigError, match="--force"):
        call("add", "client", "watch", "--config", config)
    assert load_credential(path) == first
    call("add", "client", "watch", "--config", config, "--force")
    assert load_credential(path).password != first.password


@pytest.mark.parametrize("name", ["D-Door", "../x", "+", "", "a b"])
def test_add_refuses_what_cannot_be_a_topic_level(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="lower-case letters"):
        call("add", "agent", name, "--config", write_config(tmp_path))
    assert not (tmp_path / "identity").exists()


@pytest.mark.parametrize("kind", ["server", "toaster"])
async def test_add_refuses_an_unknown_kind(tmp_path: Path, kind: str) -> None:
    code, out, err = await result("broker", "add", kind, "x", "--config", write_config(tmp_path))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "'display', 'agent', 'client'" in err


def test_add_says_what_to_do_next(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    assert "no zone of site.toml belongs to 'gw-9' yet" in call("add", "agent", "gw-9", "--config", config)
    assert "edge.toml; the server" in call("add", "agent", "gw-1", "--config", config)
    assert "docs/protocol.md" in call("add", "display", "d-door", "--config", config)


def test_the_config_named_before_the_subcommand_counts_too(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    call("--config", config, "add", "client", "watch")
    assert (tmp_path / "identity" / "client-watch.toml").exists()
    assert "user client-watch" in call("--config", config, "acl")


def test_acl_prints_what_mosquitto_reads(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with pytest.raises(ConfigError, match="no credentials yet"):
        call("acl", "--config", config)
    call("add", "client", "watch", "--config", config)
    read = ("zone/+/coverage", "zone/+/count", "server/$state", "decision/made", "bad/+")
    expected = "user client-watch\n" + "".join(f"topic read tacet/1/demo/{each}\n" for each in read)
    assert call("acl", "--config", config).endswith(expected)


async def test_help_shows_examples() -> None:
    for words in (["broker"], ["broker", "add"]):
        code, out, _ = await result(*words, "--help", TERM="dumb")
        assert code == 0
        assert "Examples" in out
