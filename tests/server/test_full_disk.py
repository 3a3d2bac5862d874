"""A disk that takes no writes: nothing is acknowledged, `/readyz` says so, and all goes on by itself afterwards."""

import asyncio

import httpx
import pytest

import server.db
import server.inbox
from broker_config.messages import EdgeAck
from server.app import create_app
from server.summary import status
from tests.server.harness import RIVER, token
from tests.support.patience import WAIT_S, eventually

BROKEN = {"full": "max_page_count=1", "read-only": "query_only=ON"}
"""SQLite's own ways to refuse; the first stops at the file's present size."""
EVENTS = 60


@pytest.fixture
async def http(state):
    app = create_app(state.config)
    app.state.tacet = state
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=state.config.origin) as client:
        yield client


@pytest.fixture
async def handle(edge):
    return await edge.handle_of(RIVER)


@pytest.fixture(params=BROKEN)
async def broken(state, handle, request, monkeypatch):
    """The database takes no more writes; calling this mends it."""
    monkeypatch.setattr(server.inbox, "RETRY_S", 0.01)
    monkeypatch.setattr(server.db, "PRAGMAS", (*server.db.PRAGMAS, BROKEN[request.param]))
    await state.db._engine.dispose()

    async def mend() -> None:
        monkeypatch.undo()
        async with state.db._writer:  # a connection in use would not be closed
            await state.db._engine.dispose()

    return mend


async def acks(edge):
    running = asyncio.create_task(edge.state.marks.run())
    await asyncio.sleep(0)
    running.cancel()
    return edge.sent(EdgeAck)


async def arrive(edge, handle):
    """A batch that does not fit into what the file has."""
    await edge.deliver(*(edge.entered("door", handle, token(number)) for number in range(EVENTS)))


async def test_what_cannot_be_written_is_not_acknowledged_until_it_can(edge, state, http, handle, broken):
    state.link.connected = True
    taking = asyncio.create_task(arrive(edge, handle))
    await eventually(lambda: state.db.trouble)
    assert (taking.done(), await acks(edge)) == (False, [])
    answer = await http.get("/readyz")
    assert (answer.status_code, "cannot be written" in answer.text) == (503, True)
    assert "free some space" in status(state).alarm
    await broken()
    await asyncio.wait_for(taking, WAIT_S)
    assert [ack.upto for ack in await acks(edge)] == [EVENTS]
    assert (await http.get("/readyz")).status_code == 200
    assert status(state).alarm is None


async def test_a_transaction_with_nothing_to_write_does_not_pass_for_a_disk_that_works(edge, state, handle, broken):
    taking = asyncio.create_task(arrive(edge, handle))
    await eventually(lambda: state.db.trouble)
    taking.cancel()
    if "readonly" in state.db.trouble:
        with pytest.raises(server.db.OperationalError):
            async with state.ledger.transaction():
                pass
        assert state.db.trouble
    await broken()
    async with state.ledger.transaction():
        pass
    assert not state.db.trouble, "and without an event, housekeeping finds out that it works again"


async def test_a_call_that_cannot_be_written_is_answered_by_one_line(state, http, broken, store):
    owner = {"Authorization": f"Bearer {state.secrets.owner_token}"}
    card = "".join(f"{number:024x},River,en,,,recognise,,\n" for number in range(0xA00, 0xA80))
    body = (store / "members.csv").read_text().splitlines()[0] + "\n" + card
    answer = await http.post("/api/members/import", headers=owner, content=body)
    assert (answer.status_code, "free some space" in answer.json()["error"]) == (503, True)
    await broken()
    assert (await http.post("/api/members/import", headers=owner, content=body)).status_code == 200
