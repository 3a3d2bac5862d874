"""The owner's file of members: what it changes, what it cannot, and rows that are left out."""

import asyncio

import pytest
from sqlalchemy import func, select

from broker_config.messages import VisitEnded
from readers.card_number import em4100_card, nfc_card
from server.errors import Unprocessable
from server.members import service
from server.members.importer import parse_members
from server.tables import MemberRow
from tests.server.harness import RIVER, WREN, token
from tests.server.members_rig import HEADER, member_called, withdraw


async def test_the_demo_members_come_in_with_what_the_file_says(state):
    river = await member_called(state, "River")
    assert (river.language, river.purposes, river.interests, river.disinterests, river.cap) == (
        "en", ["recognise", "recommend"], ["hiking", "running"], ["golf"], 3,
    )  # fmt: skip
    assert (await member_called(state, "Wren")).cap is None
    assert (await member_called(state, "Sky")).quiet.startswith("00:00-")


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
