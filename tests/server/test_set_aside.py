"""Removing databases that were set aside."""

import os

from server.set_aside import remove, set_aside_of


def test_a_removed_database_does_not_come_back_with_a_power_cut(tmp_path, monkeypatch):
    database = tmp_path / "tacet.db"
    for name in ("tacet.db", "tacet.db.replaced-1", "tacet.db.replaced-1-wal", "tacet.db.corrupt-2"):
        (tmp_path / name).touch()
    there_when_synced = []

    def fsync(descriptor: int) -> None:
        assert os.path.samestat(os.fstat(descriptor), tmp_path.stat()), "the folder, which holds the names"
        there_when_synced.append([each.name for each in tmp_path.iterdir()])

    monkeypatch.setattr(os, "fsync", fsync)
    remove(set_aside_of(database))
    assert there_when_synced == [["tacet.db"]]
