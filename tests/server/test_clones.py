"""Two agents under one identity are seen, and a restart or a disk put back is none of that."""

import itertools
from dataclasses import replace

import pytest

from broker_config.messages import EdgeQuarantined, EdgeState
from broker_config.site import load_site
from server.clock import to_datetime
from server.clones import Speech
from server.config import load_config
from server.errors import NotFound
from server.runtime import opened
from server.summary import status
from server.tables import EventRow
from tests.server.harness import RIVER, Edge, token

A, B, C = "a" * 16, "b" * 16, "c" * 16


def born(edge: Edge, generation: str, session: int, state: str = "ready"):
    edge.clock.pass_s(1)
    said = EdgeState(
        state=state,
        session=f"{session:016x}",
        since=to_datetime(edge.clock.now_ns),
        generation=generation,
        generations=(generation,),
    )
    return edge.said(said, agent="gw-1")


async def told(edge: Edge) -> list[bool]:
    return [said.quarantined for said in edge.sent(EdgeQuarantined)]


async def test_a_generation_that_speaks_again_after_another_began_is_a_clone(edge, state, caplog):
    await edge.deliver(born(edge, A, 1), born(edge, B, 1))
    assert not state.clones.quarantined("gw-1")
    assert status(state).alarm is None
    await edge.deliver(born(edge, A, 2))
    assert state.clones.quarantined("gw-1")
    assert (await told(edge))[-1] is True
    assert "tacet server clones --release gw-1" in status(state).alarm
    assert [agent.quarantined for agent in status(state).agents if agent.agent == "gw-1"] == [True]
    assert "gw-1 is there twice" in caplog.text


@pytest.mark.parametrize(
    "story",
    [
        [(A, 1), (A, 2), (A, 3)],  # a line that is bad
        [(A, 1), (A, 2), (B, 1), (B, 2), (C, 1)],  # starts anew
        [(A, 1), (A, 2), (B, 1), (A, 1), (A, 2), (B, 1), (B, 2)],  # the broker tells all of it again
        [(B, 5), (C, 6), (A, 2), (A, 3)],  # a disk put back: fewer starts than were known
    ],
)
async def test_restarts_and_disks_put_back_are_no_clones(edge, state, story):
    for generation, session in story:
        await edge.deliver(born(edge, generation, session))
    assert not state.clones.quarantined("gw-1")
    assert True not in await told(edge)


async def test_the_last_will_of_an_earlier_start_is_no_clone(edge, state):
    await edge.deliver(born(edge, A, 1), born(edge, B, 1), born(edge, A, 2, "lost"))
    assert not state.clones.quarantined("gw-1")
    assert state.fleet.agents["gw-1"].state == "ready"


async def test_a_birth_that_waited_in_the_broker_while_its_agent_started_anew_is_no_clone(edge, state):
    await edge.deliver(born(edge, A, 1))
    late = born(edge, A, 2)  # the server has no broker: this waits for it there
    edge.clock.pass_s(60)
    now_ns = edge.clock.now_ns
    await state.inbox.take([], Speech("gw-1", B, f"{1:016x}", now_ns, now_ns))  # after a power cut, by HTTP
    edge.clock.pass_s(60)
    await edge.deliver(replace(late, received_ns=edge.clock.now_ns), born(edge, B, 2))
    assert not state.clones.quarantined("gw-1")


async def test_what_both_say_is_stored_and_acknowledged_and_does_nothing(edge, state):
    handle = await edge.handle_of(RIVER)
    await edge.deliver(born(edge, A, 1), born(edge, B, 1), born(edge, A, 2))
    edge.outgoing()
    for generation in (A, B):
        edge.generation = generation
        edge.seqs = itertools.count(1)
        await edge.deliver(edge.entered("door", handle, token(1)))
    assert not edge.moments()
    assert state.visits.counts() == {}
    async with state.db.session() as session:
        rows = [await session.get(EventRow, f"gw-1.{generation}.1") for generation in (A, B)]
    assert [row.stale for row in rows] == [True, True]
    assert [state.marks.ack(("gw-1", each)).upto for each in (A, B)] == [1, 1]
    assert state.inbox.counters.withheld == 2


async def test_who_was_there_is_nowhere_once_nobody_can_tell(edge, state):
    await edge.deliver(born(edge, A, 1))
    edge.generation = A
    await edge.visit(RIVER, "door", token(1))
    assert state.visits.counts() == {"door": 1}
    await edge.deliver(born(edge, B, 1), born(edge, A, 2))
    assert state.visits.counts() == {}


async def test_a_restart_of_the_server_forgets_neither_the_speakers_nor_the_quarantine(edge, state, store, clock):
    config, site = load_config(store / "server.toml"), load_site(store / "site.toml")
    await edge.deliver(born(edge, A, 1), born(edge, B, 1))
    async with opened(config, site, clock) as again:
        await Edge(again, clock).deliver(born(edge, A, 2))
        assert again.clones.quarantined("gw-1")
    async with opened(config, site, clock) as third:
        assert third.clones.quarantined("gw-1")
        assert status(third).alarm


async def test_a_released_agent_acts_again_and_a_clone_that_is_still_there_is_seen_again(edge, state):
    await edge.deliver(born(edge, A, 1), born(edge, B, 1), born(edge, A, 2))
    edge.outgoing()
    async with state.ledger.transaction() as work:
        await state.clones.release(work, "gw-1")
    assert await told(edge) == [False]
    assert status(state).alarm is None
    edge.generation = A
    await edge.visit(RIVER, "door", token(1))
    assert len(edge.moments()) == 1
    await edge.deliver(born(edge, A, 3))
    assert not state.clones.quarantined("gw-1"), "what was before the release counts no more"
    await edge.deliver(born(edge, B, 2), born(edge, A, 4))
    assert state.clones.quarantined("gw-1")
    with pytest.raises(NotFound):
        async with state.ledger.transaction() as work:
            await state.clones.release(work, "gw-9")


async def test_every_birth_is_told_how_it_stands(edge):
    await edge.deliver(born(edge, A, 1))
    assert await told(edge) == [False]


async def test_only_the_newest_speakers_are_kept(edge, state, store, clock):
    for number in range(30):
        await edge.deliver(born(edge, f"{number:016x}", 1))
    config, site = load_config(store / "server.toml"), load_site(store / "site.toml")
    async with opened(config, site, clock) as again:
        assert [each.generation for each in again.clones._speakers["gw-1"]] == [f"{n:016x}" for n in range(10, 30)]
