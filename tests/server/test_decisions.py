"""From a member at a door to a moment on a screen, or to a reason for none."""

import pytest

from broker_config.messages import ActuatorResult, DecisionMade, MomentClear
from readers.epc import encode, parse
from server.decisions.engine import replay
from server.errors import NotFound
from server.summary import summary
from tests.server.harness import ASH, ASONG, RIVER, SKY, WREN, XIAOYU, token


async def test_a_member_at_the_door_is_welcomed_on_its_screen(edge, state):
    await edge.visit(RIVER, "door", token(1))
    (moment,) = edge.moments()
    assert (moment.display, moment.content, moment.visit, moment.ttl_ms) == ("d-door", "welcome", token(1), 8000)
    assert moment.because["zh-Hant"] == "您同意讓我們認出您"
    (decision,) = await state.decisions.latest(10)
    assert (decision.outcome, decision.reason, decision.decision) == ("shown", None, moment.decision)
    assert [gate.gate for gate in decision.gates] == [
        "purpose", "screen_class", "quiet_hours", "frequency_cap", "interest",
    ]  # fmt: skip


async def test_a_moment_speaks_the_members_language(edge):
    await edge.visit(XIAOYU, "door", token(1))
    assert edge.moments()[0].language == "zh-Hant"


@pytest.mark.parametrize(
    ("card", "zone", "reason"),
    [
        (SKY, "door", "quiet_hours"),
        (ASONG, "shoes", "purpose"),
        (WREN, "shoes", "interest"),
        (ASH, "shoes", "interest"),
    ],
)
async def test_a_no_is_stored_with_its_reason_and_shows_nothing(edge, state, card, zone, reason):
    await edge.visit(card, zone, token(1))
    decisions = await state.decisions.latest(10)
    first = next(d for d in decisions if d.rule in ("welcome", "trail-runners"))
    assert (first.outcome, first.reason) == ("not_shown", reason)
    index = [gate.gate for gate in first.gates].index(reason)
    assert [gate.passed for gate in first.gates] == [True] * index + [False] + [None] * (4 - index)
    assert not [m for m in edge.moments() if m.decision == first.decision]


async def test_two_rules_on_one_screen_do_not_talk_over_each_other(edge, state):
    await edge.visit(RIVER, "shoes", token(1))  # likes running and hiking
    assert [moment.content for moment in edge.moments()] == ["trail-runners"]
    silent = [d for d in await state.decisions.latest(10) if d.outcome == "not_shown"]
    assert [(d.rule, d.reason) for d in silent] == [("rain-jackets", "frequency_cap")]
    assert "another message" in silent[0].say["en"]


async def test_the_cap_of_three_holds_for_the_visit(edge, state, clock):
    for zone in ("door", "shoes", "fitting", "till"):
        clock.pass_s(3)
        await edge.visit(RIVER, zone, token(1))
    assert [moment.content for moment in edge.moments()] == ["welcome", "trail-runners", "fitting-help"]
    newest = (await state.decisions.latest(1))[0]
    assert (newest.rule, newest.reason) == ("thanks", "frequency_cap")
    assert newest.say["en"] == "Stayed silent: 3 messages in this visit already, and the member wants no more than 3."


async def test_every_stored_decision_replays_to_the_same_outcome(edge, state, clock):
    for number, card in enumerate((RIVER, XIAOYU, ASH, WREN, ASONG, SKY)):
        for zone in ("door", "shoes", "fitting", "till", "desk"):
            clock.pass_s(2)
            await edge.visit(card, zone, token(number))
        await edge.deliver(edge.picked())
    decisions = await state.decisions.latest(500)
    assert len(decisions) > 30
    for decision in decisions:
        verdict = replay(decision)
        assert (verdict.outcome, verdict.reason, verdict.gates) == (decision.outcome, decision.reason, decision.gates)


async def test_a_pick_lights_the_lamp_and_names_nobody(edge, state):
    await edge.deliver(edge.picked())
    (order,) = edge.orders()
    assert (order.actuator, order.on, order.hold_ms) == ("lamp-s1", True, 6000)
    (decision,) = await state.decisions.latest(10)
    assert (decision.outcome, decision.visit, decision.data["member"]) == ("acted", None, None)
    result = ActuatorResult(actuator="lamp-s1", version=order.version, decision=order.decision, result="done")
    await edge.deliver(edge.event(result, actuator="lamp-s1"))
    assert (await summary(state)).actuations == 1


TRAIL_RUNNER = "00614141008124"
TRAIL_RUNNER_EPC = encode(parse("urn:epc:tag:sgtin-96:3.0614141.000812.7")).hex()
TRAIL_RUNNER_LONG_EPC = encode(parse("urn:epc:tag:sgtin-198:3.0614141.000812.A7")).hex()
TRAIL_RUNNER_PLUS_EPC = encode(parse(f"(01){TRAIL_RUNNER}(21)A7", "sgtin+")).hex()


@pytest.mark.parametrize(
    ("what", "gtin", "name"),
    [
        ({"gtin": TRAIL_RUNNER}, TRAIL_RUNNER, "越野跑鞋"),
        ({"epc": TRAIL_RUNNER_EPC}, TRAIL_RUNNER, "越野跑鞋"),
        ({"epc": TRAIL_RUNNER_LONG_EPC}, TRAIL_RUNNER, "越野跑鞋"),
        ({"epc": TRAIL_RUNNER_PLUS_EPC}, TRAIL_RUNNER, "越野跑鞋"),
        ({"epc": TRAIL_RUNNER_EPC, "gtin": "00614141000913"}, "00614141000913", "高爾夫手套"),
        ({"gtin": "00000000000000"}, "00000000000000", None),
        ({"epc": RIVER}, None, None),
        ({"epc": "not hex"}, None, None),
        ({}, None, None),
    ],
)
async def test_a_shelfs_event_names_its_article_by_gtin_or_else_by_epc(edge, state, what, gtin, name):
    async with state.feed.listen() as happenings:
        await edge.deliver(edge.picked(**what))
    told = happenings.get_nowait()
    assert (told.kind, told.what, told.facts["gtin"]) == ("shelf", "pick", gtin)
    assert (told.facts["article"] or {}).get("zh-Hant") == name
    (decision,) = await state.decisions.latest(10)
    assert decision.data["gtin"] == gtin
    assert replay(decision).outcome == "acted"


async def test_a_moment_is_taken_away_when_its_visit_has_gone_to_another_zone(edge, clock):
    await edge.visit(RIVER, "door", token(1))
    (moment,) = edge.moments()
    clock.pass_s(2)
    await edge.deliver(edge.left("door", token(1)))
    (clear,) = edge.sent(MomentClear)
    assert (clear.display, clear.decision, clear.visit) == ("d-door", moment.decision, token(1))
    assert clear.version > moment.version


async def test_a_moment_stays_while_its_visit_is_still_there(edge):
    await edge.visit(RIVER, "door", token(1))
    edge.outgoing()
    await edge.visit(RIVER, "door", token(2))  # seen there by a second token as well
    assert not edge.sent(MomentClear)


async def test_a_body_in_the_way_does_not_blank_the_screen(edge):
    await edge.visit(RIVER, "door", token(1))
    await edge.deliver(edge.left("door", token(1), reason="timeout"))
    assert not edge.sent(MomentClear)


async def test_another_visits_moment_stays_when_one_leaves(edge):
    await edge.visit(RIVER, "door", token(1))
    await edge.visit(XIAOYU, "door", token(2))  # replaces it on that screen
    edge.outgoing()
    await edge.deliver(edge.left("door", token(1)))
    assert not edge.sent(MomentClear)


async def test_an_event_after_its_expiry_is_stored_and_decides_nothing(edge, state):
    handle = await edge.handle_of(RIVER)
    await edge.deliver(edge.entered("door", handle, token(1), age_s=60))
    assert not edge.moments()
    assert (await summary(state)).events == 1
    assert (await summary(state)).decisions == 0
    assert state.inbox.counters.stale == 1
    assert state.visits.counts() == {"door": 1}


async def test_a_receipt_is_kept_once_and_gives_the_latency(edge, state):
    await edge.visit(RIVER, "door", token(1))
    (moment,) = edge.moments()
    await edge.deliver(edge.shown(moment), edge.shown(moment), edge.shown(moment, "ended"))
    await edge.deliver(edge.shown(moment))
    figures = await summary(state)
    assert (figures.moments_shown, figures.moments_ended, figures.duplicates) == (1, 1, 2)
    assert (figures.latency_ms.p50, figures.latency_ms.n) == (4.0, 1)


async def test_a_receipt_for_another_displays_moment_is_set_aside(edge, state):
    import msgspec

    await edge.visit(RIVER, "door", token(1))
    (moment,) = edge.moments()
    await edge.deliver(edge.shown(msgspec.structs.replace(moment, display="d-till")))
    figures = await summary(state)
    assert (figures.moments_shown, figures.bad) == (0, 1)


async def test_decisions_are_told_on_the_bus_without_the_member(edge):
    await edge.visit(RIVER, "door", token(1))
    (made,) = edge.sent(DecisionMade)
    assert (made.rule, made.outcome, made.visit, made.place) == ("welcome", "shown", token(1), "door")


async def test_an_unknown_decision_is_not_found(state):
    with pytest.raises(NotFound):
        await state.decisions.get("f" * 32)


async def test_versions_go_on_from_the_last_start(edge, state, store, clock):
    from broker_config.site import load_site
    from server.config import load_config
    from server.runtime import opened

    await edge.visit(RIVER, "door", token(1))
    (before,) = edge.moments()
    async with opened(load_config(store / "server.toml"), load_site(store / "site.toml"), clock) as again:
        version = again.commands.base_sets(again.decisions.rules)[0].version
    assert version > before.version


async def test_versions_go_on_from_what_was_seen_when_the_database_is_put_back(store, clock):
    """A backup remembers fewer starts than agents and screens have seen."""
    from sqlalchemy import update

    from broker_config.site import load_site
    from server.config import load_config
    from server.runtime import opened
    from server.tables import EpochRow

    seen = []
    for _ in range(3):
        async with opened(load_config(store / "server.toml"), load_site(store / "site.toml"), clock) as state:
            seen.append(state.commands.base_sets(state.decisions.rules)[0].version)
            async with state.db.write() as session:
                await session.execute(update(EpochRow).values(epoch=1))
        clock.pass_s(60)
    assert seen == sorted(set(seen))
