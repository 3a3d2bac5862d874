"""The agent with scripted devices and engine: which zones are covered, who dwells there, how many are there."""

import asyncio
from functools import partial
from pathlib import Path

from broker_config.messages import VisitDwelled, VisitEntered, VisitLeft, ZoneCount, ZoneCoverage, encode
from broker_config.site import ZoneId
from tests.edge.test_agent import CARD, DOOR, HANDLE, ITEM, SHOES, World, living, world
from tests.support.edge import a_read, a_transition
from tests.support.patience import eventually

__all__ = ["world"]


async def test_who_dwells_and_which_way_a_door_was_passed_is_said(world: World) -> None:
    now_ns = world.clock()
    world.engine.answers[CARD] = [
        a_transition("arrived", CARD, DOOR, now_ns, handle=HANDLE),
        a_transition("dwelled", CARD, DOOR, now_ns + 20_500_000_000, handle=HANDLE, reads=40),
        a_transition("moved", CARD, SHOES, now_ns + 30_000_000_000, handle=HANDLE, from_zone=DOOR, direction="in"),
    ]
    world.engine.answers[ITEM] = [
        a_transition("moved", ITEM, SHOES, now_ns, from_zone=DOOR, direction="in"),
        a_transition("departed", ITEM, DOOR, now_ns, reason="timeout", direction="out"),
        a_transition("departed", ITEM, DOOR, now_ns, reason="timeout"),
    ]
    world.scripts["r-door"].say(a_read(CARD, "r-door", now_ns), a_read(ITEM, "r-door", now_ns))
    entered, dwelled, _, left, *goods = await world.stored(7)
    assert isinstance(dwelled.data, VisitDwelled)
    assert isinstance(entered.data, VisitEntered)
    assert (dwelled.data.visit, dwelled.data.dwell_s, dwelled.data.evidence.reads) == (entered.data.visit, 20.5, 40)
    assert HANDLE.hex().encode() not in encode(dwelled)
    assert (dwelled.subject, dwelled.seq) == ("door", "2")
    assert isinstance(left.data, VisitLeft)
    assert left.data.direction == "in"
    assert [event.data.direction for event in goods] == ["in", "out", None]  # type: ignore[attr-defined]
    rows = await world.outbox.rows_after(0, 9)
    assert [row.event_class for row in rows] == ["A"] * 4 + ["B"] * 3


async def test_a_zone_is_not_covered_until_its_reader_reads_nor_after_it_is_lost(edge_folder: Path) -> None:
    def prepare(world: World) -> None:
        world.engine.zone_of = {"r-door": DOOR, "r-shoes": SHOES}
        world.scripts["r-door"].health.signs_of_life = 0
        world.scripts["r-shoes"].unplug()

    async with living(edge_folder, prepare) as world:
        door, script = partial(world.shown, "zone/door/coverage"), world.scripts["r-door"]
        await eventually(lambda: script.opened)
        first = door()
        assert isinstance(first, ZoneCoverage)
        assert (first.covered, first.zone) == (False, "door")
        assert world.agent.stats().counters["silent_readers"] == 2  # the others' drivers cannot tell: open is enough
        script.health.signs_of_life = 1
        await eventually(lambda: door().covered)  # type: ignore[attr-defined]
        assert door().since > first.since  # type: ignore[attr-defined]
        script.unplug()
        await eventually(lambda: not door().covered)  # type: ignore[attr-defined]
        script.plugged = True
        await eventually(lambda: script.opened == 2)
        await asyncio.sleep(0)
        assert door().covered is False, "open is not yet reading"  # type: ignore[attr-defined]
        script.health.signs_of_life = 2
        await eventually(lambda: door().covered)  # type: ignore[attr-defined]
        assert world.shown("zone/shoes/coverage").covered is False  # type: ignore[attr-defined]
        assert world.outbox.last_seq == 0, "coverage is a state, no event"


async def test_the_reads_that_wait_come_before_what_is_dated_now(world: World) -> None:
    await eventually(lambda: world.scripts["r-door"].opened)
    for number in range(3):
        world.agent._pipeline.put(a_read(ITEM, "r-door", number))
    world.agent._pipeline.set_coverage("r-door", False)
    assert world.engine.log[-1] == ("coverage", "r-door", False, 3)
    world.agent._pipeline.put(a_read(ITEM, "r-door", 4))
    world.agent._pipeline.mark_sold([ITEM])
    assert world.engine.log[-1] == ("sold", (ITEM,), 4)


async def test_zones_are_counted_by_groups(world: World) -> None:
    await eventually(lambda: world.shown("zone/shoes/count"))
    assert world.shown("zone/shoes/count") == ZoneCount(zone=ZoneId("shoes"), people="<5", items=0)
    world.engine.here[SHOES] = (12, 7)
    await eventually(lambda: world.shown("zone/shoes/count").items == 12)  # type: ignore[attr-defined]
    assert world.shown("zone/shoes/count").people == "7"  # type: ignore[attr-defined]


async def test_a_pulled_cable_is_told_even_by_a_driver_that_cannot_tell_signs_of_life(edge_folder: Path) -> None:
    def prepare(world: World) -> None:
        world.engine.zone_of = {"r-door": DOOR}

    async with living(edge_folder, prepare) as world:
        door, script = partial(world.shown, "zone/door/coverage"), world.scripts["r-door"]
        await eventually(lambda: door().covered)  # type: ignore[attr-defined]
        script.unplug()
        await eventually(lambda: not door().covered)  # type: ignore[attr-defined]
        script.plugged = True
        await eventually(lambda: door().covered)  # type: ignore[attr-defined]
        told = [
            (covered, at) for what, reader, covered, at in world.engine.log if (what, reader) == ("coverage", "r-door")
        ]
        assert [covered for covered, _ in told] == [False, True, False, True]
