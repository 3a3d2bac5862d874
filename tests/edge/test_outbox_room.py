"""Who goes when room is short: each class within its share, the rest by what the disk has, and every drop declared."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import outbox_drops
from edge.outbox_room import PAGE_BYTES
from edge.outbox_rows import DropRange, EventClass, Row, join_touching
from edge.outbox_store import OutboxStore

MB = 1 << 20


def rows(first: int, count: int, event_class: EventClass = "B", size: int = 900) -> list[Row]:
    return [Row(seq, event_class, "t", bytes(size)) for seq in range(first, first + count)]


def kept(store: OutboxStore, event_class: EventClass | None = None) -> list[int]:
    return [row.seq for row in store.rows_after(0, 100_000) if event_class in (None, row.event_class)]


def assert_nothing_unaccounted(store: OutboxStore) -> None:
    dropped = [seq for drop in store.drops() for seq in range(drop.first, drop.last + 1)]
    assert sorted([*dropped, *kept(store)]) == list(range(1, store.last_seq + 1))
    assert len(dropped) == store.dropped_events == sum(store.dropped_by_class.values())


def fill(store: OutboxStore, event_class: EventClass, until: Callable[[], bool]) -> None:
    while not until():
        store.commit(rows(store.last_seq + 1, 4, event_class), {})


def test_a_flood_of_one_class_keeps_to_its_share_and_takes_nobody_elses_place(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB, shares={"A": 1.0, "B": 0.5, "C": 0.2})
    store.commit(rows(1, 50, "A"), {})
    for event_class, share in (("B", 0.5), ("C", 0.2)):
        fill(store, event_class, lambda c=event_class: store.dropped_by_class[c] > 100)
        assert 0.9 * share * MB < len(kept(store, event_class)) * 932 <= share * MB
    assert kept(store, "A") == list(range(1, 51))
    assert store.dropped_by_class["A"] == 0
    assert_nothing_unaccounted(store)
    store.close()


def test_the_best_class_may_take_all_of_it(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB)
    fill(store, "B", lambda: store.dropped_by_class["B"] > 50)
    fill(store, "A", lambda: store.dropped_by_class["A"] > 50)
    assert kept(store, "B") == []
    assert len(kept(store, "A")) * 932 > 0.75 * MB
    assert_nothing_unaccounted(store)
    store.close()


def test_a_batch_greater_than_its_share_gives_up_its_own_oldest(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB, shares={"A": 1.0, "B": 0.1, "C": 0.1})
    stored = store.commit([*rows(1, 400, "B"), *rows(401, 10, "A")], {})
    assert [row.seq for row in stored] == kept(store)
    assert kept(store, "A") == list(range(401, 411))
    assert max(kept(store, "B")) == 400
    assert_nothing_unaccounted(store)
    store.close()


def test_a_flood_leaves_another_class_its_acknowledged_rows(tmp_path: Path) -> None:
    """They are kept for a server that is restored from its backup; such a one is then told what is gone, and no more."""
    store = OutboxStore(tmp_path / "outbox.sqlite", MB, shares={"A": 1.0, "B": 0.3, "C": 0.1})
    for _ in range(300):
        first = store.last_seq + 1
        store.commit(
            [*rows(first, 1, "A", 20), *rows(first + 1, 1), *rows(first + 2, 1, "A", 20), *rows(first + 3, 3)], {}
        )
        store.acknowledge(store.last_seq, 0)
    assert len(kept(store, "A")) == 600
    assert store.dropped_events == 0
    store.acknowledge(200, 0)
    gaps = {seq for drop in store.drops() for seq in range(drop.first, drop.last + 1)}
    assert gaps | set(kept(store)) >= set(range(201, store.last_seq + 1))
    assert not gaps & set(kept(store))
    assert store.dropped_events == 0, "the server had them once"
    store.close()


class Disk:
    """A disk of which so much is free."""

    def __init__(self, free_bytes: int) -> None:
        self.free_bytes = free_bytes

    def __call__(self, _: object) -> os.statvfs_result:
        blocks = self.free_bytes // PAGE_BYTES
        return os.statvfs_result((PAGE_BYTES, PAGE_BYTES, 1 << 20, blocks, blocks, 0, 0, 0, 0, 255))


def test_a_small_disk_counts_as_a_full_outbox_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, disk = tmp_path / "outbox.sqlite", Disk(3 * MB)
    store = OutboxStore(path, 64 * MB)
    start = taken(path)
    monkeypatch.setattr(os, "statvfs", lambda folder: Disk(disk.free_bytes - taken(path) + start)(folder))
    disk.free_bytes += store.room._reserve_bytes
    store.commit(rows(1, 20, "A"), {})
    fill(store, "B", lambda: store.dropped_by_class["B"] > 500)
    assert taken(path) - start < disk.free_bytes
    assert store.room.disk_is_short()
    assert kept(store, "A") == list(range(1, 21))
    assert_nothing_unaccounted(store)
    disk.free_bytes += 8 * MB
    dropped = store.dropped_events
    store.commit(rows(store.last_seq + 1, 1000, "B"), {})
    assert store.dropped_events == dropped, "there is space again"
    store.close()


def taken(path: Path) -> int:
    return sum(part.stat().st_size for part in path.parent.glob(path.name + "*"))


def test_what_declares_the_drops_does_not_fill_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_drops, "MANY", 100)
    path = tmp_path / "outbox.sqlite"
    store = OutboxStore(path, MB)
    store.commit(rows(1, 20, "A"), {})
    for _ in range(400):
        first = store.last_seq + 1
        drops = [DropRange(first + i, first + i, "CB"[i % 2]) for i in range(10)]  # type: ignore[arg-type]
        store.commit([], {}, drops)
    assert len(store.drops()) <= 100
    assert store.drops()[0] == DropRange(21, store.drops()[0].last, "B")
    assert store.dropped_by_class == {"A": 0, "B": 2000, "C": 2000}
    assert_nothing_unaccounted(store)
    store.close()
    again = OutboxStore(path, MB)
    assert again.dropped_by_class == {"A": 0, "B": 2000, "C": 2000}
    assert_nothing_unaccounted(again)
    again.close()


def test_ranges_that_touch_are_one_under_the_better_class() -> None:
    ranges = [DropRange(1, 3, "C"), DropRange(4, 4, "A"), DropRange(5, 9, "B"), DropRange(11, 12, "C")]
    assert join_touching(ranges) == [DropRange(1, 9, "A"), DropRange(11, 12, "C")]


def test_a_transaction_that_fails_leaves_no_trace_in_the_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB)
    fill(store, "B", lambda: store.dropped_events > 20)
    before = (store.dropped_by_class, store.room.remembered(), kept(store))
    with monkeypatch.context() as patched:
        patched.setattr("edge.outbox_sql.INSERT", dict.fromkeys("ABC", "INSERT INTO a_full_disk VALUES (?, ?, ?, ?)"))
        with pytest.raises(sqlite3.OperationalError):
            store.commit(rows(store.last_seq + 1, 200, "A"), {})
    assert (store.dropped_by_class, store.room.remembered(), kept(store)) == before
    fill(store, "B", lambda: store.dropped_events > 100)
    assert_nothing_unaccounted(store)
    store.close()


def test_the_log_stays_small_whatever_is_written(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    store = OutboxStore(path, 4 * MB)
    assert store._db.execute("PRAGMA wal_autocheckpoint").fetchone()[0] == 256
    assert store._db.execute("PRAGMA journal_size_limit").fetchone()[0] == 2 * MB
    store.commit(rows(1, 3000, "A"), {})
    fill(store, "A", lambda: store.last_seq > 6000)
    assert path.with_name("outbox.sqlite-wal").stat().st_size <= 2.5 * MB
    assert path.stat().st_size <= 4 * MB
    store.close()
