"""Events that an agent posts, because it has no broker; and messages set aside, tried again."""

import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import msgspec
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from broker_config.messages import (
    MAX_POST_BYTES,
    MAX_POST_ROWS,
    EdgeDropped,
    EventPost,
    ItemArrived,
    PostAnswer,
    PostedRow,
)
from server.app import create_app
from server.config import load_config
from server.link import Incoming
from server.state import ServerState
from server.summary import summary
from server.tables import BadMessageRow, EventRow
from server.work import Work
from tests.server.harness import EVIDENCE, RIVER, Clock, Edge, add_agent, token

ORIGIN = "http://127.0.0.1:18080"
GOODS = "3034257bf400cb0000000001"


@pytest.fixture
async def api(store, clock: Clock) -> AsyncIterator[tuple[httpx.AsyncClient, ServerState, Edge]]:
    """A whole server without a broker; its agent's words."""
    add_agent(store, "gw-2", ("exit",))
    app = create_app(load_config(store / "server.toml"), clock_ns=clock)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        state: ServerState = app.state.tacet
        await state.members.import_csv((store / "members.csv").read_text())
        edge = Edge(state, clock)
        edge.outgoing()
        yield client, state, edge


def arrived(edge: Edge, seq: int | None = None, zone: str = "shoes") -> Incoming:
    at = datetime.fromtimestamp(edge.clock.now_ns / 1e9, UTC)
    data = ItemArrived(zone=zone, epc=GOODS, detected_at=at, last_read_at=at, evidence=EVIDENCE)
    return edge.event(data, seq=seq, zone=zone)


def body(edge: Edge, *messages: Incoming, session: int = 1) -> bytes:
    rows = tuple(PostedRow(each.topic, each.payload.decode()) for each in messages)
    return msgspec.json.encode(EventPost(generation=edge.generation, session=f"{session:016x}", rows=rows))


async def post(api, content: bytes, agent: str = "gw-1", user: str | None = None, **headers: str) -> httpx.Response:
    client, state, _ = api
    credential = state.identities.agent(user or agent)
    auth = (credential.user, credential.password)
    return await client.post(f"/api/edge/{agent}/events", content=content, auth=auth, headers=headers)


def acks(answer: httpx.Response) -> list[tuple[str, int, tuple[tuple[int, int], ...]]]:
    assert answer.status_code == 200, answer.text
    said = msgspec.json.decode(answer.content, type=PostAnswer)
    return [(ack.generation, ack.upto, ack.missing) for ack in said.acks]


async def stored(state) -> int:
    async with state.db.session() as session:
        return await session.scalar(select(func.count()).select_from(EventRow))


async def test_posted_events_are_stored_once_and_acknowledged_in_the_answer(api):
    _, state, edge = api
    messages = [arrived(edge, seq) for seq in (1, 2, 5)]
    answer = await post(api, body(edge, *messages))
    assert acks(answer) == [(edge.generation, 2, ((3, 4),))]
    assert await stored(state) == 3
    await edge.deliver(*messages)  # the broker has them, too
    assert acks(await post(api, body(edge, *messages))) == [(edge.generation, 2, ((3, 4),))]
    assert (await stored(state), state.inbox.counters.duplicates) == (3, 6)
    assert state.items.counts() == {"shoes": 1}


async def test_a_fresh_event_is_news_by_whichever_way_it_comes_and_a_late_one_is_history(api, clock):
    _, _, edge = api
    handle = await edge.handle_of(RIVER)
    late = edge.entered("door", handle, token(1), age_s=16)
    await post(api, body(edge, late))
    assert not edge.moments()
    await post(api, body(edge, edge.entered("shoes", handle, token(1)), session=2))
    assert len(edge.moments()) == 1


async def test_a_declared_drop_closes_the_gap(api):
    _, _, edge = api
    drop = edge.said(EdgeDropped(generation=edge.generation, first=1, last=4, event_class="B"), agent="gw-1")
    assert acks(await post(api, body(edge, drop, arrived(edge, 5)))) == [(edge.generation, 5, ())]


async def test_gzip_is_understood(api):
    _, _, edge = api
    content = gzip.compress(body(edge, arrived(edge, 1)))
    assert acks(await post(api, content, **{"content-encoding": "gzip"})) == [(edge.generation, 1, ())]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "cannot be read"),
        (b"[" * 5000, "nests deeper"),
        (b"\xff", "cannot be read"),
        (b'{"generation":"x","session":"y","rows":[]}', "malformed"),
        (gzip.compress(b" " * (MAX_POST_BYTES + 1)), "more than"),
        (gzip.compress(b"{}")[:-6], "cut short"),
        (b"\x1f\x8b nothing", "cannot be read"),
    ],
    ids=["no object", "too deep", "no text", "no generation", "a bomb", "cut", "no gzip"],
)
async def test_a_body_that_is_none_is_refused(api, content, why):
    headers = {"content-encoding": "gzip"} if content.startswith(b"\x1f\x8b") else {}
    answer = await post(api, content, **headers)
    assert answer.status_code == 422
    assert why in answer.json()["error"]


async def test_too_many_rows_and_too_large_a_body_are_refused(api):
    _, state, edge = api
    answer = await post(api, body(edge, *[arrived(edge, 1)] * (MAX_POST_ROWS + 1)))
    assert answer.status_code in (413, 422)
    assert (await post(api, b" " * (1 << 20) + body(edge, arrived(edge, 1)))).status_code == 413
    assert await stored(state) == 0


async def test_nobody_posts_for_another_agent(api):
    client, state, edge = api
    assert (await post(api, body(edge, arrived(edge, 1)), agent="gw-2", user="gw-1")).status_code in (401, 403)
    assert (await client.post("/api/edge/gw-1/events", content=body(edge, arrived(edge, 1)))).status_code == 401
    assert await stored(state) == 0


async def test_anothers_topic_is_refused_counted_and_not_sent_for_ever(api):
    """A zone may have been given to another agent while its events were under way."""
    _, state, edge = api
    answer = await post(api, body(edge, arrived(edge, 1, zone="exit"), arrived(edge, 2)))
    assert acks(answer) == [(edge.generation, 2, ())]
    assert msgspec.json.decode(answer.content)["refused"] == 1
    assert (await stored(state), state.inbox.counters.foreign) == (1, 1)
    assert state.items.counts() == {"shoes": 1}


async def test_a_post_cannot_close_anothers_gaps_or_say_anothers_state(api):
    _, state, edge = api
    liar = Edge(state, edge.clock, agent="gw-2")
    drop = edge.said(EdgeDropped(generation=edge.generation, first=1, last=9, event_class="B"), agent="gw-1")
    answer = await post(api, body(liar, arrived(edge, 3), drop), agent="gw-2")
    assert acks(answer) == []
    assert state.marks.ack(("gw-1", edge.generation)).highest == 0
    assert (await stored(state), state.inbox.counters.foreign) == (0, 2)


async def test_a_database_that_cannot_be_written_acknowledges_nothing(api, monkeypatch):
    _, state, edge = api
    flush = Work.flush

    async def full(_self):
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(Work, "flush", full)
    assert (await post(api, body(edge, arrived(edge, 1)))).status_code == 503
    monkeypatch.setattr(Work, "flush", flush)
    assert acks(await post(api, body(edge, arrived(edge, 1)))) == [(edge.generation, 1, ())]
    assert await stored(state) == 1


async def test_agents_that_post_by_turns_under_one_name_are_clones(api):
    _, state, edge = api
    other = Edge(state, edge.clock, generation="b" * 16)
    for number, who in enumerate((edge, other, edge), 1):
        edge.clock.pass_s(1)
        answer = await post(api, body(who, arrived(who), session=number))
    assert msgspec.json.decode(answer.content)["quarantined"] is True
    assert state.clones.quarantined("gw-1")


async def test_a_post_that_was_on_its_way_when_the_agent_started_anew_is_no_clone(api):
    _, state, edge = api
    other = Edge(state, edge.clock, generation="b" * 16)
    await post(api, body(edge, arrived(edge), session=1))
    began_ns = edge.clock.now_ns
    edge.clock.pass_s(1)
    await post(api, body(other, arrived(other), session=1))
    read = msgspec.json.decode(body(edge, arrived(edge), session=2), type=EventPost)
    await state.delivery.post("gw-1", read, began_ns)
    assert not state.clones.quarantined("gw-1")


def owner(state: ServerState) -> dict[str, str]:
    return {"Authorization": f"Bearer {state.secrets.owner_token}"}


async def test_what_was_set_aside_is_listed_and_after_an_upgrade_taken_in_as_history(api):
    client, state, edge = api
    message = arrived(edge, 1)
    newer = Incoming(message.topic, message.payload.replace(b"arrived.v1", b"arrived.v7"), message.received_ns)
    await edge.deliver(newer)
    (listed,) = (await client.get("/api/bad", headers=owner(state))).json()
    assert (listed["topic"], "arrived.v7" in listed["why"], GOODS in str(listed)) == (message.topic, True, False)
    answer = await client.post("/api/bad/replay", headers=owner(state), json={"ids": [listed["id"]]})
    assert answer.json() == {"replayed": 0, "still_bad": 1}
    assert (await client.post("/api/bad/replay", headers=owner(state), json={"ids": ["no"]})).status_code == 404

    async with state.ledger.transaction() as work:  # as if this server had learnt to read it
        row = (await work.session.scalars(select(BadMessageRow))).one()
        row.payload = message.payload
    answer = await client.post("/api/bad/replay", headers=owner(state), json={})
    assert answer.json() == {"replayed": 1, "still_bad": 0}
    assert (await summary(state)).bad == 0
    assert (await stored(state), state.items.counts()) == (1, {"shoes": 1})
    async with state.db.session() as session:
        assert (await session.scalars(select(EventRow))).one().stale


async def test_an_upgrade_shows_nothing_of_what_it_reads_late_on_any_screen(api):
    _, state, edge = api
    handle = await edge.handle_of(RIVER)
    message = edge.entered("door", handle, token(1))
    async with state.ledger.transaction() as work:
        await state.inbox.replay(work, message)
    assert not edge.moments()
    assert state.visits.counts() == {"door": 1}
