"""What the uplink's tests are made of: a server that acknowledges, or does not, or lies, and the agent's end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import aiomqtt

from broker_config.messages import (
    Data,
    EdgeAck,
    EdgeBacklog,
    EdgeState,
    EdgeStats,
    Envelope,
    decode,
    encode,
)
from broker_config.site import ZoneId, load_site
from broker_config.topics import BY_NAME, filters_for, topic_for
from edge.config import BrokerAddress, EdgeConfig, load_config
from edge.events import Announcer
from edge.health import Health
from edge.outbox import Outbox
from edge.uplink import Uplink
from edge.uplink_handlers import Handlers
from tests.support.brokers import TestBroker
from tests.support.edge import ManualClock, a_transition
from tests.support.signing import signed

MB = 1 << 20
STATS = EdgeStats(
    reads=1,
    reads_per_s=0,
    present_items=0,
    present_visits=0,
    strays=0,
    bad_frames=0,
    dropped_reads=0,
    events=0,
    outbox=0,
    dropped_events=0,
    members_version=0,
    member_lease_s=0,
)


@dataclass
class FakeServer:
    """Takes everything down; acknowledges while `acking`; with `together` it takes messages of many, once asked."""

    client: aiomqtt.Client
    sign: Callable[[str, bytes], bytes]
    acking: bool = True
    together: bool = False
    heard: list[tuple[str, Envelope[Data], bool]] = field(default_factory=list)
    asked: int = 0
    seqs: list[int] = field(default_factory=list)
    held: dict[str, set[int]] = field(default_factory=dict)

    async def listen(self) -> None:
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            envelope = decode(message.payload)
            self.heard.append((message.topic.value, envelope, message.retain))
            if isinstance(envelope.data, EdgeBacklog) and self.together:
                self.asked += not envelope.data.rows
                for row in envelope.data.rows:
                    self.take(decode(row.payload.encode()))
                await self.say_how_far(envelope.data.generation)
            if envelope.seq is not None:
                self.take(envelope)
                await self.say_how_far(envelope.generation or "")

    def take(self, envelope: Envelope[Data]) -> None:
        self.seqs.append(int(envelope.seq or 0))
        self.held.setdefault(envelope.generation or "", set()).add(int(envelope.seq or 0))

    async def say_how_far(self, generation: str) -> None:
        held = self.held.setdefault(generation, set())
        if self.acking:
            upto = next(number for number in range(len(held) + 1) if number + 1 not in held)
            await self.ack(generation, upto)

    async def ack(self, generation: str, upto: int, missing: tuple[tuple[int, int], ...] = ()) -> None:
        together = self.together and self.asked > 0
        said = EdgeAck(generation=generation, upto=upto, missing=missing, together=together)
        await self.send("edge_ack", said, agent="gw-1")

    async def send(self, row: str, data: Data, **levels: str) -> None:
        envelope = Envelope(
            specversion="1.0", id="s", source="server", type=data.type_name, time=datetime.now(UTC), data=data
        )
        topic = topic_for(row, "demo", **levels)
        await self.client.publish(topic, self.sign(topic, encode(envelope)), qos=BY_NAME[row].qos)

    def of(self, kind: type[Data]) -> list[Data]:
        return [envelope.data for _, envelope, _ in self.heard if type(envelope.data) is kind]

    def last_state(self) -> str | None:
        states = [data.state for data in self.of(EdgeState) if isinstance(data, EdgeState)]
        return states[-1] if states else None


@dataclass
class Agent:
    """The parts of an agent that the uplink talks to."""

    config: EdgeConfig
    clock: ManualClock
    calls: list[object] = field(default_factory=list)

    @asynccontextmanager
    async def running(self, *, connecting: bool = True) -> AsyncIterator["Agent"]:
        self.announcer = Announcer("demo", "gw-1", (ZoneId("door"),), b"s" * 32, self.clock, simulated=True)
        self.health = Health(self.clock)
        self.health.add("r-door", "magicrf-m100", "door")
        path = self.config.data / "outbox.sqlite"
        async with Outbox(path, "gw-1", quota_bytes=MB, clock_ns=self.clock) as self.outbox:
            handlers = Handlers(
                command=lambda level, command: self.calls.append((level, command.version)),
                members_offered=self.calls.append,
                visits_ended=lambda ended: self.calls.append(ended.visits),
                settled=lambda sold: self.calls.append(sold.epcs),
                link_lost=lambda: self.calls.append("link-lost"),
                host=lambda said: self.calls.append(said.state),
                stats=lambda: STATS,
            )
            self.uplink = Uplink(
                self.config, self.announcer, self.outbox, self.health, handlers, self.clock, check_every_s=0.02
            )
            task = asyncio.create_task(self.uplink.run() if connecting else asyncio.Event().wait())
            try:
                yield self
                assert not task.done(), task
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def happen(self, count: int = 1) -> None:
        transition = a_transition("arrived", b"\x30\x34", 0, self.clock())
        self.outbox.append([self.announcer.item(transition) for _ in range(count)])


@dataclass
class World:
    broker: TestBroker
    server: FakeServer
    agent: Agent


def config_for(broker: TestBroker, folder: Path) -> EdgeConfig:
    config = load_config(folder / "edge.toml")
    return replace(config, broker=BrokerAddress(broker.host, broker.port), credential=broker.credential("agent-gw-1"))


@asynccontextmanager
async def serving(broker: TestBroker, **how: object) -> AsyncIterator[FakeServer]:
    async with broker.client("server") as client:
        sign = partial(signed, identity=broker.identity, site_file=broker.site_file)
        server = FakeServer(client, sign, **how)  # type: ignore[arg-type]
        _, subscribe = filters_for("server", load_site(broker.site_file))
        await client.subscribe([(topic, 1) for topic in subscribe])
        listening = asyncio.create_task(server.listen())
        try:
            yield server
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening


@dataclass
class Cut:
    """A wire between agent and broker that can be cut."""

    port: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()


@asynccontextmanager
async def relay(broker: TestBroker) -> AsyncIterator[Cut]:
    wire = Cut()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(broker.host, broker.port)
        wire.writers += [writer, far_writer]
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    wire.port = listening.sockets[0].getsockname()[1]
    async with listening:
        try:
            yield wire
        finally:
            wire.cut()


class StubClient:
    """A connection that is broken, and deaf to cancellation, when the test says so."""

    def __init__(self) -> None:
        self.timeout = 10.0
        self.topics: list[str] = []
        self.busy = self.deaf = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def subscribe(self, topics: object) -> None: ...

    @property
    async def messages(self) -> AsyncIterator[aiomqtt.Message]:
        await self.lost
        yield aiomqtt.Message("never", b"", 0, False, 0, None)

    async def publish(self, topic: str, payload: bytes, **_: object) -> None:
        self.topics.append(topic)
        if self.deaf:  # as asyncio.wait_for before 3.12, when the answer comes in the same turn as the cancellation
            self.busy = True
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            self.deaf = False


@asynccontextmanager
async def unconnected(folder: Path, clock: ManualClock) -> AsyncIterator[Agent]:
    async with Agent(load_config(folder / "edge.toml"), clock).running(connecting=False) as agent:
        yield agent
