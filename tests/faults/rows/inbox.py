"""Rows 15, 16 and 27 at the server: messages twice, out of order, and no messages at all; against the same in order, once.

The real inbox on a real database; each case has one of its own, a copy of a store that has its members.
"""

import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from broker_config.messages import ItemArrived, ItemDeparted
from broker_config.site import load_site
from server.config import load_config
from server.link import Incoming
from server.runtime import opened
from server.state import ServerState
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.server.harness import EVIDENCE, RIVER, XIAOYU, Clock, Edge, token
from tests.support.identities import write_seeded_store

EVENTS = 120
GENERATION = "00000000000000aa"
GOODS = "3034257bf400cb00000000{:02x}"
ZONES = ("door", "shoes")
SHARE_TWICE = 0.3
WINDOWS = (1, 2, 10, 100, 1000)
MARK = b'"seq":"x'
JUNK = (b"", b"{", b"null", b"[" * 3000, b"\xff\xfe\x00", b'{"id":1e999}', b'{"specversion":"1.0","data":NaN}')
STATE = (
    "SELECT epc, zone FROM item ORDER BY epc",
    "SELECT token, zone FROM visit_token ORDER BY token",
    "SELECT generation, upto, above, stored, dropped FROM generation ORDER BY generation",
)
"""What must be the same however the messages came."""


async def shuffled(profile: Profile) -> list[Outcome]:
    """Three in ten come twice, all of them within a window of 1 to 1 000; within one of 1 the order is kept, too."""
    shop = await _store(profile.folder)
    wanted: dict[int, list[object]] = {}
    decisions: dict[int, int] = {}
    outcomes = []
    for seed in profile.seeds(10, 250):
        life = seed // 10
        if life not in wanted:
            async with _server(shop, profile.folder / f"straight-{life}") as state:
                straight = await _deliver(state, life, random.Random("straight"), window=1, twice=0.0)
                wanted[life] = [straight, *await _state(state)]
                decisions[life] = await _decisions(state)
        rng = random.Random(f"shuffled {seed}")
        async with _server(shop, profile.folder / f"case-{seed}") as state:
            window = WINDOWS[seed % len(WINDOWS)]
            sent = await _deliver(state, life, rng, window=window, twice=SHARE_TWICE)
            outcome = await _judge(state, seed, sent, wanted[life])
            if window == 1:
                outcome.duplicates += abs(await _decisions(state) - decisions[life])
            outcomes.append(outcome)
        shutil.rmtree(profile.folder / f"case-{seed}")
    return outcomes


async def _judge(state: ServerState, seed: int, sent: int, wanted: list[object]) -> Outcome:
    outcome = Outcome(seed, generated=sent)
    async with state.db.session() as session:
        outcome.stored_once = (await session.execute(text("SELECT count(DISTINCT seq) FROM event"))).scalar_one()
        twice = "SELECT count(*) - count(DISTINCT rule || json_extract(body, '$.event')) FROM decision"
        outcome.duplicates = (await session.execute(text(twice))).scalar_one()
    outcome.extra["came_again"] = state.inbox.counters.duplicates
    held = state.marks.ack(("gw-1", GENERATION)).upto  # type: ignore[index]
    outcome.expect(held == sent, f"acknowledged up to {held} of {sent}")
    outcome.expect([sent, *await _state(state)] == wanted, "another state in the end than in order")
    return outcome


async def _decisions(state: ServerState) -> int:
    async with state.db.session() as session:
        return int((await session.execute(text("SELECT count(*) FROM decision"))).scalar_one())


async def _deliver(state: ServerState, life: int, rng: random.Random, *, window: int, twice: float) -> int:
    """A life's events, always the same ones, in this order; how many there are."""
    clock = Clock()
    edge, messages = Edge(state, clock, generation=GENERATION), []
    story = random.Random(f"life {life}")
    for _ in range(EVENTS):
        clock.pass_s(1.0)
        messages.append(await _event(edge, story, clock))
    waiting = [*enumerate(messages), *((at, each) for at, each in enumerate(messages) if rng.random() < twice)]
    waiting.sort(key=lambda pair: pair[0] + rng.randrange(window))
    while waiting:
        size = rng.randint(1, 20)
        await edge.deliver(*(message for _, message in waiting[:size]))
        del waiting[:size]
    return EVENTS


async def _event(edge: Edge, story: random.Random, clock: Clock) -> Incoming:
    """Goods that come to one of two places or go, members who come and leave."""
    card, zone = story.choice((RIVER, XIAOYU)), story.choice(ZONES)
    kind, epc = story.random(), GOODS.format(story.randrange(12))
    handle = await edge.handle_of(card)
    if handle is not None and kind < 0.2:
        return edge.entered(zone, handle, token(1 + (card == RIVER)))
    if handle is not None and kind < 0.35:
        return edge.left(zone, token(1 + (card == RIVER)))
    at = datetime.fromtimestamp(clock.now_ns / 1e9, UTC)
    if kind < 0.75:
        data = ItemArrived(zone=zone, epc=epc, detected_at=at, last_read_at=at, evidence=EVIDENCE)
        return edge.event(data, zone=zone)
    gone = ItemDeparted(zone=zone, epc=epc, detected_at=at, last_read_at=at, reason="timeout", evidence=EVIDENCE)
    return edge.event(gone, zone=zone)


async def malformed(profile: Profile) -> list[Outcome]:
    """Broken messages among sound ones: cut, of another version or type, of wrong values, nested deep, no JSON at all."""
    shop = await _store(profile.folder)
    count, rng = profile.times(500, 10_000), profile.rng("malformed")
    outcome, broken = Outcome(profile.seed, injected=count), set[tuple[str, bytes]]()
    async with _server(shop, profile.folder / "case") as state:
        clock = Clock()
        edge, poison = Edge(state, clock, generation=GENERATION), Edge(state, clock, generation="00000000000000bb")
        while len(broken) < count:
            clock.pass_s(0.1)
            wrong = [_hurt(await _event(poison, rng, clock), rng) for _ in range(20)]
            broken |= {(message.topic, message.payload) for message in wrong}
            await edge.deliver(*wrong, await _event(edge, rng, clock), *wrong)
            outcome.generated += 1
        async with state.db.session() as session:
            sound = f"SELECT count(DISTINCT seq) FROM event WHERE generation = '{GENERATION}'"
            outcome.stored_once = (await session.execute(text(sound))).scalar_one()
            aside = (await session.execute(text("SELECT count(*) FROM bad_message"))).scalar_one()
    outcome.extra |= {"broken": len(broken), "set_aside": aside}
    outcome.expect(aside == len(broken), f"{len(broken)} broken messages, {aside} set aside")
    return [outcome]


def _hurt(message: Incoming, rng: random.Random) -> Incoming:
    """One that cannot be understood."""
    data = message.payload
    kind = rng.randrange(9)
    if kind == 0:
        data = data[: rng.randrange(1, len(data))]
    elif kind == 1:
        data = data.replace(b'"specversion":"1.0"', b'"specversion":"9.0"')
    elif kind == 2:
        data = data.replace(b'"type":"tacet.', b'"type":"nobody.')
    elif kind == 3:
        data = data.replace(b'"data":{', b'"data":{"zone":NaN,')
    elif kind == 4:
        data = data.replace(b'"data":{', b'"data":[{')
    elif kind == 5:
        data = b"[" * rng.randint(100, 5000) + data
    elif kind == 6:
        data = rng.choice(JUNK)
    elif kind == 7:
        data = _changed(data.replace(b'"seq":"', MARK), rng)
    else:
        data = b"\xff\xfe" + rng.randbytes(rng.randint(1, 200))
    return Incoming(message.topic, data, message.received_ns)


def _changed(data: bytes, rng: random.Random) -> bytes:
    """Some bytes are others; never so that its number, which is none, becomes one."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed) if MARK in changed else data


async def _state(state: ServerState) -> list[object]:
    async with state.db.session() as session:
        return [[tuple(row) for row in (await session.execute(text(query))).all()] for query in STATE]


async def _store(folder: Path) -> Path:
    """A store whose server knows its members."""
    shop = folder / "shop"
    shop.mkdir()
    write_seeded_store(shop)
    async with _opened(shop) as state:
        await state.members.import_csv((shop / "members.csv").read_text())
    return shop


@asynccontextmanager
async def _server(shop: Path, folder: Path) -> AsyncIterator[ServerState]:
    """The server of a copy of it."""
    shutil.copytree(shop, folder)
    async with _opened(folder) as state:
        yield state


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[ServerState]:
    config = load_config(folder / "server.toml")
    async with opened(config, load_site(folder / "site.toml"), Clock()) as state:
        yield state


ROWS = (
    Row((15, 16), "messages twice, and out of order", shuffled, takes_s=(8, 240), in_memory=True),
    Row((27,), "malformed messages", malformed, takes_s=(5, 120), in_memory=True),
)
