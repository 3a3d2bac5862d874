"""An agent that stops and starts again, with the real engine: who was there is still there, under the same token."""

import asyncio
import errno
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from broker_config.identity import siphash_2_4_128
from broker_config.member_table import pack_members
from broker_config.messages import (
    Data,
    ItemArrived,
    ItemDeparted,
    TransactionSettled,
    VisitEntered,
    VisitLeft,
    ZoneCoverage,
    decode,
)
from edge.agent import Agent, Devices
from edge.at_rest import AtRest
from edge.clock import Clock
from edge.config import EdgeConfig, load_config
from edge.kernels import cache_folder, prepare_kernels
from edge.member_file import member_path
from edge.outbox import Outbox
from edge.presence import Tracker
from edge.presence_config import make_layout, make_settings
from edge.presence_file import part_of, refused_of, unpack
from edge.start import Teller, make_engine
from readers.health import ReaderHealth
from readers.model import ReaderId, Weight
from tests.support.edge import FakeRelay, KnownTime, Script, a_read
from tests.support.patience import eventually

ITEM = bytes.fromhex("3034257bf400cb0000000001")
CARD, HANDLE = bytes.fromhex("2d14257bf52cb6916d000000"), b"handle-of-ann-16"
DAY_NS = 86_400_000_000_000
LONG = "person_departs_s = 120"  # nobody departs while a test looks
SNAP = Path("edge") / "presence.snap"


@pytest.fixture(scope="session", autouse=True)
def _kernels() -> None:
    prepare_kernels(cache_folder(), lambda *_: None)


@pytest.fixture
def folder(edge_folder: Path) -> Path:
    """An agent's folder with a member table of one card, snapshots only on demand, and long limits."""
    path = edge_folder / "edge.toml"
    given = f"[snapshot]\nevery_s = 3600\n[presence.door]\n{LONG}\n[presence.shelf]\n{LONG}\n[broker]"
    path.write_text(path.read_text().replace("[broker]", given, 1))
    config = load_config(path)
    config.data.mkdir(mode=0o700)
    write_members(config, 3, [CARD])
    return edge_folder


def shorten_the_limit(folder: Path) -> None:
    """From the next start on, who is not read at the door departs soon."""
    path = folder / "edge.toml"
    path.write_text(path.read_text().replace(LONG, "person_departs_s = 0.4", 1))


def write_members(config: EdgeConfig, version: int, cards: list[bytes]) -> None:
    key = bytes.fromhex(config.credential.match_key or "")
    table = pack_members(version, Clock()() + DAY_NS, [(siphash_2_4_128(key, card), HANDLE) for card in cards])
    member_path(config.data, key).write_bytes(AtRest(config.credential, "members").seal(table.to_bytes()))


def opened(folder: Path) -> bytes:
    """What the snapshot holds."""
    credential = load_config(folder / "edge.toml").credential
    return bytes(AtRest(credential, "presence").open(memoryview((folder / SNAP).read_bytes())))


@dataclass
class Life:
    """One process of an agent: the real engine, scripted devices that give signs of life only when they read."""

    config: EdgeConfig
    outbox: Outbox
    clock: Clock = field(default_factory=Clock)
    ready: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = self.config
        goods = [bytes.fromhex(prefix) for prefix in config.site.own_goods]
        self.engine = Tracker(make_layout(config), make_settings(config), seed=7, own_goods=goods, capacity=256)
        readers = {reader.id: Script(reader.id, ReaderHealth(signs_of_life=0)) for reader in config.readers}
        self.scripts = readers | {scale.id: Script(scale.id) for scale in config.scales}
        devices = Devices(
            reader=lambda config, _: self.scripts[config.id].open(),  # type: ignore[arg-type, return-value]
            scale=lambda config, _: self.scripts[config.id].open(),  # type: ignore[arg-type, return-value]
            relay=lambda _: FakeRelay().open(),
        )
        self.agent = Agent(
            config,
            self.engine,
            self.outbox,
            self.clock,
            devices=devices,
            on_ready=lambda: self.ready.append(True),
            server_clock=KnownTime(self.clock),  # type: ignore[arg-type]
        )
        self.before = self.outbox.last_seq
        self.shown: list[Data] = []
        self.agent.uplink.states.show = lambda data, *_, **__: self.shown.append(data)  # type: ignore[method-assign]

    def read(self, epc: bytes, reader: str = "r-door", times: int = 2) -> None:
        health = self.scripts[reader].health
        health.signs_of_life = (health.signs_of_life or 0) + 1
        self.scripts[reader].say(*(a_read(epc, reader, self.clock()) for _ in range(times)))

    async def said(self, count: int) -> list[Data]:
        """The events of this life, once there are that many, and no more."""
        await eventually(lambda: self.outbox.last_seq >= self.before + count)
        await self.outbox.flush()
        rows = await self.outbox.rows_after(self.before, 100)
        assert len(rows) == count
        return [decode(row.payload).data for row in rows]

    async def saved(self) -> None:
        await self.agent._keeper.save()

    def covered(self, zone: str) -> list[bool]:
        return [said.covered for said in self.shown if isinstance(said, ZoneCoverage) and said.zone == zone]


@asynccontextmanager
async def living(folder: Path, *, killed: bool = False) -> AsyncIterator[Life]:
    """An agent that at the end is stopped as by SIGTERM, or killed: nothing more is written."""
    config = load_config(folder / "edge.toml")
    async with Outbox(config.data / "outbox.sqlite", "gw-1", quota_bytes=1 << 20, clock_ns=Clock()) as outbox:
        life = Life(config, outbox)
        task = asyncio.create_task(life.agent.run())
        try:
            await eventually(lambda: life.ready or task.done())
            await eventually(lambda: life.agent._keeper.counters.snapshots or task.done())  # the first of its own
            yield life
            assert not task.done(), task
        finally:
            if killed:
                life.agent._keeper.close = asyncio.Event().set  # type: ignore[method-assign, assignment]
            task.cancel()
            with suppress(asyncio.CancelledError, TypeError):
                await task


async def test_who_is_there_over_a_stop_is_said_once_and_departs_under_the_same_token(folder: Path) -> None:
    async with living(folder) as life:
        life.read(CARD)
        life.read(ITEM, "r-shoes")
        said = await life.said(2)
        entered = next(each for each in said if isinstance(each, VisitEntered))
        started = life.agent.uplink.states.started_at
    shorten_the_limit(folder)
    async with living(folder) as again:
        assert again.agent.uplink.states.started_at == started
        counters = again.agent.stats().counters
        assert (counters["restored_items"], counters["restored_people"]) == (1, 1)
        again.read(ITEM, "r-shoes")
        again.read(CARD)
        await eventually(lambda: again.engine.counters.reads == 4)
        (left,) = await again.said(1)  # the limit at the door is short, and nobody reads the card any more
        assert isinstance(left, VisitLeft)
        assert (left.visit, left.zone, left.reason) == (entered.visit, "door", "timeout")


async def test_who_went_while_nobody_looked_departs_once_the_reader_is_back_and_a_limit_has_passed(
    folder: Path,
) -> None:
    async with living(folder) as life:
        life.read(CARD)
        (entered,) = await life.said(1)
    shorten_the_limit(folder)
    async with living(folder) as again:
        assert again.engine.next_deadline_ns() is None or again.covered("door") == [False]
        await asyncio.sleep(0.6)  # longer than the limit; the reader has shown no sign of life yet
        assert again.outbox.last_seq == again.before, "a zone that is not covered departs nobody"
        back_ns = again.clock()
        again.read(ITEM)  # it reads again, and not the card
        left, *_ = await again.said(2)
        if not isinstance(left, VisitLeft):
            left = (await again.said(2))[1]
        assert isinstance(left, VisitLeft)
        assert left.visit == entered.visit  # type: ignore[attr-defined]
        assert left.detected_at.timestamp() * 1e9 >= back_ns + 0.39e9
        assert again.covered("door") == [False, True]


async def test_no_card_is_in_the_file_and_nobody_else_can_read_it(folder: Path) -> None:
    async with living(folder) as life:
        life.read(CARD)
        life.read(ITEM, "r-shoes")
        await life.said(2)
        await life.saved()
        data = opened(folder)
        assert stat.S_IMODE((folder / SNAP).stat().st_mode) == 0o600
        for form in (CARD, CARD[::-1], CARD[:8], CARD.hex().encode(), CARD.hex().upper().encode()):
            assert form not in data
        assert ITEM in data  # the search finds what is there
        assert len(unpack(data).visits.visits) == 1
        sealed = (folder / SNAP).read_bytes()
        assert (ITEM in sealed, HANDLE in sealed) == (False, False)


async def test_a_crash_takes_back_what_came_after_the_last_snapshot_and_keeps_the_token(folder: Path) -> None:
    async with living(folder, killed=True) as life:
        life.read(CARD)
        life.read(ITEM, "r-shoes")
        said = await life.said(2)
        token = next(each.visit for each in said if isinstance(each, VisitEntered))
    async with living(folder) as again:
        taken_back = await again.said(2)
        assert {(type(each), each.reason) for each in taken_back} == {(VisitLeft, "restart"), (ItemDeparted, "restart")}  # type: ignore[attr-defined]
        again.read(ITEM, "r-shoes")
        again.read(CARD, "r-shoes")
        later = (await again.said(4))[2:]
        assert [each.visit for each in later if isinstance(each, VisitEntered)] == [token]
        assert len([each for each in later if isinstance(each, ItemArrived)]) == 1


async def test_a_file_is_in_place_only_once_the_outbox_holds_what_it_counts_as_said(folder: Path) -> None:
    async with living(folder) as life:
        committed, before = asyncio.Event(), (folder / SNAP).read_bytes()
        life.outbox.flush = committed.wait  # type: ignore[method-assign, assignment]
        saving = asyncio.create_task(life.saved())
        for _ in range(20):
            await asyncio.sleep(0)
        assert (folder / SNAP).read_bytes() == before
        committed.set()
        await saving
        assert (folder / SNAP).read_bytes() != before


async def test_a_crash_after_a_snapshot_loses_nobody(folder: Path) -> None:
    async with living(folder, killed=True) as life:
        life.read(CARD, "r-shoes")
        await life.said(1)
        await life.saved()
    async with living(folder) as again:
        again.read(CARD, "r-shoes")
        await eventually(lambda: again.engine.counters.reads == 2)
        assert await again.said(0) == []
        assert again.agent.stats().counters["restored_people"] == 1


async def test_who_withdraws_is_out_of_the_file_at_once(folder: Path) -> None:
    async with living(folder) as life:
        life.read(CARD, "r-shoes")
        (entered,) = await life.said(1)
        await life.saved()
        refused_of(folder / SNAP).write_bytes(b"an old one")
        assert isinstance(entered, VisitEntered)
        life.agent._pipeline.end_visits((entered.visit,), "withdrawn")
        await eventually(lambda: entered.visit.encode() not in opened(folder))
        assert not refused_of(folder / SNAP).exists()
        kept = unpack(opened(folder))
        assert (kept.visits.visits, kept.visits.silenced) == ((), ((HANDLE, 3),))


async def test_who_is_not_in_the_new_member_table_is_out_of_the_file_at_once(folder: Path) -> None:
    async with living(folder) as life:
        life.read(CARD, "r-shoes")
        await life.said(1)
        await life.saved()
        assert HANDLE in opened(folder)
        write_members(life.config, 4, [])
        life.agent._members.load()
        await eventually(lambda: HANDLE not in opened(folder))
        (_, left) = await life.said(2)
        assert left.reason == "withdrawn"  # type: ignore[attr-defined]


async def test_withdrawn_while_it_was_off_is_never_mentioned_again(folder: Path) -> None:
    async with living(folder) as life:
        life.read(CARD, "r-shoes")
        await life.said(1)
    write_members(load_config(folder / "edge.toml"), 4, [])
    async with living(folder) as again:
        (left,) = await again.said(1)
        assert (left.reason, HANDLE in opened(folder)) == ("withdrawn", False)  # type: ignore[attr-defined]
        again.read(CARD, "r-shoes", times=4)
        await eventually(lambda: again.engine.counters.reads == 4)
        await again.said(1)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign"])
async def test_a_file_that_is_no_good_is_set_aside_and_the_agent_starts_with_nobody(
    folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with living(folder) as life:
        life.read(ITEM, "r-shoes")
        await life.said(1)
        started = life.agent.uplink.states.started_at
    data = bytearray((folder / SNAP).read_bytes())
    match damage:
        case "cut":
            del data[-9:]
        case "flip":
            data[-9] ^= 1
        case "empty":
            data.clear()
        case "foreign":
            data[:8] = b"TACETMB1"
    (folder / SNAP).write_bytes(data)
    async with living(folder) as again:
        assert again.agent.stats().counters["snapshot_refused"] == 1
        assert refused_of(folder / SNAP).read_bytes() == bytes(data)
        assert again.agent.uplink.states.started_at > started
        again.read(ITEM, "r-shoes")
        assert [type(each) for each in await again.said(1)] == [ItemArrived]
    assert len([each for each in caplog.records if "presence file refused" in each.message]) == 1


async def test_the_file_of_an_earlier_version_is_not_kept_in_the_clear(folder: Path) -> None:
    (folder / SNAP).parent.mkdir(mode=0o700, exist_ok=True)
    (folder / SNAP).write_bytes(b"TACETPS1" + bytes(99))
    async with living(folder, killed=True) as life:
        await eventually(lambda: life.ready)
        assert not refused_of(folder / SNAP).exists()


async def test_a_file_that_is_too_old_is_refused(folder: Path) -> None:
    async with living(folder) as life:
        life.read(ITEM, "r-shoes")
        await life.said(1)
    path = folder / "edge.toml"
    path.write_text(path.read_text().replace("every_s = 3600", "every_s = 3600\nmax_age_s = 0.001"))
    async with living(folder) as again:
        assert again.agent.stats().counters["snapshot_refused"] == 1


async def test_an_outbox_that_began_anew_makes_the_file_foreign(folder: Path) -> None:
    async with living(folder) as life:
        life.read(ITEM, "r-shoes")
        await life.said(1)
    for part in (folder / "edge").glob("outbox.sqlite*"):
        part.unlink()
    async with living(folder) as again:
        assert again.agent.stats().counters["snapshot_refused"] == 1


async def test_a_disk_that_is_full_costs_the_file_but_not_the_agent(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with living(folder) as life:
        life.read(CARD, "r-shoes")
        (entered,) = await life.said(1)
        await life.saved()
        part = folder / "edge" / "presence.snap.part"
        part.mkdir()  # as good as full: nothing can be written there
        await life.saved()
        assert (folder / SNAP).exists()
        life.agent._pipeline.end_visits((entered.visit,), "withdrawn")  # type: ignore[attr-defined]
        await eventually(lambda: not (folder / SNAP).exists())
        assert life.agent.stats().counters["snapshot_failures"] >= 2
        part.rmdir()


async def test_a_disk_that_stays_full_is_complained_of_once_and_keeps_no_torso(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complaints() -> int:
        return len([each for each in caplog.records if "cannot be written" in each.message])

    def full(path: Path, data: bytes) -> None:
        part_of(path).write_bytes(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    async with living(folder) as life:
        with monkeypatch.context() as disk:
            disk.setattr("edge.keeper.write", full)
            for _ in range(3):
                await life.saved()
            assert (complaints(), part_of(folder / SNAP).exists()) == (1, False)
        await life.saved()
        monkeypatch.setattr("edge.keeper.write", full)
        await life.saved()
        assert complaints() == 2
        assert life.agent.stats().counters["snapshot_failures"] == 4


async def test_a_full_disk_at_the_start_does_not_cost_the_file_of_the_last_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first member table asked for a new file, which could not be written, and took the old one with it."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with living(folder) as life:
        keeper = life.agent._keeper
        monkeypatch.setattr("edge.keeper.write", full)
        keeper._begun = False
        keeper.renew()
        await life.saved()
        assert (folder / SNAP).exists()
        keeper._begun = True
        keeper.renew()
        await life.saved()
        assert not (folder / SNAP).exists(), "somebody withdrew while it runs: rather no file"
        monkeypatch.undo()


async def test_a_disk_that_does_not_even_let_go_does_not_end_the_agent(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    async with living(folder) as life:
        monkeypatch.setattr("edge.keeper.write", refuse)
        monkeypatch.setattr(Path, "unlink", refuse)
        life.agent._keeper.renew()
        await life.saved()
        assert life.agent.stats().counters["snapshot_failures"] >= 1
        monkeypatch.undo()


def test_a_data_folder_that_cannot_be_made_is_told_in_one_line(folder: Path) -> None:
    (folder / "file").write_text("")
    config = replace(load_config(folder / "edge.toml"), data=folder / "file" / "data")
    teller = Teller(print, terminal=False)
    with pytest.raises(ConfigError, match=r"the data folder cannot be made: Not a directory$"):
        make_engine(config, teller)


async def test_what_is_paid_is_written_down_at_once(folder: Path) -> None:
    async with living(folder) as life:
        before = life.agent._keeper.counters.snapshots
        paid_at = datetime(2026, 3, 1, tzinfo=UTC)
        life.agent._settled(TransactionSettled(transaction="t-1", epcs=(ITEM.hex(),), settled_at=paid_at))
        await eventually(lambda: life.agent._keeper.counters.snapshots > before)
    async with living(folder) as again:
        again.read(ITEM, "r-shoes", times=4)
        await eventually(lambda: again.engine.counters.sold_ignored == 4)


async def test_what_was_at_a_reader_that_is_replaced_leaves_and_comes_again(folder: Path) -> None:
    async with living(folder) as life:
        life.read(CARD, "r-shoes")
        life.read(ITEM, "r-shoes")
        (entered, *_) = sorted(await life.said(2), key=lambda each: not isinstance(each, VisitEntered))
    path = folder / "edge.toml"
    path.write_text(path.read_text().replace('id = "r-shoes"', 'id = "r-new"'))
    async with living(folder) as again:
        ends = await again.said(2)
        assert {(type(each), each.zone, each.reason) for each in ends} == {  # type: ignore[attr-defined]
            (VisitLeft, "shoes", "restart"),
            (ItemDeparted, "shoes", "restart"),
        }
        assert again.agent.stats().counters["restored_dropped"] == 2
        again.read(CARD, "r-new")
        again.read(ITEM, "r-new")
        later = (await again.said(4))[2:]
        (back,) = [each for each in later if isinstance(each, VisitEntered)]
        assert back.visit == entered.visit  # type: ignore[attr-defined]


async def test_a_shelf_invents_no_pick_after_a_restart(folder: Path) -> None:
    def weigh(life: Life, grams: int) -> None:
        life.scripts["w-s1"].say(*(Weight(ReaderId("w-s1"), grams, True, life.clock()) for _ in range(3)))  # type: ignore[arg-type]

    async with living(folder) as life:
        life.read(ITEM, "r-shoes", times=3)
        await life.said(1)
        weigh(life, 600)
        await eventually(lambda: life.agent._shelves[ReaderId("w-s1")]._fusion.grams == 600)
    async with living(folder) as again:  # meanwhile one was taken, and the scale says less
        assert len(again.engine.present_in(1)) == 1
        fusion = again.agent._shelves[ReaderId("w-s1")]._fusion
        weigh(again, 300)
        await eventually(lambda: fusion.grams == 300)
        again.read(ITEM, "r-shoes", times=3)
        await eventually(lambda: again.engine.counters.reads == 3 and fusion.items(again.clock()) == 1)
        weigh(again, 300)
        for _ in range(3):
            again.agent._shelves[ReaderId("w-s1")].look()
        assert not fusion.moving
        assert await again.said(0) == []
