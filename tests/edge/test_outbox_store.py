"""The outbox file: no holes, nothing lost, whatever happens between two commits."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.outbox_rows import DropRange, EventClass, Row
from edge.outbox_store import KEEP_ACKED_NS, OutboxStore

MB = 1 << 20
HOUR_NS = 3600 * 1_000_000_000


def rows(first: int, count: int, event_class: EventClass = "B", size: int = 20) -> list[Row]:
    return [Row(seq, event_class, f"t/{seq}", bytes(size)) for seq in range(first, first + count)]


def everything(store: OutboxStore) -> list[int]:
    return [row.seq for row in store.rows_after(0, 1_000_000)]


def covered(store: OutboxStore) -> set[int]:
    """Every seq that is a row or a declared drop."""
    dropped = {seq for drop in store.drops() for seq in range(drop.first, drop.last + 1)}
    assert not dropped & set(everything(store)), "declared as dropped, yet there"
    return dropped | set(everything(store))


def test_a_row_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB)
    row = Row(1, "A", "tacet/1/demo/x", b"\x00payload\xff")
    assert store.commit([row], {"fence": b"7"}) == [row]
    store.close()
    again = OutboxStore(tmp_path / "outbox.sqlite", MB)
    assert (again.rows_after(0, 10), again.state("fence"), again.last_seq) == ([row], b"7", 1)
    assert again.generation == store.generation
    again.close()


def test_rows_of_all_classes_come_back_in_the_order_of_seq(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB)
    classes: tuple[EventClass, ...] = ("C", "A", "B", "A", "C", "B")
    store.commit([Row(seq, each, "t", b"") for seq, each in enumerate(classes, 1)], {})
    assert [row.seq for row in store.rows_after(1, 3)] == [2, 3, 4]
    assert [row.event_class for row in store.rows_after(0, 9)] == list(classes)
    store.close()


def test_the_file_is_private_and_never_synchronous_less_than_full(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB)
    assert (tmp_path / "outbox.sqlite").stat().st_mode & 0o077 == 0
    assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    store.close()


def test_a_second_agent_on_the_same_file_is_refused(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB)
    store.commit(rows(1, 1), {})
    with pytest.raises(sqlite3.OperationalError):
        OutboxStore(tmp_path / "outbox.sqlite", MB, lock_wait_s=0.05)
    store.close()


@pytest.mark.parametrize("damage", [b"no database at all" * 500, b"\xff" * 3])
def test_a_damaged_file_is_set_aside_and_events_go_on(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "outbox.sqlite"
    path.write_bytes(damage)
    store = OutboxStore(path, MB)
    store.commit(rows(1, 1), {})
    assert everything(store) == [1]
    assert [each.read_bytes() for each in tmp_path.glob("*.corrupt-*") if each.name[-1].isdecimal()] == [damage]
    store.close()


def test_acknowledged_rows_stay_48_hours_and_then_go(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB)
    store.commit(rows(1, 10), {})
    store.acknowledge(6, HOUR_NS)
    store.purge(HOUR_NS + KEEP_ACKED_NS - 1)
    assert everything(store) == list(range(1, 11))
    store.purge(HOUR_NS + KEEP_ACKED_NS)
    assert everything(store) == [7, 8, 9, 10]
    store.close()


def test_a_clock_that_was_a_year_ahead_keeps_no_row_beyond_48_hours(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB)
    store.commit(rows(1, 10), {})
    store.acknowledge(6, 9_000 * HOUR_NS)
    store.acknowledge(8, HOUR_NS)  # after a restart, by the right time
    store.purge(HOUR_NS + KEEP_ACKED_NS - 1)
    assert everything(store) == list(range(1, 11))
    store.purge(HOUR_NS + KEEP_ACKED_NS)
    assert everything(store) == [9, 10]
    store.close()


def test_seqs_go_on_after_all_rows_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    store = OutboxStore(path, MB)
    store.commit(rows(1, 3), {})
    store.acknowledge(3, 0)
    store.purge(KEEP_ACKED_NS)
    store.close()
    again = OutboxStore(path, MB)
    assert (everything(again), again.last_seq, again.acked_upto) == ([], 3, 3)
    again.close()


def test_a_server_restored_from_a_backup_is_told_what_is_gone_for_good(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB)
    store.commit(rows(1, 10), {})
    store.acknowledge(4, 0)
    store.purge(KEEP_ACKED_NS)
    store.acknowledge(8, KEEP_ACKED_NS)
    store.acknowledge(2, KEEP_ACKED_NS)
    assert store.drops() == [DropRange(3, 4, "A")]
    assert [row.seq for row in store.rows_after(store.acked_upto, 99)] == [5, 6, 7, 8, 9, 10]
    store.close()


def test_a_full_outbox_drops_the_least_class_first_and_declares_every_drop(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB)
    seq = 1
    for _ in range(60):
        batch = [Row(seq + i, each, "t", bytes(900)) for i, each in enumerate(("A", "C", "B", "C"))]
        store.commit(batch, {})
        seq += 4
    for _ in range(400):
        store.commit(rows(seq, 4, "A", 900), {})
        seq += 4
    kept = store.rows_after(0, 10_000)
    assert covered(store) == set(range(1, seq))
    assert {row.event_class for row in kept} == {"A"}
    assert store.dropped_events == seq - 1 - len(kept) > 180
    assert (tmp_path / "outbox.sqlite").stat().st_size <= MB
    store.close()


def test_a_newcomer_of_the_least_class_does_not_push_out_a_better_one(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB)
    seq = 1
    while not store.dropped_events:
        store.commit(rows(seq, 8, "A", 900), {})
        seq += 8
    before, dropped = everything(store), store.dropped_events
    while store.dropped_events == dropped:
        assert store.commit(rows(seq, 4, "C", 900), {}) in ([], rows(seq, 4, "C", 900)[-4:], rows(seq, 4, "C", 900))
        seq += 4
    assert set(before) <= set(everything(store))
    assert covered(store) == set(range(1, seq))
    store.close()


def test_acknowledged_rows_make_room_before_anything_is_dropped(tmp_path: Path) -> None:
    store = OutboxStore(tmp_path / "outbox.sqlite", MB)
    for first in range(1, 4001, 4):
        store.commit(rows(first, 4, "B", 900), {})
        store.acknowledge(first + 3, 0)
    assert store.dropped_events == 0
    assert store.last_seq == 4000
    store.close()


@dataclass
class Model:
    """What the outbox must hold: committed rows survive any crash, uncommitted ones never were."""

    next_seq: int = 1
    committed: list[int] = field(default_factory=list)
    acked: int = 0


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 5)),
        st.tuples(st.just("ack"), st.integers(0, 100)),
        st.tuples(st.just("purge"), st.just(0)),
        st.tuples(st.just("crash"), st.just(0)),
        st.tuples(st.just("reopen"), st.just(0)),
        st.tuples(st.just("lose"), st.integers(1, 3)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(actions=ACTIONS)
def test_any_order_of_events_keeps_seqs_whole_and_loses_nothing(
    actions: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("outbox") / "outbox.sqlite"
    store, model, now_ns = OutboxStore(path, MB), Model(), 0
    lost: list[DropRange] = []
    for action, amount in actions:
        now_ns += HOUR_NS
        if action == "commit":
            store.commit(rows(model.next_seq, amount), {}, lost)
            lost = []
            model.next_seq += amount
        elif action == "lose":  # a batch whose commit failed: declared with the next one
            lost.append(DropRange(model.next_seq, model.next_seq + amount - 1, "B"))
            model.next_seq += amount
        elif action == "ack":
            model.acked = max(model.acked, store.last_seq * amount // 100)
            store.acknowledge(model.acked, now_ns)
        elif action == "purge":
            store.purge(now_ns)
        else:
            if action == "reopen":
                store.close()
            else:  # nothing is written on the way out
                store._db.close()
            store = OutboxStore(path, MB)
            model.next_seq, lost = store.last_seq + 1, []
        unacked = set(range(store.acked_upto + 1, store.last_seq + 1))
        assert unacked <= covered(store), "a hole"
        assert store.acked_upto <= model.acked
    store.close()


WRITER = """
import sys
from pathlib import Path
from edge.outbox_rows import Row
from edge.outbox_store import OutboxStore
store = OutboxStore(Path(sys.argv[1]), 64 << 20)
seq = store.last_seq + 1
while True:
    store.commit([Row(seq + i, "AB"[i % 2], "t", b"x" * 200) for i in range(3)], {"n": str(seq).encode()})
    seq += 3
    sys.stdout.write(f"{seq - 1}\\n")
    sys.stdout.flush()
"""


@pytest.mark.system
def test_a_killed_writer_loses_no_committed_row_and_leaves_no_half_batch(tmp_path: Path) -> None:
    path, chance = tmp_path / "outbox.sqlite", random.Random(5)
    told = 0
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=Path.cwd())
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(chance.randrange(5, 60))]
        os.kill(writer.pid, signal.SIGKILL)
        lines += writer.stdout.read().splitlines(keepends=True)
        writer.wait(10)
        writer.stdout.close()
        whole = [int(line) for line in lines if line.endswith(b"\n")]
        told = max([told, *whole])
        store = OutboxStore(path, 64 << 20)
        assert store.last_seq >= told, "a committed row is gone"
        assert everything(store) == list(range(1, store.last_seq + 1))
        assert store.last_seq % 3 == 0
        assert store.state("n") == str(store.last_seq - 2).encode()
        store.close()
