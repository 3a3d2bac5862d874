"""A visit that stays: stored, told to the page, and a trigger of rules."""

from broker_config.messages import VisitDwelled
from server.clock import to_datetime
from server.decisions.rules import load_rules
from server.tables import EventRow
from tests.server.harness import EVIDENCE, RIVER, Edge, token


def dwelled(edge: Edge, visit: str, zone: str = "fitting", *, age_s: float = 0.0):
    at = to_datetime(edge.clock.now_ns - round(age_s * 1e9))
    data = VisitDwelled(zone=zone, visit=visit, dwell_s=20.4, detected_at=at, last_read_at=at, evidence=EVIDENCE)
    return edge.event(data, age_s=age_s, zone=zone)


def rule_on(store, state, mode: str = "live") -> None:
    path = store / "rules.yaml"
    path.write_text(path.read_text().replace("state: off ", f"state: {mode} "))
    state.decisions.rules = load_rules(path, state.site)


async def test_a_dwell_is_stored_once_and_told_to_the_page(edge, state, clock):
    await edge.visit(RIVER, "fitting", token(1))
    clock.pass_s(20)
    message = dwelled(edge, token(1))
    async with state.feed.listen() as happenings:
        await edge.deliver(message)
        await edge.deliver(message)
        told = [happenings.get_nowait() for _ in range(happenings.qsize())]
    assert [(h.kind, h.what, h.place, h.facts["dwell_s"]) for h in told] == [("visit", "dwelled", "fitting", 20.4)]
    async with state.db.session() as session:
        row = await session.get(EventRow, f"gw-1.{edge.generation}.2")
    assert row.type == "tacet.visit.dwelled.v1"
    assert state.inbox.counters.duplicates == 1
    assert state.visits.counts() == {"fitting": 1}


async def test_who_dwells_has_been_seen(edge, state, clock):
    await edge.visit(RIVER, "fitting", token(1))
    await edge.deliver(edge.left("fitting", token(1), reason="timeout"))
    clock.pass_s(state.site.visit_gap_s - 1)
    await edge.deliver(dwelled(edge, token(1)))
    clock.pass_s(state.site.visit_gap_s)
    async with state.ledger.transaction() as work:
        state.visits.close_overdue(work)
    assert token(1) in state.visits._by_token


async def test_the_demos_rule_on_staying_is_off(edge, state):
    await edge.visit(RIVER, "fitting", token(1))
    before = len(await state.decisions.latest(50))
    await edge.deliver(dwelled(edge, token(1)))
    assert len(await state.decisions.latest(50)) == before


async def test_a_dwell_sets_off_the_rules_on_it_and_only_those(edge, state, store, clock):
    rule_on(store, state)
    await edge.visit(RIVER, "fitting", token(1))
    edge.outgoing()
    clock.pass_s(20)
    await edge.deliver(dwelled(edge, token(1)))
    (moment,) = edge.moments()
    assert moment.content == "fitting-help"
    newest = (await state.decisions.latest(50))[0]
    assert (newest.rule, newest.data["trigger"], newest.visit) == ("fitting-patience", "visit.dwelled", token(1))


async def test_a_dwell_that_comes_late_or_of_a_token_nobody_knows_decides_nothing(edge, state, store):
    rule_on(store, state)
    await edge.visit(RIVER, "fitting", token(1))
    before = len(await state.decisions.latest(50))
    await edge.deliver(dwelled(edge, token(1), age_s=60))
    await edge.deliver(dwelled(edge, token(9)))
    assert len(await state.decisions.latest(50)) == before
