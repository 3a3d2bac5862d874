"""Many events in one message: each is judged, stored and acknowledged as if it had come by itself."""

import asyncio
from contextlib import suppress

from sqlalchemy import select

from broker_config.messages import EdgeAck, EdgeBacklog, EdgeState, PostedRow
from server.clock import to_datetime
from server.link import Incoming
from server.tables import BadMessageRow, EventRow
from tests.server.harness import RIVER, Edge, token
from tests.server.test_inbox import acks, arrived
from tests.support.patience import eventually


def together(edge: Edge, *messages: Incoming) -> Incoming:
    rows = tuple(PostedRow(each.topic, each.payload.decode()) for each in messages)
    return edge.said(EdgeBacklog(generation=edge.generation, rows=rows), agent="gw-1")


async def take_in(state, *messages: Incoming) -> None:
    """As it comes from the broker, through the inbox's own loop."""
    running = asyncio.create_task(state.inbox.run())
    batches = state.inbox.counters.batches
    for message in messages:
        state.link.incoming.put_nowait(message)
    await eventually(lambda: running.done() or (state.link.incoming.empty() and state.inbox.counters.batches > batches))
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def stored(state) -> list[tuple[int, str]]:
    async with state.db.session() as session:
        return [(row.seq, row.topic) for row in await session.scalars(select(EventRow).order_by(EventRow.seq))]


async def bad(state) -> list[tuple[str, str]]:
    async with state.db.session() as session:
        return [(row.topic, row.why) for row in await session.scalars(select(BadMessageRow))]


async def test_each_event_of_a_message_of_many_is_stored_once_and_acknowledged(edge, state):
    one, two, three = (arrived(edge, seq) for seq in (1, 2, 3))
    await take_in(state, together(edge, one, two), together(edge, two, three))
    assert await stored(state) == [(seq, one.topic) for seq in (1, 2, 3)]
    assert state.inbox.counters.duplicates == 1
    assert (await acks(state))[-1].upto == 3


async def test_a_poisoned_or_foreign_event_is_set_aside_and_its_neighbours_are_not(edge, state):
    poisoned = Incoming(arrived(edge, 2).topic, b"\x01", edge.clock.now_ns)
    foreign = Incoming("tacet/1/demo/display/d-door/shown", arrived(edge, 3).payload, edge.clock.now_ns)
    inner = together(edge, arrived(edge, 5))
    await take_in(state, together(edge, arrived(edge, 1), poisoned, foreign, inner, arrived(edge, 4)))
    assert [seq for seq, _ in await stored(state)] == [1, 4]
    assert sorted(topic for topic, _ in await bad(state)) == sorted([poisoned.topic, foreign.topic, inner.topic])


async def test_a_message_of_many_that_cannot_be_read_is_set_aside_as_one(edge, state):
    whole = together(edge, arrived(edge, 1), arrived(edge, 2))
    torn = Incoming(whole.topic, whole.payload[:-9], whole.received_ns)
    await take_in(state, torn, arrived(edge, 3))
    assert [seq for seq, _ in await stored(state)] == [3]
    assert [topic for topic, _ in await bad(state)] == [whole.topic]


async def test_an_old_event_of_a_message_of_many_is_history_and_reaches_no_screen(edge, state):
    handle = await edge.handle_of(RIVER)
    await take_in(state, together(edge, edge.entered("door", handle, token(1), age_s=3600)))
    assert state.inbox.counters.stale == 1
    assert edge.moments() == []


async def test_who_asks_is_told_that_messages_of_many_come_through_until_its_next_connection(edge, state):
    async def said() -> EdgeAck:
        await edge.deliver(arrived(edge))
        return (await acks(state))[-1]

    assert not (await said()).together
    await edge.deliver(edge.said(EdgeBacklog(generation=edge.generation), agent="gw-1"))
    (answer,) = await acks(state)
    assert (answer.generation, answer.upto, answer.together) == (edge.generation, 1, True)
    assert (await said()).together
    born = EdgeState(state="ready", session="s2", since=to_datetime(edge.clock.now_ns))
    await edge.deliver(edge.said(born, agent="gw-1"))
    assert not (await said()).together


async def test_an_agent_that_the_server_never_heard_of_is_answered_too(edge, state):
    await edge.deliver(edge.said(EdgeBacklog(generation="0123456789abcdef"), agent="gw-1"))
    assert await acks(state) == [EdgeAck(generation="0123456789abcdef", upto=0, together=True)]
