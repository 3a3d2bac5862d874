"""An agent that stops and starts again, with the real engine: who was there is still there, under the same token."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from broker_config.messages import (
    ItemArrived,
    ItemDeparted,
    TransactionSettled,
    VisitEntered,
    VisitLeft,
)
from edge.clock import to_datetime
from edge.config import load_config
from edge.presence_file import refused_of, unpack
from readers.model import ReaderId, Weight
from tests.edge.restart.rig import CARD, HANDLE, ITEM, SNAP, Life, living, opened, shorten_the_limit, write_members
from tests.support.patience import eventually

HOUR_MS = 3_600_000


async def test_who_is_there_over_a_stop_is_said_once_and_departs_under_the_same_token(folder: Path) -> None:
    async with living(folder) as life:
        life.read(CARD)
        life.read(ITEM, "r-shoes")
        said = await life.said(2)
        entered = next(each for each in said if isinstance(each, VisitEntered))
        started = life.agent._keeper.started_ns, life.outbox.generation
    shorten_the_limit(folder)
    async with living(folder) as again:
        assert (again.agent._keeper.started_ns, again.agent._keeper.started_by) == started
        clocks = again.agent._timebase._bases
        clocks[started[1]] = replace(clocks[started[1]], boot="the one before", skew_ms=HOUR_MS)
        again.agent._synced()
        told = again.agent.uplink.states.started_at
        assert abs(told - to_datetime(started[0]) - timedelta(hours=1)) <= timedelta(milliseconds=2)
        counters = again.agent.stats().counters
        assert (counters["restored_items"], counters["restored_people"]) == (1, 1)
        again.read(ITEM, "r-shoes")
        again.read(CARD)
        await eventually(lambda: again.engine.counters.reads == 4)
        (left,) = await again.said(1)  # the limit at the door is short, and nobody reads the card any more
        assert isinstance(left, VisitLeft)
        assert (left.visit, left.zone, left.reason) == (entered.visit, "door", "timeout")


async def test_who_went_while_nobody_looked_departs_once_the_reader_is_back_and_a_limit_has_passed(
    folder: Path,
) -> None:
    async with living(folder) as life:
        life.read(CARD)
        (entered,) = await life.said(1)
    shorten_the_limit(folder)
    async with living(folder) as again:
        assert again.engine.next_deadline_ns() is None or again.covered("door") == [False]
        await asyncio.sleep(0.6)  # longer than the limit; the reader has shown no sign of life yet
        assert again.outbox.last_seq == again.before, "a zone that is not covered departs nobody"
        back_ns = again.clock()
        again.read(ITEM)  # it reads again, and not the card
        left, *_ = await again.said(2)
        if not isinstance(left, VisitLeft):
            left = (await again.said(2))[1]
        assert isinstance(left, VisitLeft)
        assert left.visit == entered.visit  # type: ignore[attr-defined]
        assert left.detected_at.timestamp() * 1e9 >= back_ns + 0.39e9
        assert again.covered("door") == [False, True]


async def test_a_crash_takes_back_what_came_after_the_last_snapshot_and_keeps_the_token(folder: Path) -> None:
    async with living(folder, killed=True) as life:
        life.read(CARD)
        life.read(ITEM, "r-shoes")
        said = await life.said(2)
        token = next(each.visit for each in said if isinstance(each, VisitEntered))
    async with living(folder) as again:
        taken_back = await again.said(2)
        assert {(type(each), each.reason) for each in taken_back} == {(VisitLeft, "restart"), (ItemDeparted, "restart")}  # type: ignore[attr-defined]
        again.read(ITEM, "r-shoes")
        again.read(CARD, "r-shoes")
        later = (await again.said(4))[2:]
        assert [each.visit for each in later if isinstance(each, VisitEntered)] == [token]
        assert len([each for each in later if isinstance(each, ItemArrived)]) == 1


async def test_who_left_between_a_snapshot_and_a_crash_is_told_when_read_where_the_snapshot_has_them(
    folder: Path,
) -> None:
    shorten_the_limit(folder)
    async with living(folder, killed=True) as life:
        life.read(CARD)
        (entered,) = await life.said(1)
        await life.saved()
        await life.said(2)
    async with living(folder) as again:
        again.read(CARD)
        (back,) = await again.said(1)
        assert isinstance(back, VisitEntered)
        assert back.visit == entered.visit  # type: ignore[attr-defined]


async def test_a_crash_after_a_snapshot_loses_nobody(folder: Path) -> None:
    async with living(folder, killed=True) as life:
        life.read(CARD, "r-shoes")
        await life.said(1)
        await life.saved()
    async with living(folder) as again:
        again.read(CARD, "r-shoes")
        await eventually(lambda: again.engine.counters.reads == 2)
        assert await again.said(0) == []
        assert again.agent.stats().counters["restored_people"] == 1


async def test_who_withdraws_is_out_of_the_file_at_once(folder: Path) -> None:
    async with living(folder) as life:
        life.read(CARD, "r-shoes")
        (entered,) = await life.said(1)
        await life.saved()
        refused_of(folder / SNAP).write_bytes(b"an old one")
        assert isinstance(entered, VisitEntered)
        life.agent._pipeline.end_visits((entered.visit,), "withdrawn")
        await eventually(lambda: entered.visit.encode() not in opened(folder))
        assert not refused_of(folder / SNAP).exists()
        kept = unpack(opened(folder))
        assert (kept.visits.visits, kept.visits.silenced) == ((), ((HANDLE, 3),))


async def test_who_is_not_in_the_new_member_table_is_out_of_the_file_at_once(folder: Path) -> None:
    async with living(folder) as life:
        life.read(CARD, "r-shoes")
        await life.said(1)
        await life.saved()
        assert HANDLE in opened(folder)
        write_members(life.config, 4, [])
        life.agent._members.load()
        await eventually(lambda: HANDLE not in opened(folder))
        (_, left) = await life.said(2)
        assert left.reason == "withdrawn"  # type: ignore[attr-defined]


async def test_withdrawn_while_it_was_off_is_never_mentioned_again(folder: Path) -> None:
    async with living(folder) as life:
        life.read(CARD, "r-shoes")
        await life.said(1)
    write_members(load_config(folder / "edge.toml"), 4, [])
    async with living(folder) as again:
        (left,) = await again.said(1)
        assert (left.reason, HANDLE in opened(folder)) == ("withdrawn", False)  # type: ignore[attr-defined]
        again.read(CARD, "r-shoes", times=4)
        await eventually(lambda: again.engine.counters.reads == 4)
        await again.said(1)


async def test_what_is_paid_is_written_down_at_once(folder: Path) -> None:
    async with living(folder) as life:
        before = life.agent._keeper.counters.snapshots
        paid_at = datetime(2026, 3, 1, tzinfo=UTC)
        life.agent._settled(TransactionSettled(transaction="t-1", epcs=(ITEM.hex(),), settled_at=paid_at))
        await eventually(lambda: life.agent._keeper.counters.snapshots > before)
    async with living(folder) as again:
        again.read(ITEM, "r-shoes", times=4)
        await eventually(lambda: again.engine.counters.sold_ignored == 4)


async def test_what_was_at_a_reader_that_is_replaced_leaves_and_comes_again(folder: Path) -> None:
    async with living(folder) as life:
        life.read(CARD, "r-shoes")
        life.read(ITEM, "r-shoes")
        (entered, *_) = sorted(await life.said(2), key=lambda each: not isinstance(each, VisitEntered))
    path = folder / "edge.toml"
    path.write_text(path.read_text().replace('id = "r-shoes"', 'id = "r-new"'))
    async with living(folder) as again:
        ends = await again.said(2)
        assert {(type(each), each.zone, each.reason) for each in ends} == {  # type: ignore[attr-defined]
            (VisitLeft, "shoes", "restart"),
            (ItemDeparted, "shoes", "restart"),
        }
        assert again.agent.stats().counters["restored_dropped"] == 2
        again.read(CARD, "r-new")
        again.read(ITEM, "r-new")
        later = (await again.said(4))[2:]
        (back,) = [each for each in later if isinstance(each, VisitEntered)]
        assert back.visit == entered.visit  # type: ignore[attr-defined]


async def test_a_shelf_invents_no_pick_after_a_restart(folder: Path) -> None:
    def weigh(life: Life, grams: int) -> None:
        life.scripts["w-s1"].say(*(Weight(ReaderId("w-s1"), grams, True, life.clock()) for _ in range(3)))  # type: ignore[arg-type]

    async with living(folder) as life:
        life.read(ITEM, "r-shoes", times=3)
        await life.said(1)
        weigh(life, 600)
        await eventually(lambda: life.agent._shelves[ReaderId("w-s1")]._fusion.grams == 600)
    async with living(folder) as again:  # meanwhile one was taken, and the scale says less
        assert len(again.engine.present_in(1)) == 1
        fusion = again.agent._shelves[ReaderId("w-s1")]._fusion
        weigh(again, 300)
        await eventually(lambda: fusion.grams == 300)
        again.read(ITEM, "r-shoes", times=3)
        await eventually(lambda: again.engine.counters.reads == 3 and fusion.items(again.clock()) == 1)
        weigh(again, 300)
        for _ in range(3):
            again.agent._shelves[ReaderId("w-s1")].look()
        assert not fusion.moving
        assert await again.said(0) == []
