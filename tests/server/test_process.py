"""The server as a process: how it starts, refuses, and ends."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.server.harness import write_store
from tests.support.brokers import free_port
from tests.support.patience import WAIT_S

pytestmark = pytest.mark.system
TACET = Path(sys.executable).with_name("tacet")


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`tacet …`, killed at the end if it still runs."""
    child = await asyncio.create_subprocess_exec(
        str(TACET), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()


async def run(*arguments: str) -> tuple[int, str, str]:
    async with process(*arguments) as child, asyncio.timeout(WAIT_S):
        out, err = await child.communicate()
        return child.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str, str]]:
    """A running server without a broker: process, address, configuration."""
    port = free_port()
    config = str(write_store(folder, server_port=port))
    async with process("server", "--config", config) as child:
        async with httpx.AsyncClient(timeout=WAIT_S) as client, asyncio.timeout(WAIT_S):
            while True:
                try:
                    await client.get(f"http://127.0.0.1:{port}/healthz")
                    break
                except httpx.TransportError:
                    assert child.returncode is None, (await child.communicate())[1].decode()
                    await asyncio.sleep(0.05)
        yield child, f"http://127.0.0.1:{port}", config


def owner_of(folder: Path) -> dict[str, str]:
    return {"Authorization": f"Bearer {(folder / 'server' / 'owner.token').read_text()}"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly_even_with_a_page_open(tmp_path, number):
    async with (
        served(tmp_path) as (child, url, _),
        httpx.AsyncClient(headers=owner_of(tmp_path), timeout=WAIT_S) as client,
        client.stream("GET", f"{url}/api/happenings") as page,
    ):
        assert page.status_code == 200
        os.kill(child.pid, number)
        async with asyncio.timeout(WAIT_S):
            out, err = await child.communicate()
    first, second = out.decode().splitlines()
    assert first == f"Tacet serves {url}/ (Ctrl-C ends it)"
    assert re.fullmatch(rf"To sign in, .*: {url}/enter/[\w-]{{22}}", second)
    assert child.returncode == 0
    assert "Traceback" not in err.decode()


async def test_a_port_in_use_is_one_line_and_exit_code_2(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        config = write_store(tmp_path, server_port=other.getsockname()[1])
        code, _, err = await run("server", "--config", str(config))
    assert (code, err.count("\n")) == (2, 1)
    assert "in use" in err


def put_a_file_in_the_way(folder: Path) -> None:
    (folder / "server").touch()


def name_an_impossible_port(folder: Path) -> None:
    path = folder / "server.toml"
    path.write_text(path.read_text().replace("port = 18080", "port = 99999"))


@pytest.mark.parametrize(
    ("spoil", "word"),
    [(put_a_file_in_the_way, "data folder"), (name_an_impossible_port, "65535")],
)
async def test_what_it_cannot_start_with_is_one_line_and_exit_code_2(tmp_path, spoil, word):
    config = write_store(tmp_path)
    spoil(tmp_path)
    code, _, err = await run("server", "--config", str(config))
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert word in err


async def test_a_missing_broker_credential_says_what_to_start(tmp_path):
    config = write_store(tmp_path, server_port=free_port())
    (tmp_path / "identity" / "server.toml").unlink()
    code, _, err = await run("server", "--config", str(config))
    assert (code, err.count("\n")) == (2, 1)
    assert "tacet broker" in err


async def test_the_owners_commands_reach_the_running_server(tmp_path):
    async with served(tmp_path) as (_, _, config):
        (tmp_path / "more.csv").write_text((tmp_path / "members.csv").read_text() + "zz,Bad,en,,,,,\n")
        code, out, err = await run("members", "import", str(tmp_path / "more.csv"), "--config", config)
        assert (code, "7 imported" in out, "line 9: card is not hex" in err) == (1, True, True)
        code, out, _ = await run("members", "list", "--json", "--config", config)
        river = next(member for member in json.loads(out) if member["alias"] == "River")
        code, out, _ = await run("members", "consent", river["member"], "withdraw", "recognise", "--config", config)
        assert (code, "withdrawn" in out) == (0, True)
        code, out, _ = await run("members", "list", "--config", config)
        lines = [" ".join(line.split()) for line in out.splitlines() if river["member"] in line]
        assert (code, lines) == (0, [f"{river['member']} River en recommend hiking, running golf - 3"]), (
            "not cut or wrapped"
        )
        code, out, _ = await run("server", "reload", "--config", config)
        assert (code, "7 rules" in out) == (0, True)
        code, _, err = await run("server", "pair", "NOSUCH", "--config", config)
        assert (code, err.count("\n")) == (2, 1)


async def test_a_server_that_does_not_run_is_said_in_one_line(tmp_path):
    config = write_store(tmp_path, server_port=free_port())
    code, _, err = await run("members", "list", "--config", str(config))
    assert (code, "start the server" in err) == (2, True)
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "owner.token").write_text("x")
    (tmp_path / "server" / "owner.token").chmod(0o600)
    code, _, err = await run("members", "list", "--config", str(config))
    assert (code, "no server answers" in err, err.count("\n")) == (2, True, 1)


async def test_a_store_gets_its_owner_and_its_staff_by_links_that_work_once(tmp_path):
    async with (
        served(tmp_path) as (_, url, config),
        httpx.AsyncClient(base_url=url, headers={"Origin": url}, timeout=WAIT_S) as browser,
    ):
        code, out, _ = await run("server", "setup-link", "--config", config)
        assert (code, "owner (owner) sets a password here, once, until" in out) == (0, True)
        link = out.split()[-1].removeprefix(url)
        form = {"password": "seven quiet otters hum"}
        assert (await browser.post(link, data=form)).headers["location"] == "/"
        assert (await browser.post(link, data=form)).status_code == 404
        assert (await browser.get("/")).status_code == 200
        code, out, _ = await run("server", "staff", "add", "ming", "--role", "staff", "--config", config, "--json")
        assert (code, json.loads(out)["link"].startswith(f"{url}/enter/")) == (0, True)
        code, out, _ = await run("server", "staff", "list", "--config", config)
        assert [line.split() for line in out.splitlines()[1:]] == [
            ["ming", "staff", "not", "yet", "0"],
            ["owner", "owner", "set", "1"],
        ]
        for arguments, words in (
            (("add", "Ming Li", "--role", "staff"), "name"),
            (("remove", "owner"), "only owner"),
        ):
            code, _, err = await run("server", "staff", *arguments, "--config", config)
            assert (code, err.count("\n"), words in err) == (2, 1, True), err
        code, out, _ = await run("server", "staff", "remove", "ming", "--config", config)
        assert (code, out) == (0, "removed: ming\n")


async def test_a_second_start_tells_no_second_link_and_says_how_to_get_one(tmp_path):
    for expected in ("To sign in", "Nobody can sign in yet; for a link"):
        async with served(tmp_path) as (child, _, _):
            child.terminate()
            async with asyncio.timeout(WAIT_S):
                out, err = await child.communicate()
        assert out.decode().splitlines()[1].startswith(expected)
        assert "/enter/" not in err.decode(), "a link is no line for a log"
