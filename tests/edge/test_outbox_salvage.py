"""A damaged outbox: what is readable goes on under its own ids, what is not is declared, and nothing is made up."""

import random
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from edge.outbox_rows import Row
from edge.outbox_salvage import quarantined
from edge.outbox_store import OutboxStore
from tests.edge.salvage_rig import EVENTS, MB, assert_all_accounted_for, saved_seqs, write_outbox


@pytest.mark.parametrize("leave_log", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_flipped_bytes_lose_few_events_and_change_none(tmp_path: Path, seed: int, leave_log: bool) -> None:
    rng, path = random.Random(seed), tmp_path / "outbox.sqlite"
    generation = write_outbox(path, leave_log=leave_log)
    data = bytearray(path.read_bytes())
    flips = rng.choice((1, 4, 16, 64))
    for _ in range(flips):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    store = OutboxStore(path, 64 * MB)
    saved = assert_all_accounted_for(store, generation)
    assert saved >= EVENTS - 8 * flips, f"{flips} flips lost {EVENTS - saved} events"
    store.commit([Row(store.last_seq + 1, "A", "t/new", b"{}")], {})
    store.close()


@pytest.mark.parametrize("page", [0, 1, 2, 3, 20])
def test_a_page_of_noise_costs_that_page(tmp_path: Path, page: int) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    data = bytearray(path.read_bytes())
    data[page * 4096 : (page + 1) * 4096] = random.Random(page).randbytes(4096)
    path.write_bytes(data)
    store = OutboxStore(path, 64 * MB)
    assert store.generation != generation
    assert assert_all_accounted_for(store, generation) >= EVENTS - 30
    assert len(quarantined(path)) == len(store.quarantined) == 1
    store.close()


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_file_cut_short_gives_what_is_left(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)] or b"\0" * 4096)
    store = OutboxStore(path, 64 * MB)
    assert store.generation != generation
    assert assert_all_accounted_for(store, generation) >= EVENTS * keep * 0.7
    store.close()


def test_a_crash_between_the_two_moves_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    path.rename(tmp_path / "outbox.sqlite.new")
    store = OutboxStore(path, 64 * MB)
    assert store.generation == generation
    store.close()


def test_damage_again_and_again_neither_loops_nor_fills_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    for _ in range(4):
        data = bytearray(path.read_bytes())
        data[16:40] = b"\xff" * 24
        path.write_bytes(data)
        store = OutboxStore(path, 64 * MB)
        assert saved_seqs(store, generation) == set(range(1, EVENTS + 1))
        store.close()
    assert len(quarantined(path)) == 2


def test_a_damaged_fence_counts_as_never_kept(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    write_outbox(path)
    store = OutboxStore(path, 64 * MB)
    store._db.execute("UPDATE state SET value = X'38'")
    assert store.state("fence") is None
    store.close()


def test_an_outbox_of_before_the_checksums_is_read(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    store = OutboxStore(path, 64 * MB)
    for table in ("event_a", "event_b", "event_c", "state"):
        store._db.execute(f"ALTER TABLE {table} DROP COLUMN crc")
    store._db.execute("DELETE FROM meta WHERE key = 'sums_from'")
    store.close()
    again = OutboxStore(path, 64 * MB)
    assert (again.generation, saved_seqs(again, generation)) == (generation, set(range(1, EVENTS + 1)))
    assert again.state("fence") == b"7"
    again.close()


@pytest.mark.parametrize("damaged", ["CAST(payload AS TEXT)", "CAST(X'742fff' AS TEXT)", "7"])
@pytest.mark.parametrize("column", ["topic", "payload"])
def test_a_value_that_says_another_type_or_is_no_text_is_dropped_and_declared(
    tmp_path: Path, column: str, damaged: str
) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    store = OutboxStore(path, 64 * MB)
    store._db.execute(f"UPDATE event_b SET {column} = {damaged} WHERE seq = 100")
    assert saved_seqs(store, generation) == set(range(1, EVENTS + 1)) - {100}
    assert [(drop.first, drop.last) for drop in store.drops()] == [(100, 100)]
    store._db.execute("UPDATE state SET value = 'text'")
    assert store.state("fence") is None
    store.close()


def test_an_outbox_that_was_taken_away_begins_anew_without_an_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    path.unlink()
    for _ in range(2):
        store = OutboxStore(path, 64 * MB)
        assert store.quarantined == []
        assert store.generation != generation
        store.close()
    assert caplog.text.count("is gone, with the events that waited in it") == 1


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE meta SET value = '900' WHERE key = 'last_seq'",
        "UPDATE meta SET value = '-1' WHERE key = 'acked_upto'",
        "UPDATE meta SET value = '0123456789abcdef' WHERE key = 'generation'",
        "DELETE FROM event_b WHERE seq = 100",
        "INSERT INTO dropped VALUES (50, 60, 'C')",
        "UPDATE state SET value = X'38'",
    ],
)
def test_an_account_that_cannot_be_right_is_damage(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(sql)
    store = OutboxStore(path, 64 * MB)
    assert store.quarantined
    assert saved_seqs(store, generation) >= set(range(1, EVENTS + 1)) - {100}
    store.close()


def test_saving_what_a_great_outbox_held_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    store = OutboxStore(path, 64 * MB, shares={"A": 1.0, "B": 1.0, "C": 1.0})
    text = "x" * 6000
    for first in range(1, 2001, 500):
        seqs = range(first, first + 500)
        payload = f'{{"generation":"{store.generation}","seq":"%d","text":"{text}"}}'
        store.commit([Row(s, "B", f"t/{s}", (payload % s).encode()) for s in seqs], {})
    store.close()
    path.write_bytes(b"\xff" * 40 + path.read_bytes()[40:])
    tracemalloc.start()
    store = OutboxStore(path, 64 * MB)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert store._db.execute("SELECT count(*) FROM salvaged").fetchone()[0] > 1000
    assert peak_bytes < 8 * MB, "12 MB lie in the file"
    store.close()
