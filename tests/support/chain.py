"""The whole chain as real processes: broker, server, agent and a simulated store, in a folder of the test's own."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulators.children import Child, running
from simulators.demo import background
from simulators.demo_client import DemoClient
from simulators.demo_state import DemoState, write_configuration
from tests.support.recorder import Recorder, recording_proxy

Json = dict[str, Any]
WITHIN_S = 90.0


@dataclass(frozen=True, slots=True)
class Chain:
    """A running store, seen from outside."""

    state: DemoState
    client: DemoClient
    recorder: Recorder
    children: dict[str, Child]

    async def until(self, condition: Callable[[], Awaitable[object]], within_s: float = WITHIN_S) -> Any:
        """The condition's first true answer; fails with the last lines of every log when none comes in time.  No sleep decides
        a result: the condition does."""
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            if answer := await condition():
                return answer
            for child in self.children.values():
                child.check()
            await asyncio.sleep(0.05)
        said = "\n".join(f"{child.name}: {child.last_line}" for child in self.children.values())
        raise AssertionError(f"nothing within {within_s} s\n{said}\n{await self.client.summary()}")

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What the server's database holds."""
        with sqlite3.connect(f"file:{self.state.folder}/server/tacet.db?mode=ro", uri=True) as database:
            return database.execute(statement).fetchall()


@asynccontextmanager
async def running_chain(folder: Path, edit: Callable[[Path], None] = lambda _: None) -> AsyncIterator[Chain]:
    """Start everything but the screens, import the demo's members, approve every pairing.

    Args:
        edit: changes the demo's configuration in its folder before anything starts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = write_configuration(folder)
    edit(folder)
    children: dict[str, Child] = {}
    async with AsyncExitStack() as stack:
        recorder = await stack.enter_async_context(recording_proxy(state.broker_port))
        for name in ("edge.toml", "server.toml"):
            text = (folder / name).read_text(encoding="utf-8")
            (folder / name).write_text(
                text.replace(f"port = {state.broker_port}", f"port = {recorder.port}"), encoding="utf-8"
            )
        client = await stack.enter_async_context(DemoClient(state.server_url, folder / "server" / "owner.token"))
        chain = Chain(state, client, recorder, children)

        async def begin(name: str, *arguments: str) -> None:
            children[name] = await stack.enter_async_context(running(name, list(arguments), state.logs))

        await begin("broker", "broker", "--config", f"{folder}/broker.toml")
        await chain_answers(chain)
        await begin("server", "server", "--config", f"{folder}/server.toml")
        await chain.until(client.is_ready)
        await client.import_members((folder / "members.csv").read_bytes())
        await stack.enter_async_context(background(client.approve_pairings()))
        await begin(
            "store",
            "simulate",
            "store",
            f"{folder}/scene.toml",
            "--site",
            f"{folder}/site.toml",
            "--out",
            f"{folder}/sim",
        )
        await begin("agent", "edge", "--config", f"{folder}/edge.toml")
        yield chain


async def chain_answers(chain: Chain) -> None:
    """Wait until the broker listens."""

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", chain.state.broker_port)
        except ConnectionError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    deadline_s = time.monotonic() + WITHIN_S
    while not await listens():
        chain.children["broker"].check()
        assert time.monotonic() < deadline_s, "the broker does not listen"
        await asyncio.sleep(0.05)
