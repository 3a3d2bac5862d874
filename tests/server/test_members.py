"""Consent, tables, and a withdrawal that reaches every screen."""

import sqlite3

import pytest
from sqlalchemy import delete

from broker_config.messages import MembersOffered, MomentClear, MomentSet, VisitEnded, decode
from server.errors import NotFound
from server.members.schemas import ConsentChange
from server.members.tables import MemberTables
from server.tables import MemberTableRow
from tests.server.harness import ASH, ASONG, MOSS, RIVER, SKY, WREN, XIAOYU, token
from tests.server.members_rig import HEADER, member_called, withdraw
from tests.support.member_tables import unpack_members

CARDS = (RIVER, XIAOYU, ASH, WREN, ASONG, SKY, MOSS)


async def test_only_who_agreed_to_be_recognised_is_in_an_agents_table(edge):
    found = {card: await edge.handle_of(card) is not None for card in CARDS}
    assert found == {card: card != MOSS for card in CARDS}


async def test_a_table_is_the_same_bytes_until_something_changes(state):
    version, data = await state.member_tables.table("gw-1")
    assert (version, data) == await state.member_tables.table("gw-1")
    table = unpack_members(data)
    assert (table.version, len(table)) == (version, 6)
    await withdraw(state, "River")
    assert (await state.member_tables.table("gw-1"))[0] > version


async def test_consent_given_later_puts_a_member_in_the_table(edge, state):
    moss = await member_called(state, "Moss")
    await state.members.set_consent(moss.member, ConsentChange(purpose="recognise", granted=True))
    assert await edge.handle_of(MOSS) is not None
    assert edge.sent(MembersOffered)


async def test_a_lease_is_renewed_half_way_and_announced(edge, state, clock):
    version, data = await state.member_tables.table("gw-1")
    before = unpack_members(data).leased_until_ns
    assert before - clock.now_ns == 72 * 3600 * 10**9
    clock.pass_s(36 * 3600 - 1)
    async with state.ledger.transaction() as work:
        await state.member_tables.renew_aged(work)
    assert not edge.sent(MembersOffered)
    clock.pass_s(1)
    async with state.ledger.transaction() as work:
        await state.member_tables.renew_aged(work)
    (offer,) = edge.sent(MembersOffered)
    assert offer.version > version
    assert unpack_members((await state.member_tables.table("gw-1"))[1]).leased_until_ns > before


async def test_a_lost_database_gives_no_table_the_number_of_one_that_agents_may_still_hold(edge, state, clock):
    version, _ = await state.member_tables.table("gw-1")
    clock.pass_s(3600)
    async with state.ledger.transaction() as work:
        await work.session.execute(delete(MemberTableRow))
        await state.member_tables.renew(work)
    assert (await state.member_tables.table("gw-1"))[0] > version + 10


async def test_a_table_older_than_an_import_that_was_cut_short_is_renewed(edge, state, clock, monkeypatch):
    version, _ = await state.member_tables.table("gw-1")
    clock.pass_s(1)

    async def cut_short(_tables, _work):
        raise KeyboardInterrupt

    monkeypatch.setattr(MemberTables, "renew", cut_short)
    with pytest.raises(KeyboardInterrupt):
        await state.members.import_csv(HEADER + "ab" * 12 + ",Zoe,en,,,recognise,,\n")
    clock.pass_s(1)
    for _ in range(2):
        async with state.ledger.transaction() as work:
            await state.member_tables.renew_aged(work)
    assert [offer.version for offer in edge.sent(MembersOffered)] == [version + 1]
    assert await edge.handle_of("ab" * 12) is not None


async def test_withdrawal_ends_the_visit_on_screens_and_at_agents_in_one_pass(edge, state):
    await edge.visit(RIVER, "door", token(1))
    await edge.visit(RIVER, "door", token(2))  # a second token of the same visit
    (moment,) = [m for m in edge.moments() if m.content == "welcome"][-1:]
    await withdraw(state, "River")
    sent = [decode(out.payload).data for out in edge.outgoing()]
    (ended,) = [data for data in sent if isinstance(data, VisitEnded)]
    assert (set(ended.visits), ended.cause) == ({token(1), token(2)}, "withdrawn")
    (clear,) = [data for data in sent if isinstance(data, MomentClear)]
    assert (clear.display, clear.decision) == ("d-door", moment.decision)
    assert [data for data in sent if isinstance(data, MembersOffered)]
    assert state.visits.counts() == {}
    assert await edge.handle_of(RIVER) is None


async def test_after_withdrawal_a_stale_table_names_nobody_and_the_agent_is_told(edge, state):
    handle = await edge.handle_of(RIVER)
    await withdraw(state, "River")
    edge.outgoing()
    await edge.deliver(edge.entered("door", handle, token(5)))
    sent = [decode(out.payload).data for out in edge.outgoing()]
    assert not [data for data in sent if isinstance(data, MomentSet)]
    assert [data.visits for data in sent if isinstance(data, VisitEnded)] == [(token(5),)]
    assert not await state.decisions.latest(10)
    with sqlite3.connect(state.config.database) as db:
        assert db.execute("SELECT count(*) FROM member_handle WHERE handle = ?", (handle,)).fetchone() == (0,)


async def test_withdrawal_forgets_whose_the_earlier_decisions_were(edge, state):
    await edge.visit(RIVER, "door", token(1))
    await withdraw(state, "River")
    assert [decision.visit for decision in await state.decisions.latest(10)] == [None]
    with sqlite3.connect(state.config.database) as db:
        assert db.execute("SELECT count(*) FROM visit WHERE member IS NOT NULL").fetchone() == (0,)
        assert db.execute("SELECT instr(body, ?) FROM decision", (token(1),)).fetchone() == (0,)


async def test_withdrawing_recommend_takes_the_moment_and_leaves_the_visit(edge, state):
    await edge.visit(XIAOYU, "shoes", token(1))
    assert edge.moments()
    await withdraw(state, "小雨", "recommend")
    assert edge.sent(MomentClear)
    assert state.visits.counts() == {"shoes": 1}
    await edge.visit(XIAOYU, "shoes", token(1))
    assert not edge.moments()


async def test_consent_is_only_ever_added_to(state):
    await withdraw(state, "River")
    await withdraw(state, "River")  # no change, no row
    with sqlite3.connect(state.config.database) as db:
        rows = db.execute(
            "SELECT purpose, granted, source FROM consent JOIN member ON member.id = consent.member "
            "WHERE alias = 'River' ORDER BY consent.id"
        ).fetchall()
    assert rows == [("recognise", 1, "import"), ("recommend", 1, "import"), ("recognise", 0, "owner")]


async def test_an_unknown_member_has_no_consent_to_change(state):
    with pytest.raises(NotFound):
        await state.members.set_consent("m-0", ConsentChange(purpose="recognise", granted=True))


async def test_no_card_and_no_name_of_a_card_is_in_the_database_file(state):
    with sqlite3.connect(state.config.database) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    stored = b"".join(path.read_bytes() for path in state.config.database.parent.glob("tacet.db*"))
    for card in CARDS:
        assert card.encode() not in stored
        assert bytes.fromhex(card) not in stored


async def test_a_stolen_card_row_does_not_open_for_another_member(state):
    from cryptography.exceptions import InvalidTag

    from server.members.store import CardVault

    vault = CardVault(state.secrets)
    row = vault.row("m-1", bytes.fromhex(RIVER))
    assert vault.open("m-1", row.nonce, row.epc) == bytes.fromhex(RIVER)
    with pytest.raises(InvalidTag):
        vault.open("m-2", row.nonce, row.epc)


async def test_a_database_put_back_never_gives_a_table_the_number_of_one_that_an_agent_holds(edge, state, store, clock):
    agent = "gw-1"
    async with state.db.session() as session:
        copied = (await session.get(MemberTableRow, agent)).version
    clock.pass_s(3600)
    async with state.ledger.transaction() as work:
        await state.member_tables.renew(work)
    async with state.db.session() as session:
        held = (await session.get(MemberTableRow, agent)).version
    clock.pass_s(3600)
    async with state.ledger.transaction() as work:  # the copy of two hours ago is put back
        (await work.session.get(MemberTableRow, agent)).version = copied
    async with state.ledger.transaction() as work:
        await state.member_tables.renew(work)
    async with state.db.session() as session:
        assert (await session.get(MemberTableRow, agent)).version > held
