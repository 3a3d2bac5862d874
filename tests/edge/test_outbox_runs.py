"""Each start of an outbox is a run of its own: copies of a disk, servers of another age, and runs that are over."""

import shutil
from pathlib import Path

import pytest

from broker_config.messages import EdgeAck
from edge.runs import Place
from tests.edge.outbox_rig import event, make
from tests.support.edge import ManualClock


async def test_two_copies_of_a_disk_never_give_one_id_to_two_events(tmp_path: Path, clock: ManualClock) -> None:
    copies = [tmp_path / "one", tmp_path / "two"]
    copies[0].mkdir()
    async with make(copies[0], clock) as outbox:
        outbox.append([event(), event()])
    shutil.copytree(*copies)
    ids: list[str] = []
    for folder in copies:
        async with make(folder, clock) as outbox:
            outbox.append([event()])
            await outbox.flush()
            ids += [row.payload.decode().split()[0] for row in await outbox.rows_after(0, 9)]
            assert outbox.generations == (outbox.file_id, outbox.generation)
    assert ids[:2] == ids[3:5], "what they held in common is the same"
    assert (len(set(ids)), ids[2].endswith(".1"), ids[5].endswith(".1")) == (4, True, True)


async def test_what_a_copy_has_said_does_not_acknowledge_our_own(tmp_path: Path, clock: ManualClock) -> None:
    """The disk was copied while the agent ran; the first goes on in the run that the copy ended."""
    async with make(tmp_path, clock) as outbox:
        outbox.append([event(), event()])
        first = outbox.generation
    async with make(tmp_path, clock) as copy:
        copy.append([event(), event()])
        await copy.flush()
        await copy.acknowledge(EdgeAck(generation=first, upto=900))
        assert copy.acked_upto == 2
        await copy.acknowledge(EdgeAck(generation=copy.generation, upto=1))
        assert copy.acked_upto == 3


async def test_a_start_that_saw_nothing_leaves_no_run_behind(tmp_path: Path, clock: ManualClock) -> None:
    async with make(tmp_path, clock) as outbox:
        outbox.append([event()])
    for _ in range(5):
        async with make(tmp_path, clock) as outbox:
            assert len(outbox.generations) == 2
    assert outbox.starts == 6


async def test_a_start_that_only_kept_a_state_leaves_one_run_for_the_next(tmp_path: Path, clock: ManualClock) -> None:
    async with make(tmp_path, clock) as outbox:
        outbox.append([event()])
    for _ in range(3):
        async with make(tmp_path, clock) as outbox:
            outbox.append([], {"fence": b"1"})
            await outbox.flush()
            assert len(outbox.generations) == len(set(outbox.generations)) == 2
            assert [place.generation for place in outbox.places(2, 2)] == [outbox.generation]


async def test_a_server_restored_from_an_old_backup_is_told_what_is_gone_of_earlier_starts(
    tmp_path: Path, clock: ManualClock
) -> None:
    """Their rows are long deleted; what the backup lacks of them must not be lost without a word."""
    generations = []
    for _ in range(3):
        async with make(tmp_path, clock) as outbox:
            generations.append(outbox.generation)
            outbox.append([event(), event()])
            await outbox.flush()
            await outbox.acknowledge(EdgeAck(generation=outbox.generation, upto=2))
            clock.forward_s(49 * 3600)
            await outbox._note(lambda: outbox._store.purge(clock()))
    async with make(tmp_path, clock) as outbox:
        await outbox.acknowledge(EdgeAck(generation=generations[0], upto=1))
        places = [place for drop in await outbox.drops() for place in outbox.places(drop.first, drop.last)]
        assert places[:1] == [Place(generations[0], 2, 2)]


async def test_the_runs_of_events_long_acknowledged_are_forgotten(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.outbox_store.KEEP_RUNS", 1)
    for _ in range(3):
        async with make(tmp_path, clock) as outbox:
            outbox.append([event()])
            await outbox.flush()
            for generation in outbox.generations:
                await outbox.acknowledge(EdgeAck(generation=generation, upto=1))
            assert outbox.waiting == 0
            clock.forward_s(49 * 3600)
            await outbox._note(lambda: outbox._store.purge(clock()))
    async with make(tmp_path, clock) as outbox:
        assert len(outbox.generations) == 2
