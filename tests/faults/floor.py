"""A store in one process for the rows about orders: the real server and broker, a real agent with one relay, a real display."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
from sqlalchemy import select

from broker_config.messages import ActuatorCommand, Data, MomentSet
from broker_config.site import ActuatorId, DisplayId
from edge.agent import Agent
from edge.clock import Clock
from edge.config import BrokerAddress, load_config
from edge.devices import Devices
from edge.outbox import Outbox
from server.clock import to_datetime
from server.decisions.rules import ActuatorAction
from server.link import Outgoing
from server.tables import CommandRow
from simulators.kiosk import Kiosk
from simulators.kiosk.client import News
from simulators.kiosk.cookies import Cookies
from simulators.kiosk.service import Service
from tests.server.web.conftest import Store
from tests.support.edge import DEMO, FakeRelay, Script, ScriptedEngine
from tests.support.patience import WAIT_S, eventually

LAMP, DOOR = ActuatorId("lamp-s1"), DisplayId("d-door")
PULSE = ActuatorAction(id="lamp-s1", on=True, hold_s=0.05)
MB = 1 << 20


@asynccontextmanager
async def gateway(
    store: Store,
    folder: Path,
    broker_port: int,
    wall_ns: Callable[[], int] = time.time_ns,
    early: Callable[[Agent], None] = lambda _: None,
) -> AsyncIterator[tuple[Agent, FakeRelay]]:
    """An agent's life, connected, and knowing the server's time; what it keeps stays in `folder` for the next.

    Args:
        wall_ns: what its host believes to be the time.
        early: called before it knows anything of the server.
    """
    folder.mkdir(exist_ok=True)
    (folder / "site.toml").write_text(store.broker.site_file.read_text())
    text = (DEMO / "edge.toml").read_text().replace("$broker_port", "1").replace("$server_port", "2")
    identity = store.broker.identity / "agent-gw-1.toml"
    (folder / "edge.toml").write_text(text.replace('"identity/agent-gw-1.toml"', f'"{identity}"'))
    config = load_config(folder / "edge.toml")
    config = replace(config, broker=BrokerAddress("127.0.0.1", broker_port), server=store.url)
    config.data.mkdir(parents=True, exist_ok=True)
    relay, clock = FakeRelay(), Clock(wall_ns)
    devices = Devices(
        reader=lambda each, _: Script(each.id).open(),  # type: ignore[arg-type, return-value]
        scale=lambda each, _: Script(each.id).open(),  # type: ignore[arg-type, return-value]
        relay=lambda _: relay.open(),
        sensor=lambda each, _: Script(each.id).open(),  # type: ignore[arg-type, return-value]
    )
    async with Outbox(config.data / "outbox.sqlite", config.agent, quota_bytes=MB, clock_ns=clock) as outbox:
        agent = Agent(config, ScriptedEngine(), outbox, clock, devices=devices)
        early(agent)
        running = asyncio.create_task(agent.run())
        try:
            await eventually(lambda: running.done() or agent._server_clock.now() is not None, WAIT_S)
            await eventually(lambda: running.done() or agent.uplink.delivery.connected, WAIT_S)
            yield agent, relay
            assert not running.done(), running
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def pulse(store: Store) -> None:
    """Have the server order one pulse of the lamp, as a rule would."""
    async with store.state.ledger.transaction() as work:
        store.state.commands.actuate(work, PULSE, "d" * 32)


async def results(store: Store) -> list[str | None]:
    """What became of every order to the lamp, oldest first."""
    query = (
        select(CommandRow.result)
        .where(CommandRow.target == f"actuator/{LAMP}")
        .order_by(CommandRow.epoch, CommandRow.counter)
    )
    async with store.state.db.session() as session:
        return list(await session.scalars(query))


async def all_answered(store: Store, within_s: float = 45.0) -> list[str | None]:
    """The results, once there is one for each order."""
    async with asyncio.timeout(within_s):
        while None in (found := await results(store)) or "refused" in found:
            await asyncio.sleep(0.02)
    return found


def say_again(store: Store, topic: str, payload: bytes, *, retain: bool) -> None:
    """Put bytes on the bus as they were, as somebody with the server's rights could."""
    store.state.link._outgoing.append(Outgoing(topic, payload, 1, retain, None))
    store.state.link._waiting.set()


def signed_ago(store: Store, data: Data, seconds: float, **levels: str) -> tuple[str, bytes]:
    """The message as the server would have signed it that long ago."""
    then = to_datetime(store.state.clock_ns()) - timedelta(seconds=seconds)
    old = msgspec.structs.replace(data, issued_at=then)
    return store.state.link._message(old, store.state.clock_ns(), None, levels)


def order(store: Store, counter: int) -> ActuatorCommand:
    """An order of this start of the server, so long after those given."""
    now = to_datetime(store.state.clock_ns())
    version = (store.state.commands._epoch, counter)
    return ActuatorCommand(actuator=LAMP, version=version, decision=None, on=True, issued_at=now, ttl_ms=2000)


def moment(store: Store, counter: int, ttl_ms: int = 60_000) -> MomentSet:
    """A personal moment for the door's display."""
    now = to_datetime(store.state.clock_ns())
    return MomentSet(
        display=DOOR, version=(store.state.commands._epoch, counter), decision=f"{counter:032x}", content="welcome",
        visit="f" * 32, text={"en": "For you"}, because={"en": "you asked"}, language="en", screen_class="public",
        issued_at=now, cause_at=now, ttl_ms=ttl_ms,
    )  # fmt: skip


@asynccontextmanager
async def display(store: Store, port: int, cookie: str) -> AsyncIterator[list[News]]:
    """The door's display, connected through `port`, and all that a watcher sees of it."""
    news: list[News] = []
    cookies = Cookies(None)
    cookies.keep(DOOR, cookie)
    url = f"http://127.0.0.1:{port}"

    async def run() -> None:
        async with Service(url, DOOR, cookies) as service:
            await Kiosk(url, DOOR, service, news.append).run()

    running = asyncio.create_task(run())
    try:
        await eventually(lambda: running.done() or any(each.what == "base" for each in news), WAIT_S)
        yield news
        assert not running.done(), running
    finally:
        running.cancel()
        await asyncio.wait([running])
