"""Damage to the server's database at rest: flipped bytes, pages of nothing, a file cut short or emptied; then the server starts.

What must hold: it starts, on a sound database; where it had to set the damaged one aside, it says so and recognises nobody;
and what agents send again is all there in the end, once.  Values carry no checksum: a byte that is flipped inside a text or
a number of a row stays, and is only counted here (`altered_unnoticed`).
"""

import random
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select, text

from broker_config.errors import ConfigError
from broker_config.messages import ItemArrived
from broker_config.site import load_site
from server.clock import to_datetime
from server.config import load_config
from server.errors import NotFound
from server.link import Incoming
from server.runtime import opened
from server.salvage import alarm
from server.state import ServerState
from server.tables import EventRow
from tests.faults.report import Outcome
from tests.server.harness import EVIDENCE, RIVER, Clock, Edge
from tests.support.identities import write_seeded_store

EVENTS, BATCH = 200, 40
PAGE_BYTES, MOST_FLIPS, MOST_PAGES = 4096, 64, 4
GOODS = "3034257bf400cb00000000{:02x}"


@dataclass(frozen=True, slots=True)
class Ground:
    """A store whose server has stopped: its files, and what its agent has sent."""

    folder: Path
    messages: list[Incoming]


async def lay_ground(folder: Path) -> Ground:
    """Members, and events of goods, all acknowledged."""
    folder.mkdir()
    write_seeded_store(folder)
    async with _opened(folder) as state:
        await state.members.import_csv((folder / "members.csv").read_text())
        edge = Edge(state, Clock())
        messages = [_arrived(edge, number) for number in range(EVENTS)]
        for start in range(0, EVENTS, BATCH):
            await edge.deliver(*messages[start : start + BATCH])
        assert state.marks.ack(("gw-1", edge.generation)).upto == EVENTS  # type: ignore[index]
    return Ground(folder, messages)


def _arrived(edge: Edge, number: int) -> Incoming:
    edge.clock.pass_s(0.1)
    at = to_datetime(edge.clock.now_ns)
    data = ItemArrived(zone="shoes", epc=GOODS.format(number % 50), detected_at=at, last_read_at=at, evidence=EVIDENCE)
    return edge.event(data, zone="shoes")


async def damage_server(ground: Ground, seed: int, folder: Path) -> Outcome:
    """One trial: a copy, the damage of its database, a start, and everything again."""
    rng, outcome = random.Random(f"server damage {seed}"), Outcome(seed, generated=EVENTS)
    shutil.copytree(ground.folder, folder)
    path = load_config(folder / "server.toml").database
    damage(path, rng)
    began = time.perf_counter()
    try:
        async with _opened(folder) as state:
            outcome.recovery_s = time.perf_counter() - began
            await _look(ground, state, path, outcome)
    except ConfigError as error:
        outcome.broken.append(f"does not start: {error}".replace(str(folder), ""))
    return outcome


def damage(path: Path, rng: random.Random) -> None:
    """Of the file as it lies there: bytes flipped, pages zeroed, its end cut off, or all of it."""
    data = bytearray(path.read_bytes())
    match rng.choices(("flip", "blank", "cut", "empty"), (5, 3, 2, 1))[0]:
        case "flip":
            for _ in range(rng.randint(1, MOST_FLIPS)):
                data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        case "blank":
            for _ in range(rng.randint(1, MOST_PAGES)):
                start = rng.randrange(len(data) // PAGE_BYTES) * PAGE_BYTES
                data[start : start + PAGE_BYTES] = bytes(PAGE_BYTES)
        case "cut":
            del data[rng.randrange(1, len(data)) :]
        case _:
            data.clear()
    path.write_bytes(data)


async def _look(ground: Ground, state: ServerState, path: Path, outcome: Outcome) -> None:
    edge, said = Edge(state, Clock()), alarm(path)
    if said is not None:
        with suppress(NotFound):  # not even a table
            outcome.expect(await edge.handle_of(RIVER) is None, "somebody is recognised without a sure consent")
    wanted = {number: message.payload for number, message in enumerate(ground.messages, 1)}
    before = await _events(state)
    for start in range(0, EVENTS, BATCH):
        await edge.deliver(*ground.messages[start : start + BATCH])
    after = await _events(state)
    async with state.db.session() as session:
        sound = (await session.execute(text("PRAGMA integrity_check"))).scalar_one()
    outcome.stored_once = len(after.keys() & wanted.keys())
    outcome.duplicates = len(after) - outcome.stored_once
    outcome.extra |= {
        "set_aside": int(said is not None),
        "rows_saved": len(before),
        "altered_unnoticed": sum(
            _data(after[number]) != _data(wanted[number]) for number in after.keys() & wanted.keys()
        ),
    }
    outcome.expect(sound == "ok", "it works on an unsound database")


def _data(payload: bytes) -> bytes:
    return payload.partition(b'"data":')[2]


async def _events(state: ServerState) -> dict[int, bytes]:
    async with state.db.session() as session:
        return dict((await session.execute(select(EventRow.seq, EventRow.payload))).tuples().all())


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[ServerState]:
    config = load_config(folder / "server.toml")
    async with opened(config, load_site(folder / "site.toml"), Clock()) as state:
        yield state
