"""Erasure on a gateway: every file afterwards, the gaps it leaves, and an agent that died half way."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broker_config.identity import make_credential
from broker_config.member_table import pack_members
from broker_config.messages import EdgeAck, ErasureReceipt, decode
from broker_config.site import ZoneId
from edge.erasure import KEY, Eraser
from edge.events import Announcer
from edge.member_file import OpenedMembers, index_members, known_handles
from edge.outbox import Outbox
from edge.outbox_erasure import VisitRow, _read
from edge.outbox_rows import DropRange
from edge.outbox_sums import SALVAGED, row_sum
from edge.visits import Stay, VisitChange, Visits
from edge.visits import _Visit as LiveVisit
from tests.support.edge import ManualClock, a_transition
from tests.support.seeds import find_seeds

CREDENTIAL = make_credential("agent", "gw-1")
ANN, BOB, OLD = b"handle-of-ann-16", b"handle-of-bob-16", b"a-withdrawn-one-"
TOKENS = {ANN: "a" * 31 + "1", BOB: "b" * 31 + "2", OLD: "c" * 31 + "3"}


@dataclass
class FakeKeeper:
    """Counts what it was asked."""

    forgotten: int = 0

    async def forget(self) -> None:
        self.forgotten += 1


@dataclass
class Gateway:
    """An outbox with visits of three, and who applies erasures to it."""

    folder: Path
    outbox: Outbox
    visits: Visits = field(default_factory=lambda: Visits(600))
    keeper: FakeKeeper = field(default_factory=FakeKeeper)
    shown: list[ErasureReceipt] = field(default_factory=list)

    def __post_init__(self) -> None:
        seal_key = bytes.fromhex(CREDENTIAL.seal_key or "")
        self.announcer = Announcer("demo", "gw-1", (ZoneId("door"),), seal_key, ManualClock(), simulated=True)
        self.eraser = Eraser(self.outbox, self.visits, self.keeper, CREDENTIAL, self.shown.append)  # type: ignore[arg-type]

    def came_and_went(self, *handles: bytes) -> None:
        """An entry and a leaving of each, with goods between."""
        for handle in handles:
            cause = a_transition("arrived", b"", 0, 1, handle=handle)
            for kind, whose, reason in (("entered", handle, None), ("left", None, "exit")):
                change = VisitChange(kind, TOKENS[handle], whose, 0, 1.0, reason, cause)  # type: ignore[arg-type]
                self.outbox.append([self.announcer.visit(change)])
            self.outbox.append([self.announcer.item(a_transition("arrived", b"\x30" * 12, 0, 1))])

    def generation(self) -> str:
        return self.outbox.generation

    async def tokens_left(self) -> set[str]:
        rows = await self.outbox.rows_after(0, 1000)
        return {decode(row.payload).data.visit for row in rows if "/visit/" in row.topic}


@pytest.fixture
async def gateway(tmp_path) -> AsyncIterator[Gateway]:
    path = tmp_path / "outbox.sqlite"
    async with Outbox(path, "gw-1", quota_bytes=1 << 20, clock_ns=ManualClock()) as outbox:
        yield Gateway(tmp_path, outbox)


def table(*handles: bytes) -> OpenedMembers:
    return index_members(pack_members(7, 1 << 62, [(bytes([n]) * 16, handle) for n, handle in enumerate(handles)]))


def seeds(*handles: bytes) -> dict[str, bytes]:
    return {f"token {TOKENS[h]}": TOKENS[h].encode() for h in handles}


def test_known_handles_are_those_in_the_table_also_where_halves_agree():
    halves = ANN[:8] + OLD[8:]
    assert known_handles(table(ANN, BOB), {ANN, OLD, halves}) == {ANN}
    assert known_handles(table(), {ANN}) == known_handles(table(ANN), set()) == frozenset()


async def test_who_is_in_no_table_is_in_no_file(gateway):
    gateway.came_and_went(ANN, BOB, OLD)
    await gateway.outbox.flush()
    (aside := gateway.folder / "outbox.sqlite.corrupt-17").write_bytes(TOKENS[ANN].encode())
    await gateway.outbox.with_store(lambda store: store.quarantined.append(aside))
    assert {hit.seed for hit in find_seeds([gateway.folder], seeds(ANN, OLD))} == set(seeds(ANN, OLD))
    await gateway.eraser.apply(5, table(BOB))
    assert find_seeds([gateway.folder], seeds(ANN, OLD)) == []
    assert await gateway.tokens_left() == {TOKENS[BOB]}
    assert (gateway.shown, gateway.keeper.forgotten) == ([ErasureReceipt(version=5, dropped=4)], 1)
    assert gateway.outbox.dropped_events == 4
    assert await gateway.outbox.drops() == [DropRange(1, 2, "A"), DropRange(7, 8, "A")]


async def test_what_the_server_has_is_deleted_and_counts_as_no_drop_but_closes_its_gap_for_an_older_server(gateway):
    gateway.came_and_went(ANN, BOB)
    await gateway.outbox.flush()
    await gateway.outbox.acknowledge(EdgeAck(generation=gateway.generation(), upto=6))
    await gateway.eraser.apply(5, table(BOB))
    assert (gateway.shown[-1].dropped, gateway.outbox.dropped_events) == (0, 0)
    assert await gateway.outbox.drops() == []
    await gateway.outbox.acknowledge(EdgeAck(generation=gateway.generation(), upto=0))  # restored from a backup
    assert await gateway.outbox.drops() == [DropRange(1, 2, "A")]


async def test_a_visit_whose_entry_is_gone_is_kept_only_while_its_owner_is_known(gateway):
    gateway.came_and_went(ANN, BOB)
    await gateway.outbox.flush()
    with_entry = [1, 4]

    def forget_entries(store) -> None:
        for seq in with_entry:
            store._db.execute("DELETE FROM event_a WHERE seq = ?", (seq,))

    await gateway.outbox.with_store(forget_entries)
    for handle in (ANN, BOB):
        gateway.visits._visits[handle] = LiveVisit(TOKENS[handle], {1: Stay(1, 0, 0)}, 0)
    await gateway.eraser.apply(5, table(BOB))
    assert await gateway.tokens_left() == {TOKENS[BOB]}
    assert gateway.visits.owners() == {TOKENS[BOB]: BOB}


async def test_an_erasure_is_applied_once_and_remembered(gateway):
    gateway.came_and_went(ANN)
    await gateway.eraser.apply(5, table(BOB))
    gateway.came_and_went(ANN)  # as if she had joined anew, before the next table
    await gateway.eraser.apply(5, table(BOB))
    await gateway.eraser.apply(4, table(BOB))
    assert await gateway.tokens_left() == {TOKENS[ANN]}
    assert await gateway.outbox.state(KEY) == b"5"
    again = Gateway(gateway.folder, gateway.outbox)
    await again.eraser.load()
    assert (again.eraser.applied, again.shown) == (5, [ErasureReceipt(version=5)])


async def test_a_receipt_that_the_broker_dropped_is_said_again_with_the_next_look_at_the_table(gateway):
    gateway.came_and_went(ANN)
    await gateway.eraser.apply(5, table(BOB))
    receipt = ErasureReceipt(version=5, dropped=2)
    assert gateway.shown == [receipt]
    await gateway.eraser.apply(5, table(BOB))
    assert gateway.shown == [receipt, receipt]
    again = Gateway(gateway.folder, gateway.outbox)
    await again.eraser.load()
    await again.eraser.apply(5, table(BOB))
    assert again.shown == [ErasureReceipt(version=5)] * 2
    assert again.keeper.forgotten == 0, "nothing is gone through again"


async def test_an_agent_that_dies_half_way_does_it_again_and_drops_nothing_twice(gateway, monkeypatch):
    gateway.came_and_went(ANN, BOB)

    async def die() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gateway.keeper, "forget", die)
    with pytest.raises(KeyboardInterrupt):
        await gateway.eraser.apply(5, table(BOB))
    assert (gateway.eraser.applied, gateway.shown) == (0, [])
    monkeypatch.undo()
    await gateway.eraser.apply(5, table(BOB))
    assert (gateway.eraser.applied, gateway.outbox.dropped_events) == (5, 2)


async def test_an_erasure_on_a_full_disk_is_not_said_to_be_done_and_is_done_once_there_is_space(gateway, monkeypatch):
    gateway.came_and_went(ANN)

    async def refused() -> bool:
        return False

    monkeypatch.setattr(gateway.outbox, "flush", refused)
    with pytest.raises(sqlite3.OperationalError):
        await gateway.eraser.apply(5, table(BOB))
    assert (gateway.eraser.applied, gateway.shown) == (0, [])
    monkeypatch.undo()
    await gateway.eraser.apply(5, table(BOB))
    assert (gateway.eraser.applied, await gateway.tokens_left()) == (5, set())


async def test_events_go_on_while_a_large_outbox_is_gone_through(gateway, monkeypatch):
    monkeypatch.setattr("edge.outbox_erasure.AT_ONCE", 3)
    monkeypatch.setattr("edge.erasure.AT_ONCE", 3)
    for _ in range(10):
        gateway.came_and_went(ANN)
    erasing = asyncio.create_task(gateway.eraser.apply(5, table(BOB)))
    committed = []
    gateway.outbox.on_commit = committed.extend
    while not erasing.done():
        gateway.outbox.append([gateway.announcer.item(a_transition("arrived", b"\x30" * 12, 0, 1))])
        await gateway.outbox.flush()  # let in between two of its steps
    await erasing
    await gateway.outbox.flush()
    assert committed
    assert await gateway.tokens_left() == set()


async def test_a_copy_where_no_row_is_makes_the_file_be_written_anew(gateway):
    path = gateway.folder / "outbox.sqlite"
    gateway.came_and_went(ANN, BOB)
    await gateway.outbox.flush()

    def free_pages(store) -> None:
        store._db.execute("CREATE TABLE filler (x)")
        store._db.execute("INSERT INTO filler VALUES (zeroblob(20000))")
        store._db.execute("DROP TABLE filler")
        store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        place = path.read_bytes().rindex(bytes(2000)) + 1000
        with path.open("r+b") as file:
            file.seek(place)
            file.write(TOKENS[ANN].encode())

    await gateway.outbox.with_store(free_pages)
    await gateway.eraser.apply(5, table(BOB))
    assert find_seeds([gateway.folder], seeds(ANN)) == []
    assert await gateway.tokens_left() == {TOKENS[BOB]}


async def test_what_was_saved_from_a_damaged_file_is_erased_and_declared_too(gateway):
    gateway.came_and_went(ANN, BOB)
    await gateway.outbox.flush()
    rows = [row for row in await gateway.outbox.rows_after(0, 100) if "/visit/" in row.topic]

    def as_salvaged(store) -> None:
        for number, row in enumerate(rows, 1):
            kept_sum = row_sum(number, SALVAGED, row.topic, row.payload)
            values = (number, row.topic, row.payload, kept_sum, gateway.outbox.generation, row.seq)
            store._db.execute("INSERT INTO salvaged VALUES (?, ?, ?, ?, ?, ?)", values)
            store._db.execute("DELETE FROM event_a WHERE seq = ?", (row.seq,))

    await gateway.outbox.with_store(as_salvaged)
    await gateway.eraser.apply(5, table(BOB))
    assert len(await gateway.outbox.salvaged_after(0, 100)) == 2
    assert [(r.generation, r.first, r.last) for r in await gateway.outbox.salvaged_lost()] == [
        (gateway.outbox.generation, 1, 1), (gateway.outbox.generation, 2, 2),
    ]  # fmt: skip
    assert find_seeds([gateway.folder], seeds(ANN)) == []


async def test_the_file_is_sound_afterwards(gateway):
    gateway.came_and_went(ANN, BOB)
    await gateway.eraser.apply(5, table(BOB))
    check = await gateway.outbox.with_store(lambda store: store._db.execute("PRAGMA integrity_check").fetchone())
    assert check == ("ok",)


def test_a_visit_that_nobody_can_read_stops_no_erasure():
    for payload in (b"", b"{", b"\xff" * 40, None, "a text, where bytes belong", b'{"type":"tacet.visit.entered.v1"}'):
        assert _read(7, payload, bytes(32), salvaged=True) == VisitRow(7, "", None, salvaged=True)
