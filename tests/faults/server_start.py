"""The server's start on a disk that somebody else has filled: what it can answer, and that it goes on by itself."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec

from broker_config.service_notify import ServiceNotifier
from broker_config.site import load_site
from server.config import ServerConfig, load_config
from server.room import RESERVE
from server.runtime import opened
from server.serving import serve
from tests.faults.full_disk import fill
from tests.faults.report import Outcome
from tests.faults.server_disk import BATCH, _acked, _arrived, _stored
from tests.server.harness import Clock, Edge, write_store
from tests.support.brokers import free_port

START_S = 60.0


async def start_on_full_disk(folder: Path, seed: int) -> Outcome:
    """One start that lives on the reserve, and one that has to wait for room."""
    outcome, clock = Outcome(seed, injected=2), Clock()
    with tempfile.TemporaryDirectory() as elsewhere:
        config = load_config(write_store(Path(elsewhere), server_port=free_port()))
        config = msgspec.structs.replace(config, data=str(folder / "server"))
        site = load_site(Path(config.site))
        async with opened(config, site, clock) as state:
            edge = Edge(state, clock)
            await edge.deliver(*(_arrived(edge, n) for n in range(BATCH)))
            outcome.generated = await _acked(edge)
        filler = fill(folder)
        async with _serving(config) as http:
            await _until(http, "/healthz", 200, "ok")
            page = await http.get("/display/d-door")
            outcome.expect(page.status_code == 200, "no screen is served from the reserve")
        outcome.expect(not (Path(config.data) / RESERVE).exists(), "it started without its reserve: is the disk full?")
        fill(folder)
        await _wait_for_room(config, filler, outcome)
        async with opened(config, site, clock) as state:
            outcome.stored_once = await _stored(state)
    return outcome


async def _wait_for_room(config: ServerConfig, filler: Path, outcome: Outcome) -> None:
    async with _serving(config) as http:
        await _until(http, "/healthz", 200, "is full")
        outcome.expect((await http.get("/readyz")).status_code == 503, "ready, though it cannot start")
        outcome.expect((await http.get("/api/status")).status_code == 503, "an answer without a database")
        page = await http.get("/display/d-door", headers={"Accept": "text/html"})
        outcome.expect("http-equiv" in page.text and "full" not in page.text, "a shopper is told of the disk")
        page = await http.get("/", headers={"Accept": "text/html", "Accept-Language": "zh-TW"})
        outcome.expect("磁碟" in page.text and page.status_code == 503, "the staff is not told of the disk")
        filler.unlink()
        began = time.perf_counter()
        await _until(http, "/healthz", 200, "ok")
        outcome.recovery_s = time.perf_counter() - began
        await _until_there(Path(config.data) / RESERVE)


@asynccontextmanager
async def _serving(config: ServerConfig) -> AsyncIterator[httpx.AsyncClient]:
    """The server, from its start to a signal."""
    running = asyncio.create_task(serve(config, lambda _: None, ServiceNotifier()))
    try:
        async with httpx.AsyncClient(base_url=config.origin, timeout=START_S) as http:
            yield http
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, START_S)


async def _until(http: httpx.AsyncClient, path: str, status: int, words: str) -> None:
    async with asyncio.timeout(START_S):
        while True:
            try:
                answer = await http.get(path)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == status and words in answer.text:
                return
            await asyncio.sleep(0.05)


async def _until_there(path: Path) -> None:
    async with asyncio.timeout(START_S):
        while not path.exists():
            await asyncio.sleep(0.05)
