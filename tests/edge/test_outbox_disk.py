"""An outbox on a disk that is full, broken, or not to be used: what waits, what is given up and declared, what ends the agent."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import edge.outbox
import edge.outbox_sql
from broker_config.errors import ConfigError
from edge.outbox import Outbox
from edge.outbox_queue import BATCH_ROWS, Queue
from edge.outbox_rows import DropRange, PendingEvent, Row, join_ranges
from tests.edge.outbox_rig import ack, event, make
from tests.support.edge import ManualClock
from tests.support.patience import eventually


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Outbox], Callable[[], None]]:
    """Make an outbox's disk refuse everything; calling what comes back frees some space."""

    def refuse(*_: object) -> list[Row]:
        raise sqlite3.OperationalError("database or disk is full")

    def fill(outbox: Outbox) -> Callable[[], None]:
        commit = outbox._store.commit
        monkeypatch.setattr(outbox._store, "commit", refuse)
        return lambda: monkeypatch.setattr(outbox._store, "commit", commit)

    return fill


async def test_what_a_full_disk_refuses_waits_and_is_written_by_itself_with_its_state(
    tmp_path: Path, clock: ManualClock, full_disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.outbox, "RETRY_S", 0.02)
    async with make(tmp_path, clock) as outbox:
        offered: list[int] = []
        warned: list[str | None] = []
        outbox.on_commit = lambda rows: offered.extend(row.seq for row in rows)
        outbox.on_alarm = warned.append
        free = full_disk(outbox)
        outbox.append([event(), event()], {"fence": b"1"})
        assert not await outbox.flush()
        outbox.append([event()])
        assert not await outbox.flush()
        assert (offered, outbox.last_seq, outbox.figures()["waiting_for_disk"]) == ([], 3, 3)
        assert warned[0] is not None
        assert "free some space" in warned[0]
        free()
        await eventually(lambda: offered == [1, 2, 3])
        assert (await outbox.state("fence"), outbox.dropped_events, await outbox.drops()) == (b"1", 0, [])
        assert (warned[1:], outbox.alarm) == ([None], None)


async def test_what_is_too_much_to_hold_is_given_up_from_the_least_class_and_declared(
    tmp_path: Path, clock: ManualClock, full_disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge.outbox, "Queue", lambda: Queue(hold_bytes=2000))
    async with make(tmp_path, clock) as outbox:
        free = full_disk(outbox)
        for number in range(40):
            outbox.append([PendingEvent("t", "CAB"[number % 3], lambda _: bytes(80))])  # type: ignore[arg-type]
            await outbox.flush()
        free()
        assert await outbox.flush()
        rows, drops = await outbox.rows_after(0, 99), await outbox.drops()
        given_up = {seq for drop in drops for seq in range(drop.first, drop.last + 1)}
        assert given_up | {row.seq for row in rows} == set(range(1, 41))
        assert (len(rows) + len(given_up), outbox.dropped_events) == (40, len(given_up))
        assert {row.event_class for row in rows} == {"A", "B"}
        assert [row.seq for row in rows if row.event_class == "A"] == list(range(2, 41, 3))
        figures = outbox.figures()
        assert (figures["dropped_a"], figures["dropped_c"]) == (0, 14)


def test_what_is_given_up_is_declared_no_sooner_than_what_came_before_it_is_written() -> None:
    """Else a crash between the two would leave a hole."""
    queue = Queue()
    for seq in range(1, 2 * BATCH_ROWS + 1):
        queue.put([Row(seq, "A", "t", b"")], {})
    queue._lost = [DropRange(2 * BATCH_ROWS + 1, 2 * BATCH_ROWS + 9, "C")]
    assert [queue.take().drops for _ in range(2)] == [[], [DropRange(2 * BATCH_ROWS + 1, 2 * BATCH_ROWS + 9, "C")]]


async def test_an_end_on_a_full_disk_does_not_wait_for_space(
    tmp_path: Path, clock: ManualClock, full_disk, caplog: pytest.LogCaptureFixture
) -> None:
    async with make(tmp_path, clock) as outbox:
        full_disk(outbox)
        outbox.append([event()])
    assert "1 events could not be kept" in caplog.text
    async with make(tmp_path, clock) as outbox:
        assert outbox.append([event()]) == [1], "nobody has seen the number"


async def test_a_long_wait_is_committed_in_pieces_and_each_state_with_its_events(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make(tmp_path, clock) as outbox:
        commits: list[tuple[list[int], dict[str, bytes]]] = []
        commit = outbox._store.commit

        def noted(rows: list[Row], state: dict[str, bytes], drops: list[DropRange]) -> list[Row]:
            commits.append(([row.seq for row in rows], state))
            return commit(rows, state, drops)

        monkeypatch.setattr(outbox._store, "commit", noted)
        for number in range(1, 2600):
            outbox.append([event()], {"last": str(number).encode()})
        await outbox.flush()
        assert [seq for seqs, _ in commits for seq in seqs] == list(range(1, 2600))
        assert all(state["last"] == str(seqs[-1]).encode() for seqs, state in commits)
        assert max(len(seqs) for seqs, _ in commits) == BATCH_ROWS


async def test_it_warns_before_it_is_full_and_of_a_disk_that_is(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make(tmp_path, clock) as outbox:
        for _ in range(90):
            outbox.append([PendingEvent("t", "A", lambda _: bytes(4000)) for _ in range(2)])
            await outbox.flush()
        await outbox._look()
        assert outbox.alarm is None
        for _ in range(25):
            outbox.append([PendingEvent("t", "A", lambda _: bytes(4000)) for _ in range(2)])
            await outbox.flush()
        await outbox._look()
        assert outbox.alarm is not None
        assert "nearly full; see to the broker" in outbox.alarm
        assert outbox.figures()["outbox_percent"] >= 90
        await outbox.acknowledge(ack(outbox, outbox.last_seq))
        await outbox._look()
        assert outbox.alarm is None, "what is acknowledged makes room"
        space = os.statvfs(tmp_path)
        full = (*space[:3], space.f_blocks // 20, space.f_blocks // 20, *space[5:])
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(full))
        await outbox._look()
        assert outbox.alarm is not None
        assert outbox.alarm.startswith("the disk of the data folder is nearly full; free")


async def test_a_broken_disk_ends_the_agent(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make(tmp_path, clock) as outbox:

        def broken(*_: object) -> list[Row]:
            raise sqlite3.DatabaseError("database disk image is malformed")

        monkeypatch.setattr(outbox._store, "commit", broken)
        running = asyncio.create_task(outbox.run())
        outbox.append([event()])
        with pytest.raises(sqlite3.DatabaseError, match="malformed"):
            await running


async def test_a_folder_that_cannot_be_used_is_one_clear_line(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "outbox.sqlite").mkdir()
    with pytest.raises(ConfigError, match=r"outbox\.sqlite"):
        async with make(tmp_path, clock):
            pass


async def test_a_full_disk_does_not_end_the_agent_when_the_server_acknowledges(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with make(tmp_path, clock) as outbox:
        outbox.append([event()] * 3)
        await outbox.flush()
        store = outbox._store

        def refuse(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(store, "_set", refuse)
            patched.setattr(store, "_server_fell_back", refuse)
            for upto in (3, 1):
                assert await outbox.acknowledge(ack(outbox, upto))
        assert "free some space" in caplog.text
        assert outbox.append([event()]) == [4]
        await outbox.flush()
        assert [row.seq for row in await outbox.rows_after(0, 9)] == [1, 2, 3, 4]


async def test_a_purge_that_a_full_disk_breaks_off_does_not_stop_events_from_being_kept(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make(tmp_path, clock) as outbox:
        outbox.append([event()] * 3)
        await outbox.flush()
        await outbox.acknowledge(ack(outbox, 3))
        clock.forward_s(49 * 3600)
        broken = {**edge.outbox_sql.DELETE_UPTO, "A": "DELETE FROM a_full_disk WHERE seq <= ?"}
        monkeypatch.setattr(edge.outbox_sql, "DELETE_UPTO", broken)
        await outbox._note(lambda: outbox._store.purge(clock()))
        outbox.append([event()])
        await outbox.flush()
        assert [row.seq for row in await outbox.rows_after(0, 9)] == [1, 2, 3, 4]


def test_what_a_dead_disk_lost_stays_few_ranges() -> None:
    lost: list[DropRange] = []
    for seq in range(1, 1000):
        lost = join_ranges([*lost, DropRange(seq, seq, "B")])
    assert lost == [DropRange(1, 999, "B")]
    assert len(join_ranges([*lost, DropRange(1000, 1000, "A"), DropRange(1002, 1002, "A")])) == 3
