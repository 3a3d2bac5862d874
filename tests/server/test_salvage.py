"""A damaged database: the server starts, keeps what can be proved, asks the agents for the rest, and guesses no consent."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from broker_config.site import load_site
from server.config import load_config
from server.db import migrate
from server.members.schemas import ConsentChange
from server.runtime import opened
from server.salvage import alarm, is_sound, mend

EVENTS = 600
FAR_AHEAD = 5_000_000_000
"""The count of a start whose clock was in 2128."""


def write_database(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()
    with closing(sqlite3.connect(path)) as db:
        for seq in range(1, EVENTS + 1):
            values = (
                f"gw-1.{'a' * 16}.{seq}",
                "gw-1",
                "a" * 16,
                seq,
                "t",
                "topic",
                seq,
                seq,
                False,
                bytes([seq % 256]) * 200,
            )
            db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        db.execute("INSERT INTO generation VALUES ('gw-1', ?, ?, '', ?, 0)", ("a" * 16, EVENTS, EVENTS))
        db.execute("INSERT INTO epoch VALUES (1, 41)")
        order = "INSERT INTO command (target, epoch, counter, issued_ns, \"on\") VALUES ('actuator/lamp', ?, 1, 1, 1)"
        db.executemany(order, [(40,), (FAR_AHEAD,)])
        for number in range(50):
            db.execute("INSERT INTO member VALUES (?, 'River', 'en', 1)", (f"m-{number}",))
            db.execute("INSERT INTO consent VALUES (?, ?, 'recognise', 1, 1, 'import')", (number + 1, f"m-{number}"))
            db.execute("INSERT INTO member_handle VALUES ('gw-1', ?, ?)", (f"m-{number}", bytes([number])))
        db.commit()


def damage(path: Path, seed: int) -> None:
    rng, data = random.Random(seed), bytearray(path.read_bytes())
    match seed % 3:
        case 0:
            page = rng.randrange(1, len(data) // 4096)
            data[page * 4096 : (page + 1) * 4096] = rng.randbytes(4096)
        case 1:
            del data[int(len(data) * rng.uniform(0.3, 0.95)) :]
        case 2:
            data[:100] = bytes(100)
    path.write_bytes(data)


@pytest.mark.parametrize("seed", range(18))
def test_it_begins_with_what_can_be_proved(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "tacet.db"
    write_database(path)
    damage(path, seed)
    assert not is_sound(path)
    mend(path)
    assert is_sound(path)
    assert path.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(path)) as db:
        seqs = {row[0] for row in db.execute("SELECT seq FROM event")}
        payloads = db.execute("SELECT seq, payload FROM event").fetchall()
        assert all(len(payload) == 200 for _, payload in payloads)
        marks = dict(db.execute("SELECT generation, upto FROM generation"))
        first_gap = next(seq for seq in range(1, EVENTS + 2) if seq not in seqs)
        assert marks == ({"a" * 16: first_gap - 1} if seqs else {}), "the agents must send again what is gone"
        newest = db.execute(
            "SELECT granted FROM consent WHERE id IN (SELECT max(id) FROM consent GROUP BY member, purpose)"
        )
        assert {row[0] for row in newest} <= {0}
        assert db.execute("SELECT count(*) FROM member_handle").fetchone()[0] == 0
        newest_order = db.execute("SELECT max(epoch) FROM command").fetchone()
        assert newest_order == (db.execute("SELECT epoch FROM epoch").fetchone() or (None,))
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    said = alarm(path)
    assert said is not None
    assert ".corrupt-" in said
    before = path.read_bytes()
    mend(path)
    assert path.read_bytes() == before, "a sound one is left alone"


def test_noise_in_one_page_costs_little(tmp_path: Path) -> None:
    path = tmp_path / "tacet.db"
    write_database(path)
    spoil_a_page(path)
    mend(path)
    with closing(sqlite3.connect(path)) as db:
        assert EVENTS - 40 <= db.execute("SELECT count(*) FROM event").fetchone()[0] < EVENTS
        assert db.execute("SELECT count(*) FROM member").fetchone()[0] == 50


def test_orders_after_damage_are_newer_than_those_before_it_though_the_clock_was_set_back(tmp_path: Path) -> None:
    """Screens and lamps refuse what is older than what they know."""
    path = tmp_path / "tacet.db"
    write_database(path)
    spoil_a_page(path)
    mend(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT epoch FROM epoch").fetchone() == (FAR_AHEAD,)


def test_what_is_left_of_a_member_whose_own_row_is_lost_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "tacet.db"
    write_database(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM member WHERE id = 'm-7'")
        db.commit()
    spoil_a_page(path)
    mend(path)
    with closing(sqlite3.connect(path)) as db:
        assert {name for (name,) in db.execute("SELECT member FROM consent")} == {f"m-{n}" for n in range(50)} - {"m-7"}


def spoil_a_page(path: Path) -> None:
    """Noise where some events were."""
    data = bytearray(path.read_bytes())
    at = data.index(bytes([77]) * 200) // 4096 * 4096
    data[at : at + 4096] = random.Random(1).randbytes(4096)
    path.write_bytes(data)


def test_what_is_no_database_at_all_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "tacet.db"
    path.write_text("this is no database, and it is long enough to be read as one" * 20)
    mend(path)
    assert is_sound(path)
    assert alarm(path) is not None


def test_a_new_store_has_nothing_to_mend(tmp_path: Path) -> None:
    mend(tmp_path / "tacet.db")
    (tmp_path / "tacet.db").touch()
    mend(tmp_path / "tacet.db")
    assert alarm(tmp_path / "tacet.db") is None


def test_a_log_left_by_a_crash_between_the_moves_does_not_come_over_the_new_one(tmp_path: Path) -> None:
    path, new = tmp_path / "tacet.db", tmp_path / "tacet.db.new"
    write_database(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("UPDATE consent SET at_ns = 2")
        db.commit()
        log = path.with_name("tacet.db-wal").read_bytes()
    write_database(new)
    with closing(sqlite3.connect(new)) as db:
        db.execute("UPDATE consent SET at_ns = 3")
        db.commit()
    path.unlink()
    path.with_name("tacet.db-wal").write_bytes(log)
    mend(path)
    assert is_sound(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT DISTINCT at_ns FROM consent").fetchall() == [(3,)]


async def test_the_current_list_gives_back_the_consent_that_damage_took_and_undoes_nobodys_own_no(store, clock):
    config, people = load_config(store / "server.toml"), (store / "members.csv").read_text()
    async with opened(config, load_site(store / "site.toml"), clock) as state:
        await state.members.import_csv(people)
        before = {each.alias: each.purposes for each in await state.members.list_members()}
        (river,) = [each.member for each in await state.members.list_members() if each.alias == "River"]
        await state.members.set_consent(river, ConsentChange(purpose="recognise", granted=False))
    with closing(sqlite3.connect(config.database)) as db:
        db.execute("CREATE TABLE noise (bytes BLOB)")
        db.execute("INSERT INTO noise VALUES (?)", (bytes([238]) * 3000,))
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(config.database.read_bytes())
    page = data.index(bytes([238]) * 3000) // 4096 * 4096
    data[page : page + 100] = random.Random(1).randbytes(100)
    config.database.write_bytes(data)
    mend(config.database)
    async with opened(config, load_site(store / "site.toml"), clock) as state:
        assert not any(each.purposes for each in await state.members.list_members()), "consent is not guessed"
        report = await state.members.import_csv(people)
        assert [bad.why.partition(" ")[0] for bad in report.bad_rows] == ["recognise"]
        after = {each.alias: each.purposes for each in await state.members.list_members()}
    assert after == before | {"River": ["recommend"]}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE member SET alias = CAST(x'52ff' AS TEXT) WHERE id = 'm-7'",
        "UPDATE consent SET at_ns = 'x' WHERE id = 7",
        "UPDATE member SET created_ns = 'x' WHERE id = 'm-7'",
    ],
)
def test_a_value_that_no_query_survives_is_damage_too(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "tacet.db"
    write_database(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(damage)
        db.commit()
        assert db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    mend(path)
    assert alarm(path) is not None
    assert is_sound(path)
    with closing(sqlite3.connect(path)) as db:
        rows = {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("member", "event")}
    assert rows["member"] + rows["event"] == 50 + EVENTS - ("consent" not in damage), "only that row is gone"


def test_a_damaged_definition_hides_no_other_table(tmp_path: Path) -> None:
    path = tmp_path / "tacet.db"
    write_database(path)
    data = path.read_bytes()
    assert data.count(b"CREATE TABLE item ") == 1
    path.write_bytes(data.replace(b"CREATE TABLE item ", b"CREATE TAB\xffE item "))
    mend(path)
    assert alarm(path) is not None
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM event").fetchone()[0] == EVENTS
        assert db.execute("SELECT count(*) FROM member").fetchone()[0] == 50
