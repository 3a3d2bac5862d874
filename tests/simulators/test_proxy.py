"""The proxy does to a connection what its toxics say, and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from simulators.faults import FaultyProxy, Toxics
from tests.support.patience import WAIT_S, eventually

BLOCK = bytes(range(256)) * 400


@dataclass
class Echo:
    """A server that keeps what comes and sends it back; `ends` tells how each connection ended."""

    port: int = 0
    came: bytearray = field(default_factory=bytearray)
    ends: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(4096):
                self.came += data
                writer.write(data)
                await writer.drain()
            self.ends.append("end")
        except ConnectionError:
            self.ends.append("reset")
        finally:
            writer.close()


@asynccontextmanager
async def proxied(seed: int = 0) -> AsyncIterator[tuple[Echo, FaultyProxy]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    async with server, FaultyProxy(echo.port, seed=seed) as proxy:
        yield echo, proxy


@asynccontextmanager
async def connected(proxy: FaultyProxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def there_and_back(proxy: FaultyProxy, data: bytes) -> bytes:
    async with asyncio.timeout(WAIT_S), connected(proxy) as (reader, writer):
        writer.write(data)
        writer.write_eof()
        return await reader.read(-1)


@pytest.mark.parametrize(
    "toxics", [Toxics(), Toxics(slice_bytes=700), Toxics(latency_s=0.01, jitter_s=0.02), Toxics(bytes_per_s=2e6)]
)
async def test_what_passes_is_whole_and_in_order_both_ways_to_its_end(toxics: Toxics) -> None:
    async with proxied(seed=3) as (echo, proxy):
        proxy.trouble(up=toxics, down=toxics)
        assert await there_and_back(proxy, BLOCK) == BLOCK
        assert bytes(echo.came) == BLOCK
        assert proxy.passed_bytes == (len(BLOCK), len(BLOCK))
        await eventually(lambda: not proxy.connections)
        assert (echo.ends, len(proxy.accepted_s)) == (["end"], 1)


@pytest.mark.parametrize(
    ("toxics", "least_s"), [(Toxics(latency_s=0.3), 0.3), (Toxics(bytes_per_s=len(BLOCK) * 2), 0.5)]
)
async def test_a_slow_link_takes_its_time(toxics: Toxics, least_s: float) -> None:
    async with proxied() as (_, proxy):
        proxy.trouble(down=toxics)
        began_s = time.monotonic()
        assert await there_and_back(proxy, BLOCK) == BLOCK
        assert time.monotonic() - began_s >= least_s


async def test_a_hole_swallows_without_a_word_and_hands_on_what_waits_when_it_is_mended() -> None:
    async with proxied() as (echo, proxy), connected(proxy) as (reader, writer):
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        proxy.hole()
        writer.write(b"within")
        answer = asyncio.create_task(reader.readexactly(6))
        done, _ = await asyncio.wait([answer], timeout=0.2)
        assert not done
        assert bytes(echo.came) == b"before"
        proxy.clear()
        assert await asyncio.wait_for(answer, WAIT_S) == b"within"


async def test_a_reset_reaches_both_ends_and_the_next_connection_passes() -> None:
    async with proxied() as (echo, proxy), connected(proxy) as (reader, writer):
        writer.write(b"1")
        await reader.readexactly(1)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), WAIT_S)
        await eventually(lambda: echo.ends == ["reset"])
        assert await there_and_back(proxy, b"again") == b"again"


async def test_a_connection_is_reset_after_exactly_so_many_bytes() -> None:
    async with proxied() as (echo, proxy), connected(proxy) as (reader, writer):
        proxy.trouble(up=Toxics(reset_after=1000, slice_bytes=300))
        writer.write(BLOCK)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(-1), WAIT_S)
        await eventually(lambda: echo.ends == ["reset"])
        assert bytes(echo.came) == BLOCK[:1000]


async def test_one_direction_ends_and_the_other_goes_on() -> None:
    async with proxied() as (_, proxy), connected(proxy) as (reader, writer):
        proxy.trouble(up=Toxics(close_after=500))
        writer.write(BLOCK)
        assert await asyncio.wait_for(reader.read(-1), WAIT_S) == BLOCK[:500]
        assert proxy.passed_bytes == (500, 500)


async def test_a_port_that_refuses_is_the_same_when_it_listens_again() -> None:
    async with proxied() as (_, proxy):
        port = proxy.port
        await proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await there_and_back(proxy, b"x")
        await proxy.listen()
        assert (proxy.port, await there_and_back(proxy, b"x")) == (port, b"x")


async def test_who_cannot_be_reached_behind_it_is_a_reset() -> None:
    async with proxied() as (echo, proxy):
        gone = FaultyProxy(echo.port)
        await gone.listen()
        closed = gone.port
        await gone.refuse()
        async with FaultyProxy(closed) as before:
            with pytest.raises(ConnectionResetError):
                await there_and_back(before, b"")
        assert proxy.connections == 0
