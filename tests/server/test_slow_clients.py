"""Connections that ask for nothing do not keep out those that do."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing, suppress
from functools import partial

import httpx
import pytest

from server.config import load_config
from server.floor import router as floor
from server.slow_clients import PatientProtocol
from tests.support.patience import WAIT_S
from tests.support.serving import serving

SLOW = 200


@pytest.fixture
async def port(store):
    async with serving(load_config(store / "server.toml")) as (port, _):
        yield port


async def slow_client(stack: AsyncExitStack, port: int) -> asyncio.StreamReader:
    """One that has sent half a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.callback(writer.close)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    await writer.drain()
    return reader


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Wait for the end; true when nothing was said before it."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


async def test_two_hundred_slow_connections_hold_nobody_up(port, monkeypatch):
    monkeypatch.setattr(PatientProtocol, "head_within_s", 600.0)  # a busy machine must not count as slow clients
    async with AsyncExitStack() as stack:
        slow = [await slow_client(stack, port) for _ in range(SLOW)]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as client:
            for _ in range(20):
                assert (await client.get("/healthz")).status_code == 200
        for _ in range(20):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as newcomer:
                assert (await newcomer.get("/healthz")).status_code == 200
        assert not any(reader.at_eof() for reader in slow), "there was room for all of them"


async def test_whoever_waits_longest_is_given_up_for_somebody_new(port, monkeypatch):
    monkeypatch.setattr(PatientProtocol, "most_waiting", 10)
    monkeypatch.setattr(PatientProtocol, "head_within_s", 600.0)
    async with AsyncExitStack() as stack, asyncio.timeout(WAIT_S):
        slow = [await slow_client(stack, port) for _ in range(15)]
        for reader in slow[:5]:
            assert await is_closed(reader)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as client:
            assert (await client.get("/healthz")).status_code == 200
        assert not slow[-1].at_eof()


async def in_the_end(attempt: Callable[[], Awaitable[None]]) -> None:
    """Try again while the connection breaks: where the machine stands still, even a good client is too late once."""
    async with asyncio.timeout(WAIT_S):
        while True:
            with suppress(httpx.TransportError, EOFError, ConnectionError):
                return await attempt()


async def ask_thrice(port: int) -> None:
    """Three requests on one connection, which idles between them for longer than a request's head may take."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        for _ in range(3):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200")
            await reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))
            await asyncio.sleep(0.4)  # an idle connection is uvicorn's to end, later


async def test_a_request_that_does_not_come_is_given_up_and_one_that_does_is_not(port, monkeypatch):
    monkeypatch.setattr(PatientProtocol, "head_within_s", 0.3)
    async with AsyncExitStack() as stack, asyncio.timeout(WAIT_S):
        silent = await asyncio.open_connection("127.0.0.1", port)
        stack.callback(silent[1].close)
        for reader in (await slow_client(stack, port), silent[0]):
            assert await is_closed(reader)
    await in_the_end(partial(ask_thrice, port))


async def test_an_answer_may_take_longer_than_a_request(port, store, monkeypatch):
    monkeypatch.setattr(PatientProtocol, "head_within_s", 0.2)
    monkeypatch.setattr(floor, "HEARTBEAT_S", 0.1)
    headers = {"Authorization": f"Bearer {(store / 'server' / 'owner.token').read_text()}"}

    async def hear_twelve_lines() -> None:  # two each tenth of a second
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as client,
            client.stream("GET", "/api/happenings", headers=headers) as story,
        ):
            lines = story.aiter_lines()
            for _ in range(12):
                await anext(lines)

    await in_the_end(hear_twelve_lines)


async def test_a_head_beyond_any_need_is_refused(port):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as client:
        assert (await client.get("/healthz", headers={"X-Long": "x" * 8_000})).status_code == 200
        for address, headers in (("/healthz", {"X-Long": "x" * 20_000}), ("/healthz?" + "x" * 20_000, {})):
            assert (await client.get(address, headers=headers)).status_code == 431
        with suppress(httpx.TransportError):  # cut off before the answer could be read
            assert (await client.get("/healthz", headers={"X-Long": "x" * 400_000})).status_code == 400
        assert (await client.get("/healthz")).status_code == 200
