"""What only the write-ahead log of a damaged outbox still holds."""

from pathlib import Path

import pytest

from edge.outbox_store import OutboxStore
from tests.edge.salvage_rig import EVENTS, MB, assert_all_accounted_for, saved_seqs, write_outbox


def test_a_log_left_by_a_crash_between_the_moves_does_not_come_over_the_new_file(tmp_path: Path) -> None:
    path, new = tmp_path / "outbox.sqlite", tmp_path / "outbox.sqlite.new"
    old = write_outbox(path, leave_log=True)
    path.unlink()
    generation = write_outbox(new)
    store = OutboxStore(path, 64 * MB)
    assert store.generation == generation != old
    assert saved_seqs(store, generation) == set(range(1, EVENTS + 1))
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
