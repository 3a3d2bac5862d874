"""Import, consent, tables, and a withdrawal that reaches every screen."""

import asyncio
import sqlite3

import pytest
from sqlalchemy import delete, func, select

from broker_config.messages import MembersOffered, MomentClear, MomentSet, VisitEnded, decode
from readers.card_number import em4100_card, nfc_card
from server.errors import NotFound, Unprocessable
from server.members import service
from server.members.importer import parse_members
from server.members.schemas import ConsentChange
from server.members.tables import MemberTables
from server.tables import MemberRow, MemberTableRow
from tests.server.harness import ASH, ASONG, MOSS, RIVER, SKY, WREN, XIAOYU, token
from tests.support.member_tables import unpack_members

HEADER = "card,alias,language,interests,disinterests,purposes,quiet,cap\n"
CARDS = (RIVER, XIAOYU, ASH, WREN, ASONG, SKY, MOSS)


async def member_called(state, alias: str):
    return next(member for member in await state.members.list_members() if member.alias == alias)


async def withdraw(state, alias: str, purpose: str = "recognise") -> None:
    member = await member_called(state, alias)
    await state.members.set_consent(member.member, ConsentChange(purpose=purpose, granted=False))


async def test_the_demo_members_come_in_with_what_the_file_says(state):
    river = await member_called(state, "River")
    assert (river.language, river.purposes, river.interests, river.disinterests, river.cap) == (
        "en", ["recognise", "recommend"], ["hiking", "running"], ["golf"], 3,
    )  # fmt: skip
    assert (await member_called(state, "Wren")).cap is None
    assert (await member_called(state, "Sky")).quiet.startswith("00:00-")


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


async def test_a_large_import_lets_events_and_withdrawals_through(edge, state, monkeypatch):
    monkeypatch.setattr(service, "AT_ONCE", 2)
    rows = [f"{number:024x},Guest {number},en,running,,recognise,," for number in range(1, 10)]
    importing = asyncio.create_task(state.members.import_csv(HEADER + "\n".join(rows)))
    counts = []
    while not importing.done():
        async with state.ledger.transaction() as work:
            counts.append(await work.session.scalar(select(func.count()).select_from(MemberRow)))
    assert importing.result().imported == 9
    assert len(set(counts)) > 2, "it was let in between"


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


async def test_an_import_again_changes_nothing_and_offers_no_new_table(edge, state, store):
    version, _ = await state.member_tables.table("gw-1")
    report = await state.members.import_csv((store / "members.csv").read_text())
    assert (report.imported, report.updated, report.bad_rows) == (0, 7, [])
    assert (await state.member_tables.table("gw-1"))[0] == version


async def test_a_file_does_not_undo_a_members_own_no(edge, state, store):
    await withdraw(state, "River")
    report = await state.members.import_csv((store / "members.csv").read_text())
    (bad,) = report.bad_rows
    assert (bad.row, "recognise was withdrawn" in bad.why) == (2, True)
    assert await edge.handle_of(RIVER) is None


async def test_a_file_that_no_longer_grants_withdraws(edge, state):
    await edge.visit(RIVER, "door", token(1))
    edge.outgoing()
    await state.members.import_csv(f"{HEADER}{RIVER},River,en,running,,,,3\n")
    assert edge.sent(VisitEnded)
    assert await edge.handle_of(RIVER) is None


async def test_an_update_changes_interests_for_the_next_decision(edge, state):
    await edge.visit(WREN, "door", token(1))
    await state.members.import_csv(f"{HEADER}{WREN},Wren,en,running,,recognise;recommend,,\n")
    edge.outgoing()
    await edge.visit(WREN, "shoes", token(1))
    assert [moment.content for moment in edge.moments()] == ["trail-runners"]


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


BAD_ROWS = [
    ("zz,A,en,,,,,", "not hex"),
    ("2d,A,en,,,,,", "no EPC"),
    ("04a1b2c3d4e5f6,A,en,,,,,", "nfc:…"),
    ("em4100:8075634,A,en,,,,,", "ten digits"),
    ("nfc:08a1b2c3,A,en,,,,,", "drawn anew"),
    ("nfc:xyz,A,en,,,,,", "in hex"),
    ("mifare:04a1b2c3,A,en,,,,,", "em4100:<the ten digits"),
    (",A,en,,,,,", "no EPC"),
    ("3034257bf400cb0000000001,A,en,,,,,", "own goods"),
    ("2d14,,en,,,,,", "alias"),
    ("2d14,A\x07,en,,,,,", "alias"),
    ("2d14,A,English,,,,,", "language"),
    ("2d14,A,en,Running Shoes,,,,", "interest"),
    ("2d14,A,en,golf,golf,,,", "both"),
    ("2d14,A,en,,,track,,", "unknown purpose"),
    ("2d14,A,en,,,,25:00-26:00,", "times of the day"),
    ("2d14,A,en,,,,08:00-08:00,", "whole day"),
    ("2d14,A,en,,,,8-9,", "HH:MM"),
    ("2d14,A,en,,,,,-1", "cap"),
    ("2d14,A,en,,,,,three", "cap"),
    ("2d14,A,en,,,,,٣", "cap"),
    ("2d14,A,en", "8 fields"),
    ("2d14,A,en,,,,,,more", "8 fields"),
]


@pytest.mark.parametrize(("row", "why"), BAD_ROWS)
def test_a_bad_row_is_named_and_the_rest_comes_in(row, why):
    good, bad = parse_members(f"{HEADER}{RIVER},River,en,,,,,\n{row}\n{WREN},Wren,en,,,,,\n", ("3034257b",))
    assert [record.row for record in good] == [2, 4]
    assert [(error.row, why in error.why) for error in bad] == [(3, True)], bad
    assert row.split(",")[0] == "" or row.split(",")[0] not in bad[0].why


def test_cards_of_other_kinds_are_what_their_readers_report():
    good, bad = parse_members(
        f"{HEADER}em4100:0008075634,A,en,,,,,\nnfc:04:a1:b2:c3:d4:e5:f6,B,en,,,,,\n", ("3034257b",)
    )
    assert [record.card for record in good] == [em4100_card(8075634), nfc_card(bytes.fromhex("04a1b2c3d4e5f6"))]
    assert bad == []


@pytest.mark.parametrize(
    ("one", "other"), [("nfc:04a1b2c3", "NFC: 04-A1-B2-C3"), ("em4100:0000000001", "EM4100:0000000001")]
)
def test_a_card_written_in_two_ways_is_one_card(one, other):
    good, bad = parse_members(f"{HEADER}{one},A,en,,,,,\n{other},B,en,,,,,\n", ())
    assert ([record.alias for record in good], [error.why for error in bad]) == (
        ["A"], ["this card is in the file twice"],
    )  # fmt: skip


async def test_a_member_with_a_card_of_125_khz_is_recognised_by_it(edge, state):
    report = await state.members.import_csv(HEADER + "em4100:0008075634,Zoe,en,,,recognise,,\n")
    assert (report.imported, report.bad_rows) == (1, [])
    assert await edge.handle_of(em4100_card(8075634).hex()) is not None
    assert await edge.handle_of(em4100_card(8075635).hex()) is None


def test_a_card_twice_in_a_file_is_taken_once():
    good, bad = parse_members(f"{HEADER}{RIVER},A,en,,,,,\n{RIVER.upper()},B,en,,,,,\n", ())
    assert [record.alias for record in good] == ["A"]
    assert [(error.row, error.why) for error in bad] == [(3, "this card is in the file twice")]


def test_cap_unset_zero_and_n_are_three_things():
    good, _ = parse_members(f"{HEADER}2d14,A,en,,,,,\n2d15,B,en,,,,,0\n2d16,C,en,,,,,5\n", ())
    assert [record.cap for record in good] == [None, 0, 5]


@pytest.mark.parametrize("text", ["", "card;alias\n", "alias,card\nx,y\n", "\x00", '"card'])
def test_another_file_is_refused_whole(text):
    with pytest.raises(Unprocessable):
        parse_members(text, ())


def test_a_byte_order_mark_and_windows_lines_are_taken():
    good, bad = parse_members("\ufeff" + HEADER.replace("\n", "\r\n") + f"{RIVER},River,en,,,,,\r\n", ())
    assert (len(good), bad) == (1, [])


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
