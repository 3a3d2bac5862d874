"""The migrations make exactly the tables that the code believes in."""

import json
import sqlite3

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from server.db import migrate, open_database
from server.tables import Base


def test_migrations_and_tables_agree():
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        migrate(connection)
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


async def test_every_commit_is_on_the_disk_and_keys_are_checked(tmp_path):
    async with open_database(tmp_path / "t.db") as db, db.session() as session:
        found = [
            (await session.connection()).exec_driver_sql(f"PRAGMA {name}")
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
        assert [(await result).scalar() for result in found] == ["wal", 2, 1]


async def test_opening_again_migrates_nothing_and_keeps_all(tmp_path):
    path = tmp_path / "t.db"
    for _ in range(2):
        async with open_database(path):
            pass
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


async def test_only_the_owner_can_read_what_is_known_of_members(tmp_path):
    async with open_database(tmp_path / "t.db"):
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
        assert len(list(tmp_path.iterdir())) == 3  # with the write-ahead log and its index


def test_what_was_told_as_shown_before_receipts_were_heeded_is_told_as_sent():
    old = {
        "en": "Shown on The door screen: “Shown on B: “there” Reason given: w.",
        "zh-Hant": "已在門口螢幕顯示「嗨顯示「」，說明的理由：w。",
    }
    new = {
        "en": "Sent to The door screen: “Shown on B: “there” Reason given: w.",
        "zh-Hant": "已送往門口螢幕：「嗨顯示「」，說明的理由：w。",
    }
    forgotten = {"en": "Shown on no screen.", "zh-Hans": "已遗忘。"}
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        migrate(connection, "v0006")
        rows = [
            ("1", "shown", old),
            ("2", "shown", forgotten),
            ("3", "acted", old),
            *((f"4{n}", "shown", old) for n in range(501)),
        ]
        for own_id, outcome, say in rows:
            body = json.dumps({"decision": own_id, "say": say, "latency_ms": 1.5})
            values = (own_id, 1, "r", outcome, body.encode())
            connection.exec_driver_sql(
                "INSERT INTO decision (id, at_ns, rule, outcome, body) VALUES (?, ?, ?, ?, ?)", values
            )
        migrate(connection)
        found = {row.id: json.loads(row.body) for row in connection.exec_driver_sql("SELECT id, body FROM decision")}
    engine.dispose()
    assert [found[own_id]["say"] for own_id in "123"] == [new, forgotten, old]
    assert {str(found[f"4{n}"]["say"]) for n in range(501)} == {str(new)}
    assert (found["1"]["decision"], found["1"]["latency_ms"]) == ("1", 1.5)


def test_a_decision_that_cannot_be_read_holds_up_no_upgrade():
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        migrate(connection, "v0006")
        insert = "INSERT INTO decision (id, at_ns, rule, outcome, body) VALUES ('1', 1, 'r', 'shown', ?)"
        connection.exec_driver_sql(insert, (b'{"say": {"en": "Sho',))
        migrate(connection)
        assert connection.exec_driver_sql("SELECT body FROM decision").scalar() == b'{"say": {"en": "Sho'
    engine.dispose()
