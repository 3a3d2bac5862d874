"""A whole server on a free port of this process, with a real broker; small fakes where a test needs neither."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import uvicorn

from broker_config.site import DisplayId
from server.app import create_app
from server.config import load_config
from server.state import ServerState
from tests.support.brokers import TestBroker, running_broker
from tests.support.chromium import Browser
from tests.support.patience import WAIT_S, eventually

DEMO = Path(__file__).parents[3] / "simulators" / "demo_store"


@dataclass
class SteppedClock:
    """A clock that a test moves by hand."""

    now_ns: int = 1_700_000_000 * 10**9

    def __call__(self) -> int:
        return self.now_ns

    def pass_s(self, seconds: float) -> None:
        self.now_ns += int(seconds * 10**9)


@dataclass
class MemoryPairs:
    """`PairedStore` in memory."""

    pairs: set[tuple[str, bytes]] = field(default_factory=set)

    async def add(self, display: DisplayId, secret_hash: bytes, at_ns: int) -> None:
        self.pairs.add((display, secret_hash))

    async def holds(self, display: DisplayId, secret_hash: bytes) -> bool:
        return (display, secret_hash) in self.pairs


@dataclass(frozen=True)
class Store:
    """A running server and its broker."""

    url: str
    state: ServerState
    broker: TestBroker

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def client(self, **options: object) -> httpx.AsyncClient:
        return httpx.AsyncClient(**({"base_url": self.url, "timeout": WAIT_S} | options))  # type: ignore[arg-type]

    def owner_client(self) -> httpx.AsyncClient:
        return self.client(headers=self.owner())

    async def sign_in(self, browser: Browser) -> None:
        """Make a browser the owner's, by a link as the demo prints it."""
        async with self.owner_client() as owner:
            link = (await owner.post("/api/staff/owner/link", json={"purpose": "sign-in"})).json()["link"]
        page = await browser.open(self.url + httpx.URL(link).path)
        await page.wait_for("document.querySelector('.story')")
        await page.close()

    def owner(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.state.secrets.owner_token}"}

    async def pair(self, display: str) -> str:
        """A paired browser's Cookie header."""
        async with self.client() as browser:
            code = (await browser.post(f"/api/displays/{display}/pairing")).json()["code"]
            assert (await browser.post(f"/api/pairings/{code}/approve", headers=self.owner())).status_code == 204
            return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


@asynccontextmanager
async def running_store(folder: Path) -> AsyncIterator[Store]:
    """The demo store's server and broker."""
    async with running_broker(folder) as broker:
        for name in ("rules.yaml", "catalog.toml"):
            shutil.copy(DEMO / name, folder / name)
        text = (DEMO / "server.toml").read_text().replace("$server_port", "1").replace("$broker_port", str(broker.port))
        (folder / "server.toml").write_text(text)
        app = create_app(load_config(folder / "server.toml"))
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                "127.0.0.1",
                0,
                log_level="error",
                lifespan="on",
                timeout_graceful_shutdown=1,
                ws="websockets-sansio",
            )
        )
        serving = asyncio.create_task(server.serve())
        try:
            await eventually(lambda: server.started or serving.done())
            assert server.started, serving.result()
            port = server.servers[0].sockets[0].getsockname()[1]
            state: ServerState = app.state.tacet
            await eventually(lambda: state.link.connected)
            yield Store(f"http://127.0.0.1:{port}", state, broker)
        finally:
            server.should_exit = True
            await serving


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with running_store(tmp_path / "store") as running:
        yield running


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()
