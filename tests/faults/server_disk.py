"""The server on a disk that somebody fills: what it has acknowledged is there, and what it cannot write it does not acknowledge."""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec
from sqlalchemy import select

import server.inbox
from broker_config.messages import EdgeAck, ItemArrived
from broker_config.site import load_site
from server.app import create_app
from server.clock import to_datetime
from server.config import load_config
from server.link import Incoming
from server.runtime import opened
from server.state import ServerState
from server.tables import EventRow
from tests.faults.report import Outcome
from tests.server.harness import EVIDENCE, Clock, Edge
from tests.support.identities import write_seeded_store
from tests.support.patience import STANDSTILL_S, WAIT_S, eventually

BATCH = 20
RECOVER_S = 10.0 + STANDSTILL_S  # `rows.full_disk` asks for more, on a machine that is known to be quiet


async def fill_server_disk(folder: Path, seed: int, fill: Callable[[Path], Path] | None = None) -> Outcome:
    """Events come in while the disk is filled and freed again."""
    from tests.faults.full_disk import fill as fill_up

    outcome, clock = Outcome(seed), Clock()
    server.inbox.RETRY_S = 0.2
    with tempfile.TemporaryDirectory() as elsewhere:
        config = load_config(write_seeded_store(Path(elsewhere)))
        config = msgspec.structs.replace(config, data=str(folder / "server"))
        site = load_site(Path(config.site))
        async with opened(config, site, clock) as state:
            edge, numbers = Edge(state, clock), itertools.count(seed * 1000)
            await edge.deliver(*(_arrived(edge, n) for n in itertools.islice(numbers, BATCH)))
            outcome.expect(await _acked(edge) == BATCH, "nothing was acknowledged on a sound disk")
            filler = (fill or fill_up)(folder)
            freed = asyncio.Event()
            taking = asyncio.create_task(_take(edge, numbers, freed))
            await eventually(lambda: state.db.trouble)
            outcome.expect(await _acked(edge) <= await _stored(state), "acknowledged, and not stored")
            outcome.expect(await _ready(state) == 503, "ready, though it cannot write")
            filler.unlink()
            freed.set()
            began = time.perf_counter()
            with suppress(TimeoutError):
                await asyncio.wait_for(taking, WAIT_S)
            outcome.recovery_s = time.perf_counter() - began
            outcome.expect(outcome.recovery_s <= RECOVER_S, f"it took more than {RECOVER_S:.0f} s to recover")
            outcome.expect(await _ready(state) == 200, "not ready, though it can write again")
            outcome.generated = await _acked(edge)
        async with opened(config, site, clock) as state:
            outcome.stored_once = await _stored(state)
    return outcome


async def _take(edge: Edge, numbers: "itertools.count[int]", freed: asyncio.Event) -> None:
    """Batches; the one that has to wait for the disk is the last."""
    while not freed.is_set():
        batch = [_arrived(edge, n) for n in itertools.islice(numbers, BATCH)]
        await edge.deliver(*batch)


def _arrived(edge: Edge, number: int) -> Incoming:
    at = to_datetime(edge.clock.now_ns)
    data = ItemArrived(zone="shoes", epc=f"{number:024x}", detected_at=at, last_read_at=at, evidence=EVIDENCE)
    return edge.event(data, zone="shoes")


async def _acked(edge: Edge) -> int:
    edge.state.marks.owe_all()
    running = asyncio.create_task(edge.state.marks.run())
    await asyncio.sleep(0)
    running.cancel()
    return max(ack.upto for ack in edge.sent(EdgeAck))


async def _stored(state: ServerState) -> int:
    async with state.db.session() as session:
        return len(list(await session.scalars(select(EventRow.seq))))


async def _ready(state: ServerState) -> int:
    state.link.connected = True
    app = create_app(state.config)
    app.state.tacet = state
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=state.config.origin) as http:
        return (await http.get("/readyz")).status_code
