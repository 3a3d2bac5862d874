"""The disk's model: what was synced stays, and of the rest anything may be there, in any order and in part."""

import random
import sqlite3
from pathlib import Path

import pytest

from simulators.faults import Cut, Op, Tape, disk_after, recording

OPEN, SYNC = Op("open", "a"), Op("sync", "a")


def found(
    ops: list[Op], kept_share: float, torn_share: float = 0.0, **start: bytes
) -> set[tuple[tuple[str, bytes], ...]]:
    """All that 200 seeds find after the last operation."""
    tape = Tape(start, ops)
    cut = Cut(tape.position, kept_share, torn_share)
    return {tuple(disk_after(tape, cut, random.Random(seed)).items()) for seed in range(200)}


def test_what_was_synced_is_there_whatever_happens() -> None:
    ops = [OPEN, Op("write", "a", 0, b"1234"), Op("truncate", "a", 2), SYNC]
    for share in (0.0, 0.5, 1.0):
        assert found(ops, share, share) == {(("a", b"12"),)}


def test_unsynced_writes_are_kept_or_not_each_by_itself() -> None:
    ops = [OPEN, SYNC, Op("write", "a", 0, b"1"), Op("write", "a", 1, b"2"), Op("write", "a", 2, b"3")]
    contents = {dict(each)["a"] for each in found(ops, 0.5)}
    assert contents == {b"", b"1", b"12", b"123", b"1\0003", b"\0\0003", b"\x002", b"\00023"}
    assert found(ops, 0.0) == {(("a", b""),)}
    assert found(ops, 1.0) == {(("a", b"123"),)}


def test_a_torn_write_lacks_whole_sectors_of_the_disk_and_harms_nothing_beside_it() -> None:
    old, new = b"o" * 1536, b"n" * 600
    contents = {dict(each)["a"] for each in found([Op("write", "a", 500, new)], 1.0, 1.0, a=old)}
    pieces = [(500, 512), (512, 1024), (1024, 1100)]
    assert len(contents) == 8
    for content in contents:
        assert content[:500] + content[1100:] == b"o" * (500 + 436)
        assert all(len(set(content[a:b])) == 1 for a, b in pieces)


def test_a_new_file_may_be_missing_until_it_is_synced_and_one_deleted_may_come_back() -> None:
    assert found([OPEN, Op("write", "a", 0, b"1")], 0.0) == {()}
    assert found([OPEN, Op("write", "a", 0, b"1"), SYNC], 0.0) == {(("a", b"1"),)}
    deleted = [Op("delete", "old")]
    assert found(deleted, 0.5, old=b"x") == {(), (("old", b"x"),)}
    assert found([Op("delete", "old", 1)], 0.0, old=b"x") == {()}
    assert found([*deleted, OPEN, SYNC], 0.0, old=b"x") == {(("a", b""),)}, (
        "the sync of a new file settles what was before"
    )


def test_a_file_made_again_under_its_old_name_is_another_one() -> None:
    ops = [Op("delete", "a"), OPEN, Op("write", "a", 0, b"new")]
    assert found(ops, 0.5, a=b"old") == {(), (("a", b"old"),), (("a", b""),), (("a", b"new"),)}


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_the_tape_holds_all_that_sqlite_wrote(tmp_path: Path, journal: str) -> None:
    with recording(tmp_path) as tape:
        db = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
        db.execute(f"PRAGMA journal_mode = {journal}")
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [(str(number) * 3000,) for number in range(20)])
        db.execute("DELETE FROM t WHERE rowid > 3")
        db.execute("VACUUM")
        db.close()
    assert {op.kind for op in tape.ops} == {"open", "write", "truncate", "sync", "delete"}
    assert disk_after(tape, Cut(tape.position, 1.0, 0.0), random.Random(1)) == {
        path.name: path.read_bytes() for path in tmp_path.iterdir()
    }
