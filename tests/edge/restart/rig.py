"""One life of an agent with the real engine, which is stopped or killed at its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from broker_config.identity import siphash_2_4_128
from broker_config.member_table import pack_members
from broker_config.messages import (
    Data,
    ZoneCoverage,
    decode,
)
from edge.agent import Agent, Devices
from edge.at_rest import AtRest
from edge.clock import Clock
from edge.config import EdgeConfig, load_config
from edge.member_file import member_path
from edge.outbox import Outbox
from edge.presence import Tracker
from edge.presence_config import make_layout, make_settings
from readers.health import ReaderHealth
from tests.support.edge import FakeRelay, KnownTime, Script, a_read
from tests.support.patience import eventually

ITEM = bytes.fromhex("3034257bf400cb0000000001")
CARD, HANDLE = bytes.fromhex("2d14257bf52cb6916d000000"), b"handle-of-ann-16"
DAY_NS = 86_400_000_000_000
LONG = "person_departs_s = 120"  # nobody departs while a test looks
SNAP = Path("edge") / "presence.snap"


def shorten_the_limit(folder: Path) -> None:
    """From the next start on, who is not read at the door departs soon."""
    path = folder / "edge.toml"
    path.write_text(path.read_text().replace(LONG, "person_departs_s = 0.4", 1))


def write_members(config: EdgeConfig, version: int, cards: list[bytes]) -> None:
    key = bytes.fromhex(config.credential.match_key or "")
    table = pack_members(version, Clock()() + DAY_NS, [(siphash_2_4_128(key, card), HANDLE) for card in cards])
    member_path(config.data, key).write_bytes(AtRest(config.credential, "members").seal(table.to_bytes()))


def opened(folder: Path) -> bytes:
    """What the snapshot holds."""
    credential = load_config(folder / "edge.toml").credential
    return bytes(AtRest(credential, "presence").open(memoryview((folder / SNAP).read_bytes())))


@dataclass
class Life:
    """One process of an agent: the real engine, scripted devices that give signs of life only when they read."""

    config: EdgeConfig
    outbox: Outbox
    clock: Clock = field(default_factory=Clock)
    ready: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = self.config
        goods = [bytes.fromhex(prefix) for prefix in config.site.own_goods]
        self.engine = Tracker(make_layout(config), make_settings(config), seed=7, own_goods=goods, capacity=256)
        readers = {reader.id: Script(reader.id, ReaderHealth(signs_of_life=0)) for reader in config.readers}
        self.scripts = readers | {scale.id: Script(scale.id) for scale in config.scales}
        devices = Devices(
            reader=lambda config, _: self.scripts[config.id].open(),  # type: ignore[arg-type, return-value]
            scale=lambda config, _: self.scripts[config.id].open(),  # type: ignore[arg-type, return-value]
            relay=lambda _: FakeRelay().open(),
        )
        self.agent = Agent(
            config,
            self.engine,
            self.outbox,
            self.clock,
            devices=devices,
            on_ready=lambda: self.ready.append(True),
            server_clock=KnownTime(self.clock),  # type: ignore[arg-type]
        )
        self.before = self.outbox.last_seq
        self.shown: list[Data] = []
        self.agent.uplink.states.show = lambda data, *_, **__: self.shown.append(data)  # type: ignore[method-assign]

    def read(self, epc: bytes, reader: str = "r-door", times: int = 2) -> None:
        health = self.scripts[reader].health
        health.signs_of_life = (health.signs_of_life or 0) + 1
        self.scripts[reader].say(*(a_read(epc, reader, self.clock()) for _ in range(times)))

    async def said(self, count: int) -> list[Data]:
        """The events of this life, once there are that many, and no more."""
        await eventually(lambda: self.outbox.last_seq >= self.before + count)
        await self.outbox.flush()
        rows = await self.outbox.rows_after(self.before, 100)
        assert len(rows) == count
        return [decode(row.payload).data for row in rows]

    async def saved(self) -> None:
        await self.agent._keeper.save()

    def covered(self, zone: str) -> list[bool]:
        return [said.covered for said in self.shown if isinstance(said, ZoneCoverage) and said.zone == zone]


@asynccontextmanager
async def living(folder: Path, *, killed: bool = False) -> AsyncIterator[Life]:
    """An agent that at the end is stopped as by SIGTERM, or killed: nothing more is written."""
    config = load_config(folder / "edge.toml")
    async with Outbox(config.data / "outbox.sqlite", "gw-1", quota_bytes=1 << 20, clock_ns=Clock()) as outbox:
        life = Life(config, outbox)
        task = asyncio.create_task(life.agent.run())
        try:
            await eventually(lambda: life.ready or task.done())
            await eventually(lambda: life.agent._keeper.counters.snapshots or task.done())  # the first of its own
            yield life
            assert not task.done(), task
        finally:
            if killed:
                life.agent._keeper.close = asyncio.Event().set  # type: ignore[method-assign, assignment]
            task.cancel()
            with suppress(asyncio.CancelledError, TypeError):
                await task
