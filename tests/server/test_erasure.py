"""Erasure on the server: screens at once, no byte left in any file, tombstones that outlive a restored backup."""

import errno
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from broker_config.messages import ErasureReceipt, MembersOffered, MomentClear, VisitEnded, decode
from broker_config.site import load_site
from server.audit.reading import verify_file
from server.audit.service import OWNER
from server.config import load_config
from server.db import Database
from server.erasure.journal import Journal
from server.errors import NotFound, Unavailable
from server.members.schemas import ConsentChange
from server.runtime import opened
from server.tables import AuditRow, ErasureRow, MemberRow
from tests.server.erasure_rig import member_called, named, seeds_of
from tests.server.harness import RIVER, XIAOYU, Edge, token
from tests.support.seeds import find_seeds


async def test_no_byte_of_an_erased_member_is_left_in_any_file(edge, state, store, monkeypatch):
    monkeypatch.delattr(Database, "rewrite")  # the net below must not be what holds here
    member = await named(state, store)
    await edge.visit(RIVER, "door", token(1))
    await edge.visit(RIVER, "shoes", token(1))
    data = Path(state.config.data)
    seeds = seeds_of(state.config.database, member)
    assert len(seeds) == 7
    assert {hit.seed for hit in find_seeds([data], seeds)} == seeds.keys() - {"card"}, "the scan finds what is there"
    aside = [data / f"tacet.db.{name}" for name in ("corrupt-1", "replaced-2", "replaced-2-wal", "part")]
    for each in aside:
        each.write_bytes(member.encode())
    await state.erasure.erase(member, OWNER)
    assert find_seeds([data], seeds) == []
    assert [each for each in aside if each.exists()] == []
    async with state.db.session() as session:
        removed = await session.scalar(select(AuditRow.detail).where(AuditRow.action == "remove"))
    assert all(each.name in removed for each in aside), "and the access log says so"
    (told,) = await state.erasure.statuses()
    assert told.removed_files == len(aside), "and the receipt"
    aside[0].write_bytes(b"")
    second = await state.erasure.erase(await member_called(state, "小雨"), OWNER)
    counts = {each.request: each.removed_files for each in await state.erasure.statuses()}
    assert counts == {told.request: len(aside), second: 1}
    with closing(sqlite3.connect(state.config.database)) as db:
        assert db.execute("SELECT count(*) FROM visit WHERE member IS NOT NULL").fetchone() == (0,)
    assert verify_file(state.config.database).broken is None


async def test_an_old_copy_in_unowned_space_is_found_and_the_file_written_anew(edge, state, store):
    """`secure_delete` reaches rows.  This leaves a copy where no row is: at the end of a free page."""
    member = await named(state, store)
    path = state.config.database
    async with state.db.write() as session:
        await (await session.connection()).exec_driver_sql("CREATE TABLE filler (x BLOB)")
        await (await session.connection()).exec_driver_sql("INSERT INTO filler VALUES (zeroblob(20000))")
        await (await session.connection()).exec_driver_sql("DROP TABLE filler")
    await state.db.truncate_log()
    with closing(sqlite3.connect(path)) as db:
        free = db.execute("PRAGMA freelist_count").fetchone()[0]
        pages = db.execute("PRAGMA page_count").fetchone()[0]
    assert free
    content = bytearray(path.read_bytes())
    place = content.rindex(bytes(2000)) + 1000
    content[place : place + len(member)] = member.encode()
    path.write_bytes(content)
    assert (len(content), member.encode() in path.read_bytes()) == (pages * 4096, True)
    await state.erasure.erase(member, OWNER)
    assert member.encode() not in path.read_bytes()
    (status,) = await state.erasure.statuses()
    assert status.here is not None


async def test_erasing_darkens_the_screen_tells_the_agents_and_offers_a_table_without_the_member(edge, state):
    await edge.visit(RIVER, "door", token(1))
    edge.outgoing()
    await state.erasure.erase(await member_called(state, "River"), OWNER)
    sent = [decode(out.payload).data for out in edge.outgoing()]
    assert [(e.visits, e.cause) for e in sent if isinstance(e, VisitEnded)] == [((token(1),), "erased")]
    assert [each.display for each in sent if isinstance(each, MomentClear)] == ["d-door"]
    assert [each for each in sent if isinstance(each, MembersOffered)]
    assert await edge.handle_of(RIVER) is None
    assert state.visits.counts() == {}
    (status,) = await state.erasure.statuses()
    assert (await state.member_tables.offered_table("gw-1")).erased == status.version


async def test_a_decision_keeps_its_outcome_and_nothing_of_the_member(edge, state):
    await edge.visit(XIAOYU, "shoes", token(1))
    before = await state.decisions.latest(10)
    assert any(decision.data["member"] for decision in before)
    await state.erasure.erase(await member_called(state, "小雨"), OWNER)
    after = await state.decisions.latest(10)
    assert [(d.decision, d.rule, d.outcome, d.reason) for d in after] == [
        (d.decision, d.rule, d.outcome, d.reason) for d in before
    ]
    for decision in after:
        assert (decision.visit, decision.data["member"], decision.data["shown"]) == (None, None, 0)
        assert {tuple(gate.facts) for gate in decision.gates} == {()}
        assert "forgotten" in decision.say["en"]


async def test_a_withdrawal_before_the_erasure_leaves_no_interests_behind_either(edge, state):
    """Withdrawing cuts the link by which an erasure finds decisions: what is personal in them must go then."""
    await edge.visit(XIAOYU, "shoes", token(1))
    member = await member_called(state, "小雨")
    await state.members.set_consent(member, ConsentChange(purpose="recognise", granted=False))
    await state.erasure.erase(member, OWNER)
    assert all(decision.data["member"] is None for decision in await state.decisions.latest(10))


async def test_a_stored_entry_does_not_hold_the_sealed_handle(edge, state):
    await edge.visit(RIVER, "door", token(1))
    with closing(sqlite3.connect(state.config.database)) as db:
        (payload,) = db.execute("SELECT payload FROM event WHERE type = 'tacet.visit.entered.v1'").fetchone()
    assert decode(payload).data.who == ""


async def test_receipts_complete_an_erasure_and_a_silent_agent_lapses(edge, state, clock):
    request = await state.erasure.erase(await member_called(state, "River"), OWNER)
    status = await state.erasure.status(request)
    assert ([(a.agent, a.state) for a in status.agents], status.complete) == ([("gw-1", "waiting")], False)
    clock.pass_s(72 * 3600)
    lapsed = await state.erasure.status(request)
    assert ([a.state for a in lapsed.agents], lapsed.complete) == (["lapsed"], True)
    await edge.deliver(edge.said(ErasureReceipt(version=status.version), agent="gw-1"))
    done = await state.erasure.status(request)
    assert ([a.state for a in done.agents], done.complete) == (["done"], True)
    with pytest.raises(NotFound):
        await state.erasure.status("0" * 32)


async def test_an_older_receipt_completes_nothing_and_one_from_the_future_raises_an_alarm(edge, state):
    request = await state.erasure.erase(await member_called(state, "River"), OWNER)
    version = (await state.erasure.status(request)).version
    await edge.deliver(edge.said(ErasureReceipt(version=version - 1), agent="gw-1"))
    assert not (await state.erasure.status(request)).complete
    assert state.erasure.alarm is None
    await edge.deliver(edge.said(ErasureReceipt(version=version + 7), agent="gw-1"))
    assert "erasures.log" in state.erasure.alarm
    second = await state.erasure.erase(await member_called(state, "小雨"), OWNER)
    assert (await state.erasure.status(second)).version > version + 7, "else the agent would not heed it"


async def test_a_restored_backup_is_erased_again_before_anything_else(edge, state, store, clock):
    member = await named(state, store)
    path, backup = state.config.database, store / "backup.db"
    seeds = seeds_of(path, member)
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(backup)) as copy:
        db.backup(copy)
    request = await state.erasure.erase(member, OWNER)
    await state.db.truncate_log()
    other = store / "restored"
    shutil.copytree(state.config.data, other)
    (other / "tacet.db").unlink()
    shutil.copy(backup, other / "tacet.db")
    replaced = other / "tacet.db.replaced-7"
    shutil.copy(path, replaced)
    toml = (store / "server.toml").read_text().replace('data = "server"', 'data = "restored"')
    (store / "again.toml").write_text(toml)
    config = load_config(store / "again.toml")
    assert Path(config.data) == other
    async with opened(config, load_site(store / "site.toml"), clock) as again:
        assert await member_of(again, member) is None
        assert find_seeds([other], seeds) == []
        assert replaced.exists(), "the copy may have been the wrong one"
        assert (await again.erasure.status(request)).here is not None
        assert await Edge(again, clock).handle_of(XIAOYU) is not None, "the others are there"
        assert (await again.member_tables.offered_table("gw-1")).erased
    async with opened(config, load_site(store / "site.toml"), clock) as again:
        assert await again.erasure.reapply() == 0


async def member_of(state, member: str) -> MemberRow | None:
    async with state.db.session() as session:
        return await session.get(MemberRow, member)


async def test_a_crash_between_the_tombstone_and_the_rows_ends_in_an_erasure(state, store, clock, monkeypatch):
    member = await named(state, store)

    async def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("server.erasure.store.erase_rows", crash)
    with pytest.raises(KeyboardInterrupt):
        await state.erasure.erase(member, OWNER)
    monkeypatch.undo()
    assert await member_of(state, member) is not None
    assert await state.erasure.reapply() == 1
    assert await member_of(state, member) is None
    assert await state.erasure.reapply() == 0


async def test_a_crash_before_the_files_were_looked_through_is_made_good(state, store, clock, monkeypatch):
    member = await named(state, store)
    seeds = seeds_of(state.config.database, member)

    async def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("server.erasure.service.remove_traces", crash)
    with pytest.raises(KeyboardInterrupt):
        await state.erasure.erase(member, OWNER)
    monkeypatch.undo()
    rewritten = []
    rewrite = Database.rewrite

    async def noted(self):
        rewritten.append(True)
        await rewrite(self)

    monkeypatch.setattr(Database, "rewrite", noted)
    await state.erasure.finish_unfinished()
    assert rewritten
    assert (await state.erasure.statuses())[0].here is not None
    assert find_seeds([Path(state.config.data)], seeds) == []


async def test_the_same_list_does_not_bring_an_erased_member_back_unasked(edge, state, store):
    member = await member_called(state, "River")
    await state.erasure.erase(member, OWNER)
    text = (store / "members.csv").read_text()
    report = await state.members.import_csv(text)
    assert (report.imported, [bad.row for bad in report.bad_rows]) == (0, [2])
    assert "was erased" in report.bad_rows[0].why
    assert await edge.handle_of(RIVER) is None
    again = await state.members.import_csv(text, readmit=True)
    assert (again.imported, again.bad_rows) == (1, [])
    assert await edge.handle_of(RIVER) is not None
    assert await member_called(state, "River") != member
    assert (await state.members.import_csv(text)).bad_rows == []


async def test_who_is_no_member_is_not_written_down_as_erased(state, store):
    with pytest.raises(NotFound, match="'nobody'"):
        await state.erasure.erase("nobody", OWNER)
    async with state.db.session() as session:
        assert await session.scalar(select(func.count()).select_from(ErasureRow)) == 0
        assert await session.scalar(select(func.count()).where(AuditRow.action == "erase")) == 0


async def test_whoever_is_erased_has_the_number_though_the_files_cannot_be_looked_through_yet(edge, state, monkeypatch):
    member = await member_called(state, "River")
    full = OperationalError("VACUUM", None, sqlite3.OperationalError("database or disk is full"))
    with monkeypatch.context() as broken:
        broken.setattr("server.erasure.service.remove_traces", AsyncMock(side_effect=full))
        number = await state.erasure.erase(member, OWNER)
        broken.setattr(Database, "rewrite", AsyncMock(side_effect=full))
        await state.erasure.finish_unfinished()  # as at every start: a full disk must not keep the store closed
    assert (await state.erasure.status(number)).here is None
    await state.erasure.finish_unfinished()
    assert (await state.erasure.status(number)).here is not None


async def test_nobody_is_erased_whose_tombstone_cannot_be_written_and_the_call_says_what_to_do(
    edge, state, monkeypatch
):
    member = await member_called(state, "River")
    with monkeypatch.context() as full:
        full.setattr(Journal, "add", Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
        with pytest.raises(Unavailable, match=r"erasures.log.*No space left on device.*free some space"):
            await state.erasure.erase(member, OWNER)
    assert await member_called(state, "River") == member
    assert await state.erasure.statuses() == []
