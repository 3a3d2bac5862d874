"""Events by HTTP: when it begins, what goes first, what an answer means, and that MQTT takes over again."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import msgspec
import pytest

import edge.posting
from broker_config.messages import EdgeAck, EdgeDropped, EventPost, PostAnswer, decode
from edge.config import BrokerAddress, load_config
from edge.outbox_rows import DropRange
from edge.posting import LIVE_ROWS, Poster
from edge.uplink_handlers import at_once
from tests.edge.uplink.rig import Agent
from tests.support.brokers import free_port, running_broker
from tests.support.edge import ManualClock
from tests.support.patience import eventually

ROWS = 20


@dataclass
class Web:
    """The server's side: answers as the contract says, or as the test wants."""

    seqs: list[tuple[str, int]] = field(default_factory=list)
    posts: list[EventPost] = field(default_factory=list)
    dropped: list[EdgeDropped] = field(default_factory=list)
    status: int = 200
    quarantined: bool = False
    closed: int = 0
    hook: Callable[[], None] = lambda: None

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if self.status != 200:
            return httpx.Response(self.status)
        post = msgspec.json.decode(gzip.decompress(request.content), type=EventPost)
        self.posts.append(post)
        for row in post.rows:
            envelope = decode(row.payload.encode())
            if isinstance(envelope.data, EdgeDropped):
                self.dropped.append(envelope.data)
            else:
                self.seqs.append((str(envelope.generation), int(str(envelope.seq))))
        self.hook()
        return httpx.Response(200, content=msgspec.json.encode(self.said()))

    def said(self) -> PostAnswer:
        acks = []
        for generation in {generation for generation, _ in self.seqs}:
            held = {seq for own, seq in self.seqs if own == generation}
            held |= {seq for each in self.dropped for seq in range(each.first, each.last + 1)}
            upto = next(number for number in range(max(held) + 1) if number + 1 not in held)
            above = sorted(seq for seq in held if seq > upto)
            missing = ((upto + 1, above[0] - 1),) if above else ()
            acks.append(EdgeAck(generation=generation, upto=upto, missing=missing, highest=max(held)))
        return PostAnswer(acks=tuple(acks), quarantined=self.quarantined)


class Wire(httpx.MockTransport):
    """What carries the requests, and whether it is still held open."""

    def __init__(self, web: Web) -> None:
        super().__init__(web.answer)
        self._web = web

    async def aclose(self) -> None:
        self._web.closed += 1


@dataclass
class World:
    agent: Agent
    poster: Poster
    web: Web


@asynccontextmanager
async def posting(
    folder: Path,
    clock: ManualClock,
    *,
    port: int = 1,
    after_s: float = 0.05,
    may_send: Callable[[], Awaitable[None]] = at_once,
) -> AsyncIterator[World]:
    """An agent whose broker is not there (or on `port`), and which has a server to post to."""
    config = load_config(folder / "edge.toml")
    limits = msgspec.structs.replace(config.outbox, post_after_s=after_s)
    config = replace(config, broker=BrokerAddress("127.0.0.1", port), outbox=limits)
    web = Web()
    async with Agent(config, clock).running() as agent:
        poster = Poster(config, agent.announcer, agent.outbox, agent.uplink, may_send, Wire(web), look_every_s=0.01)
        task = asyncio.create_task(poster.run())
        try:
            yield World(agent, poster, web)
            assert not task.done(), task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_without_a_broker_events_are_posted_and_acknowledged(edge_folder: Path, clock: ManualClock) -> None:
    async with posting(edge_folder, clock) as world:
        world.agent.happen(3)
        await eventually(lambda: world.agent.outbox.acked_upto == 3)
        assert [seq for _, seq in world.web.seqs] == [1, 2, 3]
        assert world.web.posts[0].generation == world.agent.outbox.generation
        world.agent.happen(2)
        await eventually(lambda: world.agent.outbox.acked_upto == 5)
        sessions = [post.session for post in world.web.posts]
        assert sessions == sorted(set(sessions)), "each post is a session of its own"


async def test_nothing_is_posted_before_the_servers_time_is_known(edge_folder: Path, clock: ManualClock) -> None:
    """An agent a day behind dated what people did before what its last start had said of them."""
    asked, known = asyncio.Event(), asyncio.Event()

    async def may_send() -> None:
        asked.set()
        await known.wait()

    async with posting(edge_folder, clock, may_send=may_send) as world:
        world.agent.happen()
        await eventually(lambda: asked.is_set() or world.web.posts)
        assert world.web.posts == []
        known.set()
        await eventually(lambda: world.agent.outbox.acked_upto == 1)


async def test_a_short_absence_of_the_broker_is_waited_out(edge_folder: Path, clock: ManualClock) -> None:
    async with posting(edge_folder, clock, after_s=3600) as world:
        world.agent.happen(3)
        await world.agent.outbox.flush()
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert not world.poster.is_needed()
        assert world.web.posts == []


async def test_posting_can_be_switched_off(edge_folder: Path, clock: ManualClock) -> None:
    async with posting(edge_folder, clock, after_s=0) as world:
        world.agent.happen(3)
        await world.agent.outbox.flush()
        world.poster._progress = 0, -1e9
        assert not world.poster.is_needed()


async def test_what_happens_now_does_not_wait_for_the_backlog(
    edge_folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.posting, "ROWS", ROWS)
    async with posting(edge_folder, clock, after_s=3600) as world:
        world.agent.happen(3 * ROWS)
        await world.agent.outbox.flush()
        world.web.hook = lambda: world.agent.happen() if len(world.web.posts) == 1 else None
        world.poster._live = world.agent.outbox.last_seq
        world.poster._patience_s = 0.01
        await eventually(lambda: world.agent.outbox.waiting == 0 and len(world.web.seqs) > 3 * ROWS)
        seqs = [seq for _, seq in world.web.seqs]
        assert seqs.index(3 * ROWS + 1) == ROWS, "the live event leads the second post"
        assert sorted(seqs) == list(range(1, 3 * ROWS + 2)), "and is not sent again with the backlog"
        assert max(len(post.rows) for post in world.web.posts) <= ROWS + LIVE_ROWS


async def test_a_post_that_came_to_nothing_is_repeated(
    edge_folder: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with posting(edge_folder, clock) as world:
        world.web.status = 503
        world.agent.happen(2)
        await eventually(lambda: "503" in caplog.text)
        assert world.agent.outbox.acked_upto == 0
        world.web.status = 200
        await eventually(lambda: world.agent.outbox.acked_upto == 2)
        warnings = [each for each in caplog.records if each.name == "edge.posting" and each.levelno == logging.WARNING]
        assert len(warnings) == 2, "the trouble once, and that it is over"


async def test_declared_drops_are_posted(edge_folder: Path, clock: ManualClock) -> None:
    async with posting(edge_folder, clock) as world:
        store = world.agent.outbox._store
        await world.agent.outbox._call(lambda: store.commit([], {}, [DropRange(1, 4, "B")]))
        world.agent.outbox._next_seq = 5
        world.agent.happen()
        await eventually(lambda: world.agent.outbox.acked_upto == 5)
        assert (world.web.dropped[0].first, world.web.dropped[0].last) == (1, 4)


async def test_the_servers_quarantine_is_heard_by_http(edge_folder: Path, clock: ManualClock) -> None:
    async with posting(edge_folder, clock) as world:
        world.web.quarantined = True
        world.agent.happen()
        await eventually(lambda: world.agent.uplink.quarantined)


async def test_mqtt_takes_over_when_the_broker_is_back(edge_folder: Path, clock: ManualClock) -> None:
    port = free_port()
    async with posting(edge_folder, clock, port=port) as world:
        world.agent.happen()
        await eventually(lambda: world.agent.outbox.acked_upto == 1)
        credential = world.agent.config.credential
        async with running_broker(edge_folder / "broker", port=port) as broker:
            await eventually(lambda: broker is not None)
            world.agent.uplink._config = replace(world.agent.config, credential=broker.credential("agent-gw-1"))
            assert credential != world.agent.uplink._config.credential
            await eventually(lambda: world.agent.uplink.delivery.connected)
            await eventually(lambda: world.web.closed)  # a post that is being put together may still take what comes
            posts = len(world.web.posts)
            assert not world.poster.is_needed()
            world.agent.happen()
            await world.agent.outbox.flush()
            for _ in range(10):
                await asyncio.sleep(0.01)
            assert len(world.web.posts) == posts


async def test_a_broker_that_passes_nothing_on_is_gone_round(edge_folder: Path, clock: ManualClock) -> None:
    async with posting(edge_folder, clock, after_s=3600) as world:
        world.agent.happen()
        await world.agent.outbox.flush()
        assert not world.poster.is_needed()
        world.poster._progress = 0, world.poster._progress[1] - 61
        await eventually(lambda: world.agent.outbox.acked_upto == 1)
        assert not world.poster.is_needed()


async def test_no_connection_to_the_server_is_held_open_once_mqtt_does_its_work_again(
    edge_folder: Path, clock: ManualClock
) -> None:
    async with posting(edge_folder, clock, after_s=3600) as world:
        for count in (1, 2):
            world.agent.happen()
            await world.agent.outbox.flush()
            assert world.web.closed == count - 1
            world.poster._progress = world.poster._progress[0], world.poster._progress[1] - 61
            await eventually(lambda count=count: world.web.closed == count)
            assert world.agent.outbox.acked_upto == count
