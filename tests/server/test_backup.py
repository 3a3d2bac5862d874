"""A copy of the database, made while it is in use, and put back: whole, private, and no withdrawal undone."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import select

from broker_config.errors import ConfigError
from broker_config.site import load_site
from server.backup import back_up, restore
from server.config import load_config
from server.members.schemas import ConsentChange
from server.runtime import opened
from server.salvage import made
from server.tables import AuditRow, ConsentRow, EventRow, HandleRow, VisitRow
from tests.server.harness import RIVER, Edge, token


async def events(state):
    async with state.db.session() as session:
        return list(await session.scalars(select(EventRow.id)))


async def granted(state):
    async with state.db.session() as session:
        rows = await session.execute(
            select(ConsentRow.member, ConsentRow.purpose, ConsentRow.granted).order_by(ConsentRow.id)
        )
        return {(member, purpose): value for member, purpose, value in rows}


async def test_a_copy_of_a_running_servers_database_is_whole_and_private(state, edge, tmp_path):
    await edge.visit(RIVER, "door", token(1))
    target = tmp_path / "copy.db"
    assert back_up(state.config.database, target) == target.stat().st_size
    assert target.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(target)) as db:
        assert [row[0] for row in db.execute("SELECT id FROM event")] == await events(state)
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    assert [each.name for each in tmp_path.glob("copy.db*")] == ["copy.db"]
    with pytest.raises(ConfigError, match="there already"):
        back_up(state.config.database, target)
    with pytest.raises(ConfigError, match="cannot be written"):
        back_up(state.config.database, tmp_path / "no" / "folder.db")
    with pytest.raises(ConfigError, match="stop the server first"):
        restore(state.config.database, target)


async def test_what_is_put_back_is_the_copy_with_later_withdrawals(store, clock, tmp_path):
    config, copy = load_config(store / "server.toml"), tmp_path / "copy.db"
    async with opened(config, load_site(store / "site.toml"), clock) as state:
        await state.members.import_csv((store / "members.csv").read_text())
        await Edge(state, clock).visit(RIVER, "door", token(1))
        back_up(config.database, copy)
        before = await granted(state)
        leaver = next(member for (member, purpose), value in before.items() if value and purpose == "recognise")
        clock.pass_s(3600)
        await Edge(state, clock, generation="00000000000000bb").visit(RIVER, "door", token(2))
        await state.members.set_consent(leaver, ConsentChange(purpose="recognise", granted=False))
        assert len(await events(state)) == 2
    replaced, taken_over = restore(config.database, copy)
    assert (taken_over, replaced.exists()) == (1, True)
    assert config.database.stat().st_mode & 0o777 == 0o600
    async with opened(config, load_site(store / "site.toml"), clock) as state:
        assert len(await events(state)) == 1
        assert await granted(state) == before | {(leaver, "recognise"): False}
    with closing(sqlite3.connect(replaced)) as db:
        assert db.execute("SELECT count(*) FROM event").fetchone()[0] == 2


async def test_a_withdrawal_holds_in_a_copy_though_the_clock_was_set_back_before_it(store, clock, tmp_path):
    """And nobody knows by the copy whose a visit was, or who stands behind a handle."""
    config, copy = load_config(store / "server.toml"), tmp_path / "copy.db"
    async with opened(config, load_site(store / "site.toml"), clock) as state:
        await state.members.import_csv((store / "members.csv").read_text())
        await Edge(state, clock).visit(RIVER, "door", token(1))
        back_up(config.database, copy)
        async with state.db.session() as session:
            leaver = await session.scalar(select(VisitRow.member))
        clock.pass_s(-3600)
        await state.members.set_consent(leaver, ConsentChange(purpose="recognise", granted=False))
    assert restore(config.database, copy)[1] == 1
    async with opened(config, load_site(store / "site.toml"), clock) as state:
        assert not (await granted(state))[leaver, "recognise"]
        assert state.visits.counts() == {}
        async with state.db.session() as session:
            assert not list(await session.scalars(select(HandleRow.member).where(HandleRow.member == leaver)))
            assert list(await session.scalars(select(VisitRow.member))) == [None]


async def test_a_damaged_database_is_replaced_all_the_same_and_a_bad_copy_replaces_nothing(store, clock, tmp_path):
    config, copy = load_config(store / "server.toml"), tmp_path / "copy.db"
    async with opened(config, load_site(store / "site.toml"), clock):
        pass
    back_up(config.database, copy)
    for bad in (b"", b"no database" * 100, copy.read_bytes()[:8192]):
        (tmp_path / "bad.db").write_bytes(bad)
        with pytest.raises(ConfigError, match="no sound copy"):
            restore(config.database, tmp_path / "bad.db")
    config.database.write_bytes(b"\xff" * 5000)
    with pytest.raises(ConfigError, match=r"damaged, and so would be its copy|cannot be written"):
        back_up(config.database, tmp_path / "another.db")
    assert not list(tmp_path.glob("another*"))
    replaced, taken_over = restore(config.database, copy)
    assert (replaced.read_bytes(), taken_over) == (b"\xff" * 5000, None)
    async with opened(config, load_site(store / "site.toml"), clock):
        pass


def test_a_copy_that_would_be_damaged_is_not_made(tmp_path):
    database = tmp_path / "tacet.db"
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA page_size = 4096")
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [("x" * 100,)] * 500)
        db.commit()
    whole = database.read_bytes()
    assert back_up(database, tmp_path / "good.db") == len(whole)
    database.write_bytes(whole[: 5 * 4096] + bytes(4096) + whole[6 * 4096 :])
    with pytest.raises(ConfigError, match="damaged, and so would be its copy"):
        back_up(database, tmp_path / "bad.db")
    assert {each.name for each in tmp_path.iterdir()} == {"tacet.db", "good.db"}


async def test_a_database_of_a_newer_version_is_left_alone_and_said(store, clock):
    config = load_config(store / "server.toml")
    async with opened(config, load_site(store / "site.toml"), clock):
        pass
    with closing(sqlite3.connect(config.database)) as db:
        db.execute("UPDATE alembic_version SET version_num = 'v9999'")
        db.commit()
    content = config.database.read_bytes()
    with pytest.raises(ConfigError, match=r"newer version of Tacet.*v9999"):
        async with opened(config, load_site(store / "site.toml"), clock):
            pass
    assert config.database.read_bytes() == content


async def test_a_database_gone_empty_is_no_new_one(store, clock):
    config = load_config(store / "server.toml")
    async with opened(config, load_site(store / "site.toml"), clock):
        pass
    assert made(config.database).exists()
    config.database.write_bytes(b"")
    async with opened(config, load_site(store / "site.toml"), clock):
        pass
    assert len(list(config.database.parent.glob("tacet.db.corrupt-*"))) == 1


async def test_what_a_copy_has_replaced_is_removed_after_two_days_and_not_before(store, clock, tmp_path, monkeypatch):
    config, copy = load_config(store / "server.toml"), tmp_path / "copy.db"
    async with opened(config, load_site(store / "site.toml"), clock):
        pass
    back_up(config.database, copy)
    monkeypatch.setattr("server.backup.time.time_ns", clock)
    replaced, _ = restore(config.database, copy)
    replaced.with_name(f"{replaced.name}-wal").touch()
    async with opened(config, load_site(store / "site.toml"), clock) as state:
        for seconds, left in ((47 * 3600, 2), (3599, 2), (1, 0)):
            clock.pass_s(seconds)
            await state.erasure.remove_outlived()
            assert len(list(replaced.parent.glob("*.replaced-*"))) == left
        async with state.db.session() as session:
            (said,) = await session.scalars(select(AuditRow.detail).where(AuditRow.action == "remove"))
        assert replaced.name in said
