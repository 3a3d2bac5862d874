"""The file in which an agent keeps who is there over a restart: sealed, whole or refused, and worth no agent."""

import asyncio
import errno
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from broker_config.messages import (
    ItemArrived,
)
from edge.config import load_config
from edge.presence_file import part_of, refused_of, unpack
from edge.start import Teller, make_engine
from tests.edge.restart.rig import CARD, HANDLE, ITEM, SNAP, living, opened
from tests.support.patience import eventually


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


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign"])
async def test_a_file_that_is_no_good_is_set_aside_and_the_agent_starts_with_nobody(
    folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with living(folder) as life:
        life.read(ITEM, "r-shoes")
        await life.said(1)
        started = life.agent._keeper.started_ns
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
        assert again.agent._keeper.started_ns > started
        assert again.agent._keeper.started_by == again.outbox.generation
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
