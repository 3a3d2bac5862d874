"""What an erasure takes along in the tables, and whom it leaves alone."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from server.audit.service import OWNER
from server.db import Database
from server.erasure.journal import Journal
from server.errors import NotFound
from server.tables import BadMessageRow, ErasedCardRow


async def test_messages_set_aside_that_may_speak_of_a_visit_go_with_the_first_who_is_erased(state):
    topics = ("tacet/1/demo/zone/door/visit/entered", "tacet/1/demo/zone/door/item/arrived", "tacet/1/demo/edge/gw-1")
    async with state.ledger.transaction() as work:
        for number, topic in enumerate(topics):
            row = BadMessageRow(digest=bytes([number]), topic=topic, why="?", payload=b"who", received_ns=0)
            work.session.add(row)
    (somebody, *_) = await state.members.list_members()
    await state.erasure.erase(somebody.member, OWNER)
    async with state.db.session() as session:
        assert set(await session.scalars(select(BadMessageRow.topic))) == set(topics[1:])


async def test_who_joins_anew_opens_the_door_to_nobody_else_who_was_erased(state, store: Path):
    people = {each.alias: each.member for each in await state.members.list_members()}
    head, river, other, *_ = (store / "members.csv").read_text().splitlines(keepends=True)
    for line in (river, other):
        await state.erasure.erase(people[line.split(",")[1]], OWNER)
    assert (await state.members.import_csv(head + river, readmit=True)).imported == 1
    refused = await state.members.import_csv(head + river + other)
    assert [(bad.row, "was erased" in bad.why) for bad in refused.bad_rows] == [(3, True)]
    async with state.db.session() as session:
        assert await session.scalar(select(func.count()).select_from(ErasedCardRow)) == 1


async def test_an_erasure_that_nobody_asked_for_is_not_found(state):
    with pytest.raises(NotFound, match="no erasure of that number"):
        await state.erasure.status("0" * 32)


async def test_a_full_disk_signs_nobody_out(state, clock, monkeypatch):
    secret = await state.access.sessions.open("staff", "owner", life_s=1000, idle_s=1000)
    clock.pass_s(100)

    def full(_self: Database) -> None:
        raise OperationalError("UPDATE", None, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(Database, "write", full)
    found = await state.access.sessions.find(secret)
    assert found is not None
    assert found.principal == "owner"


async def test_a_journal_that_was_lost_is_written_anew_from_the_database(state):
    (somebody, *_) = await state.members.list_members()
    await state.erasure.erase(somebody.member, OWNER)
    journal = Journal(Path(state.config.data))
    before = journal.read()
    journal.path.unlink()
    assert await state.erasure.reapply() == 0
    assert journal.read() == before != []
