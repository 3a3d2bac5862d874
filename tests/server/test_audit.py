"""The access log: written with what it tells of, held together by its hashes, and silent about persons."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from broker_config.errors import ConfigError
from server.audit.chain import EMPTY, Anchor, Link, hash_of, parse_anchor, verify
from server.audit.reading import head_of, verify_file
from server.audit.service import OWNER, Actor, Thing
from server.errors import NotFound
from server.members.schemas import ConsentChange
from server.state import ServerState

TEXTS = ("owner", "", "read", "member", "0011223344556677", "done", "")
COLUMNS = (
    "at_ns", "actor_kind", "actor_id", "action", "object_kind", "object_id", "outcome", "detail", "previous", "hash",
)  # fmt: skip


def a_chain(length: int) -> list[Link]:
    links: list[Link] = []
    for number in range(1, length + 1):
        previous = links[-1].hash if links else EMPTY.hash
        digest = hash_of(number, 1_000 + number, TEXTS, previous)
        links.append(Link(number, 1_000 + number, TEXTS, previous, digest))
    return links


def head(links: list[Link]) -> Anchor:
    return Anchor(links[-1].number, links[-1].hash)


async def fill(state: ServerState, rows: int = 5) -> Path:
    """A log of that many rows beyond the import's; its file."""
    for number in range(rows):
        async with state.ledger.transaction() as work:
            await state.audit.record(work, Actor("staff", f"s-{number}"), "read", Thing("member", f"m-{number}"))
    return state.config.database


def tamper(path: Path, statement: str, values: tuple[object, ...] = ()) -> None:
    """As somebody with the file in his hands can."""
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER IF EXISTS audit_no_update")
        db.execute("DROP TRIGGER IF EXISTS audit_no_delete")
        db.execute(statement, values)


def test_a_whole_chain_is_whole_and_its_head_comes_back_as_text():
    links = a_chain(7)
    found = verify(links)
    assert (found.broken, found.head) == (None, head(links))
    assert parse_anchor(str(found.head)) == found.head
    with pytest.raises(ValueError, match="anchor"):
        parse_anchor("7:" + "00" * 32)


@given(length=st.integers(2, 12), data=st.data())
def test_a_row_left_out_put_elsewhere_or_put_in_shows_at_its_place(length, data):
    links = a_chain(length)
    at = data.draw(st.integers(0, length - 2))
    assert verify(links[:at] + links[at + 1 :]).broken == at + 1
    swapped = [*links[:at], links[at + 1], links[at], *links[at + 2 :]]
    assert verify(swapped).broken == at + 1
    assert verify([*links[: at + 1], links[at], *links[at + 1 :]]).broken == at + 2


@given(length=st.integers(1, 12), data=st.data())
def test_cutting_the_end_off_shows_only_against_an_anchor(length, data):
    links = a_chain(length)
    kept = links[: data.draw(st.integers(0, length - 1))]
    assert verify(kept).broken is None, "the chain alone cannot know"
    assert verify(kept, head(links)).broken == len(kept) + 1
    longer = a_chain(length + 3)
    assert verify(longer, head(links)).broken is None


def test_a_row_altered_together_with_its_own_hash_shows_at_the_next():
    links = a_chain(4)
    texts = ("staff", *TEXTS[1:])
    digest = hash_of(2, links[1].at_ns, texts, links[1].previous)
    links[1] = Link(2, links[1].at_ns, texts, links[1].previous, digest)
    found = verify(links)
    assert (found.broken, "does not follow" in found.why) == (3, True)


def test_a_chain_written_anew_shows_against_an_anchor():
    links = a_chain(4)
    forged: list[Link] = []
    for link in links:
        previous = forged[-1].hash if forged else EMPTY.hash
        texts = ("staff", *TEXTS[1:])
        digest = hash_of(link.number, link.at_ns, texts, previous)
        forged.append(Link(link.number, link.at_ns, texts, previous, digest))
    assert verify(forged).broken is None
    assert verify(forged, head(links)).broken == 4


@given(st.lists(st.text(max_size=8), min_size=7, max_size=7), st.integers(0, 6), st.integers(0, 7))
def test_no_two_divisions_of_the_same_letters_have_one_hash(texts, where, cut):
    moved = list(texts)
    moved[where], rest = texts[where][:cut], texts[where][cut:]
    moved[(where + 1) % 7] = rest + moved[(where + 1) % 7]
    same = tuple(moved) == tuple(texts)
    assert (hash_of(1, 0, moved, EMPTY.hash) == hash_of(1, 0, texts, EMPTY.hash)) is same


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_one_flipped_bit_anywhere_is_found_at_its_row(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("audit") / "t.db"
    links = a_chain(5)
    with sqlite3.connect(path) as db:
        db.execute(f"CREATE TABLE audit (number INTEGER PRIMARY KEY, {', '.join(COLUMNS)})")
        for link in links:
            values = (link.number, link.at_ns, *link.texts, link.previous, link.hash)
            db.execute(f"INSERT INTO audit VALUES ({', '.join('?' * len(values))})", values)
    row, column = data.draw(st.integers(1, 5)), data.draw(st.sampled_from(COLUMNS))
    with sqlite3.connect(path) as db:
        (value,) = db.execute(f"SELECT {column} FROM audit WHERE number = ?", (row,)).fetchone()
        db.execute(f"UPDATE audit SET {column} = ? WHERE number = ?", (flipped(value, data), row))
    assert verify_file(path).broken == row
    assert verify_file(path, head(links)).broken == row


def flipped(value: object, data: st.DataObject) -> object:
    if isinstance(value, int):
        return value ^ 1 << data.draw(st.integers(0, 40))
    raw = bytearray(value if isinstance(value, bytes) else str(value).encode() or b"\0")
    place, bit = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(0, 7))
    raw[place] ^= 1 << bit
    return bytes(raw) if isinstance(value, bytes) else raw.decode(errors="surrogateescape").encode("utf-8", "replace")


async def test_flipping_any_byte_of_the_stored_row_in_the_file_is_found(state):
    path = await fill(state)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (wanted,) = db.execute("SELECT hash FROM audit WHERE number = 3").fetchone()
    content = path.read_bytes()
    place = content.rindex(
        wanted
    )  # pages fill from their end: in front of it lies row 4, which names it as the one before
    copy = path.with_name("copy.db")
    for back in (1, 20, 40, 60):  # in the hash before it, and in the texts before that
        changed = bytearray(content)
        changed[place - back] ^= 0x20
        copy.write_bytes(changed)
        assert verify_file(copy).broken == 3
    copy.write_bytes(content)
    assert verify_file(copy).broken is None


async def test_the_database_refuses_to_alter_or_delete_a_row(state):
    await fill(state, 1)
    for statement in ("UPDATE audit SET action = 'x'", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="only ever added to"):
            async with state.db.write() as session:
                await (await session.connection()).exec_driver_sql(statement)


async def test_what_is_rolled_back_leaves_no_row_and_what_is_done_leaves_one(state):
    before = await state.audit.head()
    with pytest.raises(NotFound):
        await state.members.set_consent("m-nobody", ConsentChange(purpose="recognise", granted=False))
    with pytest.raises(KeyboardInterrupt):
        await record_and_give_up(state)
    assert await state.audit.head() == before
    member = (await state.members.list_members())[0].member
    await state.members.set_consent(member, ConsentChange(purpose="recognise", granted=False))
    assert (await state.audit.head()).number == before.number + 2
    assert verify_file(state.config.database).broken is None


async def record_and_give_up(state: ServerState) -> None:
    async with state.ledger.transaction() as work:
        await state.audit.record(work, OWNER, "read", Thing("member", "m-1"))
        raise KeyboardInterrupt


async def test_the_log_names_no_member_and_tells_one_from_another(state):
    people = [each for each in await state.members.list_members() if "recognise" in each.purposes]
    for person in people[:2]:
        await state.members.set_consent(person.member, ConsentChange(purpose="recognise", granted=False))
    with sqlite3.connect(state.config.database) as db:
        rows = db.execute("SELECT * FROM audit").fetchall()
        objects = [row[0] for row in db.execute("SELECT object_id FROM audit WHERE action = 'withdraw'")]
    said = repr(rows)
    assert len(set(objects)) == 2
    assert objects[0] == state.audit.opaque(Thing("member", people[0].member))
    for person in people:
        assert person.member not in said
        assert person.alias not in said


async def test_the_anchor_is_told_once_a_day(state, clock, caplog):
    for wait_h, told in ((0, 1), (1, 1), (24, 2)):
        clock.pass_s(wait_h * 3600)
        await state.audit.anchor_daily()
        said = [record.message for record in caplog.records if "audit anchor" in record.message]
        assert len(said) == told
    assert parse_anchor(said[-1].split()[2].rstrip(";")) == await state.audit.head()


async def test_the_command_names_the_first_broken_row_with_exit_code_1(state, store):
    path = await fill(state)
    anchor = str(head_of(path))
    assert run(store, "head").stdout.strip() == anchor
    good = run(store, "verify", "--anchor", anchor)
    assert (good.returncode, "whole" in good.stdout) == (0, True)
    tamper(path, "DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)")
    assert run(store, "verify").returncode == 0
    cut = run(store, "verify", "--anchor", anchor)
    assert (cut.returncode, "missing at the end" in cut.stderr) == (1, True)
    tamper(path, "UPDATE audit SET outcome = 'refused' WHERE number = 2")
    broken = run(store, "verify", "--json")
    assert (broken.returncode, '"broken": 2' in broken.stdout) == (1, True)


def test_what_is_no_log_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="start the server"):
        head_of(tmp_path / "none.db")
    (tmp_path / "other.db").touch()
    with pytest.raises(ConfigError, match="is it a server's database"):
        verify_file(tmp_path / "other.db")


def run(store: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tacet", "audit", *arguments, "--config", str(store / "server.toml")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
