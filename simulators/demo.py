"""`tacet demo`: broker, server, one agent and a simulated store as real child processes, watched until Ctrl-C."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import typer

from simulators.children import Child, ChildDied, running
from simulators.demo_client import DemoClient
from simulators.demo_screen import Picture, Screen
from simulators.demo_state import DemoState, StateInUse, claimed_state

Json = dict[str, Any]
DISPLAYS = ("d-door", "d-shoes", "d-fitting", "d-till")
READY_WITHIN_S = 240.0  # a cold machine compiles the kernels first
SETTLED_WITHIN_S = 10.0
POLL_S = 0.1
REFRESH_S = 0.5
COUNTED = (
    "reads",
    "events",
    "decisions",
    "stayed_silent",
    "moments_shown",
    "actuations",
    "events_lost",
    "duplicates",
    "bad",
)

demo_app = typer.Typer()


@demo_app.callback(invoke_without_command=True)
def demo(
    state: Annotated[
        Path | None, typer.Option(help="The demo's folder; by default one under your state directory.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="End by itself after this long; else at Ctrl-C.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON summary at the end, and nothing before.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another seed, another day in the store.")] = 1,
) -> None:
    """A simulated store, live: from serial bytes to screens.

    Starts a broker, the server, one agent and simulated readers, scale, relay and screens on this machine, and stops them all
    at the end.  Needs no root and no network.

    Examples:

      tacet demo

      tacet demo --minutes 1 --json
    """
    try:
        with claimed_state(state) as claimed:
            summary = asyncio.run(Demo(claimed, seed, quiet=as_json).run(minutes))
    except (StateInUse, ChildDied) as error:
        raise typer.BadParameter(str(error)) from error
    except httpx.HTTPError as error:
        raise typer.BadParameter(f"the demo's server does not answer as it should: {error}") from error
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(summary)).decode())


class Demo:
    """One run: start, watch, settle, stop."""

    def __init__(self, state: DemoState, seed: int, *, quiet: bool) -> None:
        self._state, self._seed = state, seed
        self._stop = asyncio.Event()
        self._children: list[Child] = []
        self._picture = Picture(self._addresses())
        self._screen = Screen(self._picture, quiet=quiet)

    async def run(self, minutes: float | None) -> Json:
        """Run until the time is over or a signal comes.

        Raises:
            ChildDied: a process of the chain ended by itself; says which and why.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        started_at_s = time.monotonic()
        with self._screen:
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(self._client())
                await self._start(stack, client)
                first = {} if self._stop.is_set() else await client.summary()
                ready_after_s = time.monotonic() - started_at_s
                await self._watch(client, minutes)
                last = await self._settle(client) if first else {}
        return {"ready_after_s": round(ready_after_s, 1), **difference(first, last)}

    async def _start(self, stack: AsyncExitStack, client: DemoClient) -> None:
        folder, url = self._state.folder, self._state.server_url
        await self._begin(stack, "broker", "broker", "--config", f"{folder}/broker.toml")
        await self._until("broker", self._broker_answers)
        store = ("simulate", "store", f"{folder}/scene.toml", "--site", f"{folder}/site.toml")
        await self._begin(stack, "store", *store, "--out", f"{folder}/sim", "--seed", str(self._seed))
        await self._begin(stack, "server", "server", "--config", f"{folder}/server.toml")
        await self._begin(stack, "agent", "edge", "--config", f"{folder}/edge.toml")
        if not await self._until("server", client.is_ready):
            return
        self._picture.addresses["floor"] = await client.sign_in_link("")
        await client.import_members((folder / "members.csv").read_bytes())
        await stack.enter_async_context(background(client.approve_pairings()))
        displays = [word for display in DISPLAYS for word in ("--display", display)]
        await self._begin(
            stack, "screens", "simulate", "display", "--server", url, "--state", f"{folder}/screens.json", *displays
        )
        if await self._until("agent", lambda: agent_is_ready(client)):
            self._picture.steps.update(dict.fromkeys(("store", "screens"), "ready"))

    async def _begin(self, stack: AsyncExitStack, name: str, *arguments: str) -> None:
        if not self._stop.is_set():
            self._children.append(await stack.enter_async_context(running(name, list(arguments), self._state.logs)))

    async def _until(self, name: str, is_ready: Callable[[], Awaitable[bool]]) -> bool:
        """Wait for one part of the chain, showing what each says meanwhile; false where the demo was told to end first."""
        deadline_s = time.monotonic() + READY_WITHIN_S
        while not self._stop.is_set() and not await is_ready():
            self._check()
            for child in self._children:
                if self._picture.steps.get(child.name) != "ready":
                    self._picture.steps[child.name] = child.last_line or "starting"
            if time.monotonic() > deadline_s:
                raise ChildDied(f"{name}: not ready within {READY_WITHIN_S:.0f} s; see {self._state.logs / name}.log")
            self._screen.refresh()
            await asyncio.sleep(POLL_S)
        if self._stop.is_set():
            return False
        self._picture.steps[name] = "ready"
        self._screen.refresh()
        return True

    async def _watch(self, client: DemoClient, minutes: float | None) -> None:
        end_s = float("inf") if minutes is None else time.monotonic() + 60 * minutes
        while not self._stop.is_set() and time.monotonic() < end_s:
            self._check()
            self._picture.summary = await client.summary()
            self._picture.status = await client.status()
            self._picture.decisions = await client.decisions(5)
            self._picture.addresses["floor"] = await client.sign_in_link(self._picture.addresses["floor"])
            self._screen.refresh()
            try:
                await asyncio.wait_for(self._stop.wait(), min(REFRESH_S, max(0.0, end_s - time.monotonic())))
            except TimeoutError:
                continue

    async def _settle(self, client: DemoClient) -> Json:
        """Close the shop, let the last events arrive, and take the figures."""
        await next(child for child in self._children if child.name == "store").stop()
        deadline_s = time.monotonic() + SETTLED_WITHIN_S
        summary = await client.summary()
        before: Json = {}
        while time.monotonic() < deadline_s and (summary != before or await outbox(client) > 0):
            await asyncio.sleep(1.0)
            summary, before = await client.summary(), summary
        return {**summary, "outbox": await outbox(client)}

    def _check(self) -> None:
        for child in self._children:
            child.check()

    async def _broker_answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._state.broker_port)
        except ConnectionError:
            return False
        writer.close()
        return True

    def _client(self) -> DemoClient:
        return DemoClient(self._state.server_url, self._state.folder / "server" / "owner.token")

    def _addresses(self) -> dict[str, str]:
        url = self._state.server_url
        pages = {"floor": "", "shoe screen": f"{url}/display/d-shoes", "door screen": f"{url}/display/d-door"}
        return {**pages, "state and logs": str(self._state.folder)}


async def agent_is_ready(client: DemoClient) -> bool:
    """Whether the agent has said that it is up."""
    agents = (await client.status())["agents"]
    return bool(agents) and all(agent["state"] in ("ready", "alert") for agent in agents)


async def outbox(client: DemoClient) -> int:
    """Events that the agents hold and the server has not acknowledged."""
    return sum((agent["stats"] or {}).get("outbox", 0) for agent in (await client.status())["agents"])


def difference(first: Json, last: Json) -> Json:
    """The figures of this run alone: a folder used before carries the counts of earlier runs."""
    counted = {name: last.get(name, 0) - first.get(name, 0) for name in COUNTED}
    return {**counted, "outbox": last.get("outbox", 0), "latency_ms": last.get("latency_ms")}


@asynccontextmanager
async def background(work: Awaitable[None]) -> AsyncIterator[None]:
    """Run something beside the block; cancelled at its end."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
