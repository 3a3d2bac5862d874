"""The file a restart begins with: whole or refused, its owner's only, and never another agent's or another time's."""

import hashlib
import os
import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.presence_file import MAGIC, KeptPresence, PresenceFileError, check, pack, part_of, unpack, write
from edge.visits import KeptVisit, KeptVisits, Stay

NOW_NS = 1_800_000_000_000_000_000
HOUR_NS = 3_600_000_000_000
VISITS = KeptVisits((KeptVisit(b"handle-of-ann-16", "a1" * 16, NOW_NS, (Stay(4, 1, NOW_NS - 5),)),), ((b"h" * 16, 7),))
KEPT = KeptPresence(
    site="demo",
    agent="gw-1",
    generation="00000000000000aa",
    seq=12,
    started_ns=NOW_NS - HOUR_NS,
    taken_ns=NOW_NS,
    zones=("door", "shoes"),
    visits=VISITS,
    engine=bytes(range(256)),
    started_by="00000000000000bb",
)
DATA = pack(KEPT)


def test_what_is_kept_comes_back() -> None:
    assert unpack(DATA) == KEPT


def test_a_file_of_an_earlier_release_is_gone_on_from() -> None:
    fields = msgspec.to_builtins(KEPT, builtin_types=(bytes,))
    body = msgspec.msgpack.encode({name: value for name, value in fields.items() if name != "started_by"})
    assert unpack(MAGIC + hashlib.sha256(body).digest() + body) == msgspec.structs.replace(KEPT, started_by="")


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_one_wrong_bit_anywhere_is_noticed(place: int, flip: int) -> None:
    damaged = bytearray(DATA)
    damaged[place] ^= flip
    with pytest.raises(PresenceFileError):
        unpack(bytes(damaged))


@given(st.integers(0, len(DATA) - 1))
def test_a_file_that_was_cut_off_is_noticed(size: int) -> None:
    with pytest.raises(PresenceFileError):
        unpack(DATA[:size])


@given(st.binary(max_size=300))
def test_noise_is_no_presence(data: bytes) -> None:
    with pytest.raises(PresenceFileError):
        unpack(data)


def test_a_file_of_another_shape_is_refused_though_its_checksum_is_right() -> None:
    class Other(msgspec.Struct):
        site: str = "demo"

    with pytest.raises(PresenceFileError, match="version"):
        unpack(pack(Other()))  # type: ignore[arg-type]


def accept(**changes: object) -> None:
    asked: dict[str, object] = {
        "site": "demo",
        "agent": "gw-1",
        "generation": KEPT.generation,
        "last_seq": 12,
        "now_ns": NOW_NS,
        "max_age_s": 7200,
    }
    check(KEPT, **(asked | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{}, {"last_seq": 99}, {"now_ns": NOW_NS + 2 * HOUR_NS}, {"now_ns": NOW_NS - 1}])
def test_a_snapshot_of_ours_and_of_late_is_accepted(changes: dict[str, object]) -> None:
    accept(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"site": "other"}, "'gw-1' of site 'demo'"),
        ({"agent": "gw-2"}, "'gw-1' of site 'demo'"),
        ({"generation": "00000000000000bb"}, "does not hold"),
        ({"last_seq": 11}, "does not hold"),
        ({"now_ns": NOW_NS + 2 * HOUR_NS + 1}, "2.0 h old"),
        ({"now_ns": NOW_NS - 11_000_000_000}, "future"),
        ({"now_ns": 0}, "future"),
    ],
)
def test_a_snapshot_of_somebody_or_sometime_else_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(PresenceFileError, match=words):
        accept(**changes)


def test_only_its_owner_can_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write(tmp_path / "p", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "p").stat().st_mode) == 0o600
    assert (tmp_path / "p").read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [tmp_path / "p"]


def test_what_a_crash_left_half_written_is_written_over(tmp_path: Path) -> None:
    part_of(tmp_path / "p").write_bytes(b"half a file, and longer than the new one")
    write(tmp_path / "p", b"new")
    assert (tmp_path / "p").read_bytes() == b"new"


def test_a_write_that_fails_leaves_the_file_before(tmp_path: Path) -> None:
    write(tmp_path / "p", b"old")
    part_of(tmp_path / "p").mkdir()
    with pytest.raises(OSError, match="directory"):
        write(tmp_path / "p", b"new")
    assert (tmp_path / "p").read_bytes() == b"old"
