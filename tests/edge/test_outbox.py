"""The outbox on the loop: seqs at once, commits in groups, acknowledgements of this file only."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from broker_config.messages import EdgeAck
from edge.outbox_rows import EventId, Row
from tests.edge.outbox_rig import ack, event, make
from tests.support.edge import ManualClock
from tests.support.patience import eventually


async def test_the_payload_is_built_with_the_id_it_travels_under(tmp_path: Path, clock: ManualClock) -> None:
    async with make(tmp_path, clock) as outbox:
        assert outbox.append([event("a"), event("b")]) == [1, 2]
        await outbox.flush()
        stored = await outbox.rows_after(0, 9)
        assert [row.payload.decode() for row in stored] == [
            f"gw-1.{outbox.generation}.{n} {c}" for n, c in ((1, "a"), (2, "b"))
        ]
        assert len(bytes.fromhex(outbox.generation)) == 8
    assert str(EventId("gw", "ab", 3)) == "gw.ab.3"


async def test_rows_are_offered_only_after_their_commit_and_in_order(tmp_path: Path, clock: ManualClock) -> None:
    async with make(tmp_path, clock) as outbox:
        offered: list[int] = []

        def on_commit(rows: Sequence[Row]) -> None:
            assert rows[-1].seq <= outbox._store.last_seq
            offered.extend(row.seq for row in rows)

        outbox.on_commit = on_commit
        outbox.append([event()])
        assert offered == []
        for _ in range(200):
            outbox.append([event(), event()])
            if outbox.last_seq % 40 == 1:
                await asyncio.sleep(0)
        await outbox.flush()
        await eventually(lambda: len(offered) == 401)
        assert offered == list(range(1, 402))


async def test_a_burst_shares_its_commits(tmp_path: Path, clock: ManualClock) -> None:
    async with make(tmp_path, clock) as outbox:
        for _ in range(500):
            outbox.append([event()])
        await outbox.flush()
        assert outbox._started <= 3


async def test_state_and_event_are_one_transaction(tmp_path: Path, clock: ManualClock) -> None:
    async with make(tmp_path, clock) as outbox:
        outbox.append([event()], {"fence": b"1"})
        outbox.append([], {"fence": b"2"})
        await outbox.flush()
        assert await outbox.state("fence") == b"2"
        assert await outbox.state("other") is None


async def test_flush_covers_what_is_handed_over_while_a_commit_runs(tmp_path: Path, clock: ManualClock) -> None:
    async with make(tmp_path, clock) as outbox:
        for number in range(1, 30):
            outbox.append([event()])
            outbox.append([event()])
            await outbox.flush()
            assert outbox._store.last_seq == 2 * number


async def test_all_is_there_after_a_reopen(tmp_path: Path, clock: ManualClock) -> None:
    async with make(tmp_path, clock) as outbox:
        outbox.append([event(), event()])
        file_id = outbox.file_id
    async with make(tmp_path, clock) as outbox:
        assert (outbox.file_id, outbox.last_seq, outbox.waiting) == (file_id, 2, 2)
        assert outbox.append([event()]) == [3]


async def test_an_acknowledgement_moves_the_cursor_up_to_the_first_gap(tmp_path: Path, clock: ManualClock) -> None:
    async with make(tmp_path, clock) as outbox:
        outbox.append([event() for _ in range(10)])
        await outbox.flush()
        assert await outbox.acknowledge(ack(outbox, 4, (6, 7)))
        assert (outbox.acked_upto, outbox.waiting) == (4, 6)
        assert await outbox.acknowledge(ack(outbox, 9, (7, 7)))
        assert outbox.acked_upto == 6


async def test_no_acknowledgement_makes_a_sound_file_look_damaged(tmp_path: Path, clock: ManualClock) -> None:
    async with make(tmp_path, clock) as outbox:
        outbox.append([event() for _ in range(10)])
        await outbox.flush()
        assert await outbox.acknowledge(ack(outbox, 4))
        assert await outbox.acknowledge(ack(outbox, -1))
        file_id = outbox.file_id
    async with make(tmp_path, clock) as outbox:
        assert (outbox.file_id, outbox.acked_upto, outbox.alarm) == (file_id, 0, None)


async def test_an_acknowledgement_of_another_file_means_nothing(tmp_path: Path, clock: ManualClock) -> None:
    async with make(tmp_path, clock) as outbox:
        outbox.append([event()])
        await outbox.flush()
        assert not await outbox.acknowledge(EdgeAck(generation="0" * 16, upto=1))
        assert outbox.acked_upto == 0


async def test_an_acknowledgement_of_more_than_there_is_covers_what_there_is(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with make(tmp_path, clock) as outbox:
        outbox.append([event()])
        await outbox.flush()
        await outbox.acknowledge(ack(outbox, 50))
        assert outbox.acked_upto == 1
        assert outbox.append([event()]) == [2]
        await outbox.flush()
    async with make(tmp_path, clock) as outbox:
        assert (outbox.last_seq, outbox.acked_upto, outbox.waiting) == (2, 1, 1)
