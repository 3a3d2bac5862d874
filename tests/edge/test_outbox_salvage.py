"""A damaged outbox: what is readable goes on under its own ids, what is not is declared, and nothing is made up."""

import random
import sqlite3
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from broker_config.messages import EdgeAck, EdgeDropped
from edge.outbox import Outbox
from edge.outbox_rows import EventClass, PendingEvent, Row
from edge.outbox_salvage import quarantined
from edge.outbox_store import OutboxStore
from edge.salvage_delivery import deliver_salvaged
from tests.support.edge import ManualClock

MB = 1 << 20
EVENTS = 300
CLASSES: tuple[EventClass, ...] = ("A", "B", "C")


def payload_of(generation: str, seq: int) -> bytes:
    return f'{{"generation":"{generation}","seq":"{seq}","text":"{"x" * (seq * 37 % 6000)}"}}'.encode()


def write_outbox(path: Path, *, leave_log: bool = False) -> str:
    """An outbox of many events and a fence; its generation.  `leave_log`: as after a crash."""
    store = OutboxStore(path, 64 * MB)
    generation = store.generation
    for first in range(1, EVENTS + 1, 20):
        seqs = range(first, first + 20)
        store.commit([Row(s, CLASSES[s % 3], f"t/{s}", payload_of(generation, s)) for s in seqs], {"fence": b"7"})
    if leave_log:
        for name in (path.name, path.name + "-wal"):
            (path.parent / f"copy-{name}").write_bytes((path.parent / name).read_bytes())
    store.close()
    if leave_log:
        for name in (path.name, path.name + "-wal"):
            (path.parent / f"copy-{name}").rename(path.parent / name)
    return generation


def saved_seqs(store: OutboxStore, generation: str) -> set[int]:
    """Which events are still there, each exactly as it was written."""
    rows = store.salvaged_after(0, 10_000) or [(r.seq, r.topic, r.payload) for r in store.rows_after(0, 10_000)]
    seqs = set()
    for _, topic, payload in rows:
        seq = int(topic[2:])
        assert payload == payload_of(generation, seq), "an event was made up"
        assert seq not in seqs
        seqs.add(seq)
    return seqs


def assert_all_accounted_for(store: OutboxStore, generation: str) -> int:
    saved = saved_seqs(store, generation)
    if store.generation == generation:
        lost = {seq for drop in store.drops() for seq in range(drop.first, drop.last + 1)}
    else:
        lost = {s for r in store.salvaged_lost() if r.generation == generation for s in range(r.first, r.last + 1)}
    assert not saved & lost
    assert (saved | lost) >= set(range(1, max(saved | lost, default=0) + 1))
    return len(saved)


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


def test_what_is_saved_leaves_half_of_the_quota_free_and_the_rest_is_declared(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    path.write_bytes(b"\xff" * 40 + path.read_bytes()[40:])
    store = OutboxStore(path, MB)
    saved = assert_all_accounted_for(store, generation)
    assert 50 < saved < EVENTS
    assert max(saved_seqs(store, generation)) == EVENTS, "the newest are what the server lacks"
    store.close()


async def test_the_server_is_asked_how_far_it_is_with_what_was_saved(tmp_path: Path, clock: ManualClock) -> None:
    """What it holds of it need not be sent again."""
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    data = bytearray(path.read_bytes())
    data[:4096] = random.Random(1).randbytes(4096)
    path.write_bytes(data)
    async with Outbox(path, "gw-1", quota_bytes=64 * MB, clock_ns=clock) as outbox:
        assert outbox.generations == (generation, outbox.generation)
        await outbox.acknowledge(EdgeAck(generation=generation, upto=EVENTS))
        assert await outbox.salvaged_after(0, 1) == []


async def test_they_are_sent_under_their_old_ids_until_the_server_has_them(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    data = bytearray(path.read_bytes())
    data[3 * 4096 : 40 * 4096] = bytes(37 * 4096)
    path.write_bytes(data)
    sent: list[int] = []
    async with Outbox(path, "gw-1", quota_bytes=64 * MB, clock_ns=clock) as outbox:
        assert outbox.alarm is not None
        assert "gw-1" not in outbox.alarm
        seqs = outbox.append([PendingEvent("t/9", "A", lambda event_id: str(event_id).encode())])
        assert (seqs, outbox.generation == generation) == ([1], False)
        lost = sum(each.last - each.first + 1 for each in await outbox.salvaged_lost())

        async def publish(topic: str, payload: bytes) -> None:
            sent.append(int(topic[2:]))

        await deliver_salvaged(outbox, publish, server_that_has_all(outbox), wait_s=0, again_s=0)
        assert len(sent) + lost == EVENTS
        assert await outbox.salvaged_after(0, 1) == []
        assert outbox.waiting == 1


def server_that_has_all(outbox: Outbox) -> Callable[[EdgeDropped], Awaitable[None]]:
    """Acknowledges once the last gap is declared, as the server does when nothing is missing any more."""

    async def declare(dropped: EdgeDropped) -> None:
        assert not await outbox.acknowledge(EdgeAck(generation=dropped.generation, upto=EVENTS))

    return declare


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


def test_a_log_left_by_a_crash_between_the_moves_does_not_come_over_the_new_file(tmp_path: Path) -> None:
    path, new = tmp_path / "outbox.sqlite", tmp_path / "outbox.sqlite.new"
    old = write_outbox(path, leave_log=True)
    path.unlink()
    generation = write_outbox(new)
    store = OutboxStore(path, 64 * MB)
    assert store.generation == generation != old
    assert saved_seqs(store, generation) == set(range(1, EVENTS + 1))
    store.close()


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


def test_what_had_no_room_is_declared_in_one_range(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    write_outbox(path)
    path.write_bytes(b"\xff" * 40 + path.read_bytes()[40:])
    store = OutboxStore(path, MB)
    assert len(store.salvaged_lost()) == 1, "each range is a message, again and again until it is heeded"
    store.close()


def test_what_only_the_log_held_is_carved_out_of_it(tmp_path: Path) -> None:
    """As after a crash, and then the file itself is gone bad: SQLite would take the log for another's, and delete it."""
    path = tmp_path / "outbox.sqlite"
    store = OutboxStore(path, 64 * MB)
    store._db.execute("PRAGMA wal_autocheckpoint = 0")
    store.close()
    generation = write_outbox(path, leave_log=True)
    log = path.with_name("outbox.sqlite-wal")
    assert log.stat().st_size > 400_000
    path.write_bytes(bytes(4096))
    store = OutboxStore(path, 64 * MB)
    assert store.generation != generation
    assert 0 < assert_all_accounted_for(store, generation) < EVENTS + 1
    aside = store.quarantined[0]
    assert aside.with_name(aside.name + "-wal").exists(), "to be looked at together"
    assert not path.with_name("outbox.sqlite.log").exists()
    store.close()


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_events_behind_a_damaged_place_of_the_log_are_saved(tmp_path: Path, at: float) -> None:
    """SQLite ends a log at the first frame that is wrong, as if what follows had never been."""
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path, leave_log=True)
    log = path.with_name("outbox.sqlite-wal")
    data = bytearray(log.read_bytes())
    data[int(len(data) * at) + 2000] ^= 1
    log.write_bytes(data)
    store = OutboxStore(path, 64 * MB)
    assert store.generation != generation
    assert assert_all_accounted_for(store, generation) >= EVENTS - 30
    assert store.quarantined
    store.close()


@pytest.mark.parametrize("damaged", ["-wal", ""])
def test_a_file_or_log_gone_empty_is_noticed_and_declared(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path, leave_log=True)
    path.with_name(path.name + damaged).write_bytes(b"")
    store = OutboxStore(path, 64 * MB)
    assert store.generation != generation
    assert assert_all_accounted_for(store, generation) < EVENTS
    assert max(each.last for each in store.salvaged_lost()) <= EVENTS
    assert store.quarantined
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
    "change",
    [
        "payload = CAST(replace(CAST(payload AS TEXT), 'text', 'test') AS BLOB)",
        "topic = 'another'",
        "seq = 7",
        "generation = '0123456789abcdef'",
        "crc = NULL",
    ],
)
def test_a_saved_event_that_is_damaged_afterwards_is_not_sent(tmp_path: Path, change: str) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    path.write_bytes(b"\xff" * 40 + path.read_bytes()[40:])
    store = OutboxStore(path, 64 * MB)
    assert saved_seqs(store, generation) == set(range(1, EVENTS + 1))
    store._db.execute(f"UPDATE salvaged SET {change} WHERE seq = 100")
    assert saved_seqs(store, generation) == set(range(1, EVENTS + 1)) - {100}
    assert len(store.salvaged_lost()) == 1
    assert store.damaged_events == 1
    store.close()


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
