"""Rows 15, 16 and 27: messages twice, out of order, and such as nobody can read, each into a whole server."""

import random
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from broker_config.messages import ItemArrived, ItemDeparted
from broker_config.site import load_site
from server.clock import to_datetime
from server.config import load_config
from server.link import Incoming
from server.runtime import opened
from server.state import ServerState
from server.tables import BadMessageRow, DecisionRow, EventRow
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.server.harness import EVIDENCE, RIVER, XIAOYU, Clock, Edge, token
from tests.support.identities import write_seeded_store

GOODS = "3034257bf400cb00000000{:02x}"
PLACES = ("door", "shoes", "fitting")
EVENTS = 300
AGAIN = 0.3
BATCH = 40
JUNK = (b"", b"{", b"null", b"[" * 3000, b"\xff\xfe\x00", b'{"id":1e999}', b'{"specversion":"1.0","data":NaN}')


@dataclass
class Seen:
    """What the server made of a story."""

    counts: dict[str, int]
    visits: dict[str, int]
    decisions: int
    events: int


@asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[Edge]:
    clock = Clock()
    write_seeded_store(folder)
    async with opened(load_config(folder / "server.toml"), load_site(folder / "site.toml"), clock) as state:
        await state.members.import_csv((folder / "members.csv").read_text())
        yield Edge(state, clock)


async def _story(edge: Edge, rng: random.Random) -> list[Incoming]:
    """Goods come and go, two members walk about; a second between events."""
    handles = [(await edge.handle_of(card), token(number)) for number, card in enumerate((RIVER, XIAOYU), 1)]
    messages: list[Incoming] = []
    for _ in range(EVENTS):
        edge.clock.pass_s(0.01)
        at, zone = to_datetime(edge.clock.now_ns), rng.choice(PLACES)
        if rng.random() < 0.2:
            handle, visit = rng.choice(handles)
            assert handle is not None
            messages.append(edge.entered(zone, handle, visit))
            continue
        epc = GOODS.format(rng.randrange(20))
        if rng.random() < 0.7:
            data: ItemArrived | ItemDeparted = ItemArrived(
                zone=zone, epc=epc, detected_at=at, last_read_at=at, evidence=EVIDENCE
            )
        else:
            data = ItemDeparted(
                zone=zone, epc=epc, detected_at=at, last_read_at=at, reason="timeout", evidence=EVIDENCE
            )
        messages.append(edge.event(data, zone=zone))
    return messages


async def _tell(edge: Edge, messages: Sequence[Incoming]) -> Seen:
    for start in range(0, len(messages), BATCH):
        await edge.deliver(*messages[start : start + BATCH])
    state = edge.state
    async with state.db.session() as session:
        decisions = await session.scalar(select(func.count()).select_from(DecisionRow)) or 0
        events = await session.scalar(select(func.count()).select_from(EventRow)) or 0
    return Seen(state.items.counts(), state.visits.counts(), decisions, events)


async def _held(state: ServerState, edge: Edge) -> int:
    return state.marks.ack(("gw-1", edge.generation)).upto  # type: ignore[index]


async def twice(profile: Profile) -> list[Outcome]:
    """30 % of the messages come again, at any later time; nothing but a counter shows it."""
    outcomes: list[Outcome] = []
    for seed in profile.seeds(3, 100):
        rng, outcome = random.Random(f"twice {seed}"), Outcome(seed, generated=EVENTS)
        with tempfile.TemporaryDirectory(dir=profile.folder) as name:
            (once := Path(name) / "once").mkdir()
            (again := Path(name) / "again").mkdir()
            async with _server(once) as edge:
                plain = await _tell(edge, await _story(edge, random.Random(seed)))
            async with _server(again) as edge:
                messages = await _story(edge, random.Random(seed))
                for message in rng.sample(messages, round(AGAIN * EVENTS)):
                    messages.insert(rng.randint(messages.index(message) + 1, len(messages)), message)
                seen = await _tell(edge, messages)
                outcome.stored_once = seen.events
                outcome.duplicates = abs(seen.decisions - plain.decisions)
                outcome.expect(seen == plain, "another picture of the store")
                outcome.expect(await _held(edge.state, edge) == EVENTS, "not acknowledged")
                outcome.extra["repetitions"] = edge.state.inbox.counters.duplicates
        outcomes.append(outcome)
    return outcomes


async def out_of_order(profile: Profile) -> list[Outcome]:
    """Messages overtake each other by up to the whole story; where everything is, is the same in the end."""
    outcomes: list[Outcome] = []
    for seed in profile.seeds(3, 200):
        rng, outcome = random.Random(f"order {seed}"), Outcome(seed, generated=EVENTS)
        with tempfile.TemporaryDirectory(dir=profile.folder) as name:
            (plain_folder := Path(name) / "plain").mkdir()
            (mixed_folder := Path(name) / "mixed").mkdir()
            async with _server(plain_folder) as edge:
                plain = await _tell(edge, await _story(edge, random.Random(seed)))
            async with _server(mixed_folder) as edge:
                messages, window = await _story(edge, random.Random(seed)), rng.choice((2, 10, 100, 1000))
                order = sorted(range(EVENTS), key=lambda index: index + rng.uniform(0, window))
                seen = await _tell(edge, [messages[index] for index in order])
                outcome.stored_once = seen.events
                outcome.expect((seen.counts, seen.visits) == (plain.counts, plain.visits), "another final picture")
                outcome.expect(await _held(edge.state, edge) == EVENTS, "not acknowledged")
        outcomes.append(outcome)
    return outcomes


async def malformed(profile: Profile) -> list[Outcome]:
    """Bytes of sound messages changed, cut or replaced, among sound ones: set aside once, acknowledged, in nobody's way."""
    outcomes: list[Outcome] = []
    for seed in profile.seeds(3, 200):
        rng, outcome = random.Random(f"malformed {seed}"), Outcome(seed, generated=EVENTS)
        with tempfile.TemporaryDirectory(dir=profile.folder) as name:
            async with _server(Path(name)) as edge:
                messages = await _story(edge, random.Random(seed))
                spoilt = [_spoil(rng.choice(messages), rng) for _ in range(EVENTS)]
                mixed = [*spoilt, *spoilt[:50], *messages]
                rng.shuffle(mixed)
                seen = await _tell(edge, mixed)
                async with edge.state.db.session() as session:
                    bad = await session.scalar(select(func.count()).select_from(BadMessageRow)) or 0
                outcome.stored_once = min(await _held(edge.state, edge), EVENTS)
                outcome.expect(bad == edge.state.inbox.counters.bad, "set aside more than once")
                outcome.expect(bad <= EVENTS, "more set aside than was sent")
                outcome.extra |= {"set_aside": bad, "stored": seen.events}
        outcomes.append(outcome)
    return outcomes


def _spoil(message: Incoming, rng: random.Random) -> Incoming:
    """Never one that could pass for another event: its id's number is out of the story."""
    payload = message.payload.replace(b'"seq":"', b'"seq":"x')
    kind = rng.randrange(4)
    if kind == 0:
        payload = rng.choice(JUNK)
    elif kind == 1:
        payload = payload[: rng.randrange(len(payload))]
    elif kind == 2:
        changed = bytearray(payload)
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        payload = bytes(changed)
    return Incoming(message.topic, payload, message.received_ns)


ROWS = (
    Row((15,), "messages delivered twice", twice),
    Row((16,), "messages out of order", out_of_order),
    Row((27,), "malformed messages", malformed),
)
