"""One member, one visit, whichever agents see it; and its end."""

from broker_config.messages import (
    MAX_PAYLOAD_BYTES,
    EdgeState,
    Evidence,
    ItemArrived,
    MomentClear,
    MomentSet,
    VisitEnded,
    decode,
)
from broker_config.site import load_site
from server.clock import to_datetime
from server.config import load_config
from server.runtime import opened
from server.tables import VisitRow
from tests.server.harness import RIVER, XIAOYU, Clock, Edge, add_agent, token


async def test_tokens_of_two_agents_are_one_visit_and_count_once(store, clock: Clock):
    add_agent(store, "gw-2", ("till", "exit"))
    config = load_config(store / "server.toml")
    async with opened(config, load_site(store / "site.toml"), clock) as state:
        await state.members.import_csv((store / "members.csv").read_text())
        front, back = Edge(state, clock), Edge(state, clock, agent="gw-2", generation="00000000000000bb")
        await front.visit(RIVER, "door", token(1))
        (welcome,) = front.moments()
        clock.pass_s(2)
        await back.visit(RIVER, "till", token(2))
        sent = back.outgoing()
        assert "moment/set" in "".join(out.topic for out in sent)
        assert state.visits.counts() == {"door": 1, "till": 1}
        decisions = await state.decisions.latest(10)
        assert {d.visit for d in decisions} == {welcome.visit}
        await front.deliver(front.left("door", token(1)))
        assert state.visits.counts() == {"till": 1}


async def test_a_visit_ends_for_all_when_nobody_has_seen_it_for_the_gap(edge, state, clock):
    await edge.visit(RIVER, "door", token(1))
    await edge.deliver(edge.left("door", token(1), reason="exit"))
    edge.outgoing()
    clock.pass_s(state.site.visit_gap_s)
    async with state.ledger.transaction() as work:
        state.visits.close_overdue(work)
    assert not edge.sent(VisitEnded)  # the agents have the first word
    clock.pass_s(60)
    async with state.ledger.transaction() as work:
        state.visits.close_overdue(work)
    (ended,) = edge.sent(VisitEnded)
    assert (ended.visits, ended.cause) == ((token(1),), "timeout")
    async with state.db.session() as session:
        assert (await session.get(VisitRow, token(1))).cause == "timeout"


async def test_a_new_token_after_the_gap_is_a_new_visit_with_its_own_cap(edge, state, clock):
    for zone in ("door", "shoes", "fitting"):
        await edge.visit(RIVER, zone, token(1))
    await edge.deliver(edge.left("fitting", token(1), reason="exit"))
    edge.outgoing()
    clock.pass_s(state.site.visit_gap_s)
    await edge.visit(RIVER, "door", token(2))
    sent = edge.outgoing()
    ended = [data for out in sent if isinstance(data := decode(out.payload).data, VisitEnded)]
    moments = [data for out in sent if isinstance(data := decode(out.payload).data, MomentSet)]
    assert [e.visits for e in ended] == [(token(1),)]
    assert [m.visit for m in moments] == [token(2)]


async def test_a_second_token_within_the_gap_is_the_same_visit(edge, state, clock):
    await edge.visit(RIVER, "door", token(1))
    await edge.deliver(edge.left("door", token(1), reason="timeout"))
    clock.pass_s(state.site.visit_gap_s / 2)
    await edge.visit(RIVER, "shoes", token(2))
    assert {d.visit for d in await state.decisions.latest(10)} == {token(1)}


async def test_who_stands_in_a_zone_has_not_left_however_long(edge, state, clock):
    await edge.visit(RIVER, "fitting", token(1))
    clock.pass_s(3600)
    async with state.ledger.transaction() as work:
        state.visits.close_overdue(work)
    assert state.visits.counts() == {"fitting": 1}


async def test_an_agent_that_thinks_a_visit_goes_on_is_right(edge, state, clock):
    await edge.visit(RIVER, "door", token(1))
    await edge.deliver(edge.left("door", token(1), reason="exit"))
    clock.pass_s(700)
    async with state.ledger.transaction() as work:
        state.visits.close_overdue(work)
    await edge.visit(RIVER, "shoes", token(1))
    assert state.visits.counts() == {"shoes": 1}
    async with state.db.session() as session:
        assert (await session.get(VisitRow, token(1))).closed_ns is None


async def test_an_entry_from_before_the_end_that_was_told_puts_nobody_in_the_store(edge, state, clock):
    await edge.visit(RIVER, "door", token(1))
    late = edge.entered("shoes", await edge.handle_of(RIVER), token(1))
    await edge.deliver(edge.left("door", token(1), reason="exit"))
    clock.pass_s(700)
    async with state.ledger.transaction() as work:
        state.visits.close_overdue(work)
    await edge.deliver(late)
    assert state.visits.counts() == {}, "its agent was told to forget the token"
    clock.pass_s(1)
    await edge.deliver(edge.entered("fitting", await edge.handle_of(RIVER), token(1)))
    assert state.visits.counts() == {"fitting": 1}, "what comes after the end says that its agent goes on"


async def test_an_old_entry_does_not_pull_a_visit_back(edge, state, clock):
    handle = await edge.handle_of(RIVER)
    clock.pass_s(5)
    await edge.deliver(edge.entered("shoes", handle, token(1)))
    await edge.deliver(edge.entered("door", handle, token(1), age_s=4))
    assert state.visits.counts() == {"shoes": 1}


async def test_open_visits_and_their_caps_survive_a_restart(edge, state, store, clock):
    await edge.visit(RIVER, "door", token(1))
    await edge.visit(RIVER, "shoes", token(1))
    async with opened(load_config(store / "server.toml"), load_site(store / "site.toml"), clock) as again:
        survivor = Edge(again, clock, seqs=edge.seqs)
        assert again.visits.counts() == {"shoes": 1}
        await survivor.visit(RIVER, "fitting", token(1))
        assert len(survivor.moments()) == 1
        await survivor.visit(RIVER, "till", token(1))
        assert not survivor.moments()


async def test_two_members_have_two_visits(edge, state):
    await edge.visit(RIVER, "door", token(1))
    await edge.visit(XIAOYU, "door", token(2))
    assert state.visits.counts() == {"door": 2}
    edge.sent(MomentClear)


def born(edge: Edge, started_ns: int):
    return edge.said(
        EdgeState(state="ready", session="s", since=to_datetime(started_ns), started=to_datetime(started_ns)),
        agent="gw-1",
    )


def arrived(edge: Edge, at_ns: int):
    seen = to_datetime(at_ns)
    evidence = Evidence(reads=2, rssi_dbm=-50.0)
    return edge.event(
        ItemArrived(zone="shoes", epc="3034", detected_at=seen, last_read_at=seen, evidence=evidence), zone="shoes"
    )


async def test_an_agent_that_starts_anew_leaves_no_ghosts_in_the_store(edge, state, clock):
    await edge.visit(RIVER, "door", token(1))
    await edge.deliver(arrived(edge, clock()))
    clock.pass_s(1)
    await edge.deliver(born(edge, clock()))
    assert (state.visits.counts(), state.items.counts()) == ({}, {})
    clock.pass_s(1)
    await edge.deliver(arrived(edge, clock()))  # what it sees now counts again
    await edge.visit(RIVER, "shoes", token(2))
    assert (state.visits.counts(), state.items.counts()) == ({"shoes": 1}, {"shoes": 1})
    await edge.deliver(born(edge, clock() - 1_000_000_000))  # the same start, told again
    assert (state.visits.counts(), state.items.counts()) == ({"shoes": 1}, {"shoes": 1})


async def test_after_an_agents_restart_and_the_gap_a_member_has_a_new_visit_and_cap(edge, state, clock):
    for zone in ("door", "shoes", "fitting"):
        await edge.visit(RIVER, zone, token(1))
    clock.pass_s(1)
    await edge.deliver(born(edge, clock()))
    clock.pass_s(state.site.visit_gap_s)
    edge.outgoing()
    await edge.visit(RIVER, "door", token(2))
    assert [moment.visit for moment in edge.moments()] == [token(2)]


async def test_what_an_earlier_process_saw_and_sends_late_puts_nobody_in_the_store(edge, state, clock):
    old = arrived(edge, clock())
    clock.pass_s(1)
    await edge.deliver(born(edge, clock()))
    await edge.deliver(old)
    assert state.items.counts() == {}


async def test_who_left_before_the_entry_came_is_nowhere_and_is_not_greeted(edge, state, clock):
    handle = await edge.handle_of(RIVER)
    entered = edge.entered("door", handle, token(1))
    clock.pass_s(3)
    left = edge.left("door", token(1))
    await edge.deliver(left)
    await edge.deliver(entered)
    assert state.visits.counts() == {}
    assert not edge.moments()
    clock.pass_s(3)
    await edge.visit(RIVER, "door", token(1))
    assert state.visits.counts() == {"door": 1}, "an old leaving does not end a new entry"
    (greeting,) = edge.moments()
    assert greeting.display == "d-door"


async def test_a_leaving_that_overtakes_the_entry_of_one_who_is_elsewhere_counts_all_the_same(edge, state, clock):
    await edge.visit(RIVER, "door", token(1))
    handle = await edge.handle_of(RIVER)
    clock.pass_s(3)
    entered = edge.entered("shoes", handle, token(1))
    clock.pass_s(3)
    await edge.deliver(edge.left("shoes", token(1)))
    await edge.deliver(entered)
    assert state.visits.counts() == {}


async def test_who_entered_one_zone_before_they_left_another_is_there_though_the_entry_comes_last(edge, state, clock):
    await edge.visit(RIVER, "shoes", token(1))  # with one card; the other is read at the door
    handle = await edge.handle_of(RIVER)
    clock.pass_s(3)
    entered = edge.entered("door", handle, token(1))
    clock.pass_s(3)
    await edge.deliver(edge.left("shoes", token(1)))
    await edge.deliver(entered)
    assert state.visits.counts() == {"door": 1}


async def test_a_leaving_ends_every_entry_up_to_its_time_however_many_come_after_it(edge, state, clock):
    handle = await edge.handle_of(RIVER)
    entries = []
    for _ in range(2):
        entries.append(edge.entered("door", handle, token(1)))
        clock.pass_s(3)
    await edge.deliver(edge.left("door", token(1)))
    for entered in entries:
        await edge.deliver(entered)
        assert state.visits.counts() == {}
    assert not edge.moments()


async def test_a_leaving_ends_an_entry_that_comes_after_it_and_a_restart(edge, state, store, clock):
    handle = await edge.handle_of(RIVER)
    await edge.deliver(edge.entered("door", handle, token(1)))
    clock.pass_s(3)
    again = edge.entered("door", handle, token(1))
    clock.pass_s(3)
    await edge.deliver(edge.left("door", token(1)))
    async with opened(load_config(store / "server.toml"), load_site(store / "site.toml"), clock) as restarted:
        await Edge(restarted, clock).deliver(again)
        assert restarted.visits.counts() == {}


async def test_the_end_of_a_visit_of_very_many_tokens_is_told_in_messages_that_a_broker_takes(edge, state):
    handle = await edge.handle_of(RIVER)
    tokens = {token(number) for number in range(1, 2501)}
    await edge.deliver(*[edge.entered("door", handle, each) for each in sorted(tokens)])
    edge.outgoing()
    async with state.ledger.transaction() as work:
        state.visits._end(work, state.visits._by_token[token(1)], "timeout")
    ended = [out for out in edge.outgoing() if out.topic.endswith("/visit-ended")]
    assert max(len(out.payload) for out in ended) <= MAX_PAYLOAD_BYTES
    told = [each for out in ended for each in decode(out.payload).data.visits]
    assert sorted(told) == sorted(tokens)
