"""The power fails: what was reported as kept is there, and what was not is whole or absent."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from server.db import open_database
from server.tables import EventRow
from simulators.faults import Cut, disk_after, recording
from tests.faults.edge_power import FILE, cut_edge, record_edge
from tests.faults.run_row import quiet
from tests.faults.server_power import cut_server

SEEDS = range(100)
SERVER_SEEDS = [*range(14), *range(60, 74)]  # two lives: one of a server that runs, one of a very first start


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


async def test_a_power_cut_takes_no_event_that_the_outbox_had_committed() -> None:
    outcomes = await cut_edge(SEEDS)
    assert [each for each in outcomes if not each.sound] == []
    assert sum(each.generated for each in outcomes) > 3000
    for part in ("stored_once", "dropped", "in_outbox"):
        assert sum(getattr(each, part) for each in outcomes) > 100, f"hardly any {part}: the run proves little"


async def test_without_full_syncs_the_outbox_loses_events_and_the_rig_sees_it() -> None:
    outcomes = await cut_edge(range(40), "NORMAL")
    assert sum(each.lost for each in outcomes) > 20
    assert sum("a seq used again" in each.broken for each in outcomes) > 4


async def test_a_power_cut_takes_no_event_that_the_server_had_acknowledged() -> None:
    outcomes = await cut_server(SERVER_SEEDS)
    assert [each for each in outcomes if not each.sound] == []
    assert sum(each.stored_once for each in outcomes) > 300


async def test_without_full_syncs_the_server_loses_events_and_the_rig_sees_it() -> None:
    outcomes = await cut_server(range(10), "NORMAL")
    assert sum(each.lost for each in outcomes) > 0


async def test_the_log_is_written_back_many_times_so_that_cuts_fall_into_it() -> None:
    tape, _ = await record_edge(0, "FULL")
    assert sum(op.kind == "sync" and op.file == FILE for op in tape.ops) > 5


async def test_one_seed_is_one_power_cut() -> None:
    first, again = [
        (tape.start, [(op.kind, op.file, op.at, len(op.data)) for op in tape.ops], truth.promised)
        for tape, truth in [await record_edge(3, "FULL"), await record_edge(3, "FULL")]
    ]
    assert first == again
    alone = await cut_edge([57], "NORMAL")
    (among,) = [each for each in await cut_edge(range(50, 60), "NORMAL") if each.seed == 57]
    assert (alone[0].generated, alone[0].lost, alone[0].broken) == (among.generated, among.lost, among.broken)


async def test_a_power_cut_in_the_very_first_start_does_not_keep_the_server_from_ever_starting(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    with recording(first) as tape:
        async with open_database(first / "tacet.db"):
            pass
    for position in range(0, tape.position + 1, 5):
        folder = tmp_path / str(position)
        folder.mkdir()
        for file, content in disk_after(tape, Cut(position, 0.65), random.Random(position)).items():
            (folder / file).write_bytes(content)
        async with open_database(folder / "tacet.db") as db, db.session() as session:
            assert await session.scalar(select(func.count()).select_from(EventRow)) == 0


def test_other_databases_are_left_alone_while_one_folder_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "taped").mkdir()
    with recording(tmp_path / "taped") as tape:
        sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t (x)").connection.close()
        assert tape.ops == []
    sqlite3.connect(tmp_path / "taped" / "late.db").execute("CREATE TABLE t (x)").connection.close()
    assert tape.ops == []
