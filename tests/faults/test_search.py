"""No row can keep from the search what it leaves behind, and what is found fails the run."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from typer.testing import CliRunner

from tests.faults import cli, run_row
from tests.faults.lanes import LANES
from tests.faults.nursery import close_nursery
from tests.faults.report import FaultRow, Outcome, SearchLine
from tests.faults.row import Inject, Profile, Row
from tests.faults.run import run_all
from tests.faults.search import Searched, searching
from tests.faults.search_control import plant
from tests.faults.tap import tapped
from tests.support.identities import NAMES, RIVER, write_seeded_store

CARD, NAME = bytes.fromhex(RIVER), NAMES[RIVER]


@pytest.fixture
def _closing() -> Iterator[None]:
    """The processes that others are started from."""
    yield
    close_nursery()


@pytest.fixture
def _no_planting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.faults.run.plant", lambda: (1, []))


@pytest.mark.usefixtures("_closing")
def test_the_control_finds_what_was_planted_in_files_and_in_the_traffic_of_every_kind_of_process() -> None:
    planted, missed = plant()
    assert planted > 60
    assert missed == []


async def stays(profile: Profile) -> list[Outcome]:
    (profile.folder / "x.log").write_text(f"hello, {NAME}")
    return [Outcome(0)]


async def is_deleted(profile: Profile) -> list[Outcome]:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "x.db-wal").write_bytes(CARD)
    return [Outcome(0)]


async def is_removed(profile: Profile) -> list[Outcome]:
    (profile.folder / "deep" / "er").mkdir(parents=True)
    (profile.folder / "deep" / "er" / "x").write_text(CARD.hex())
    shutil.rmtree(profile.folder / "deep")
    return [Outcome(0)]


async def is_in_the_database(profile: Profile) -> list[Outcome]:
    write_seeded_store(profile.folder)
    (profile.folder / "tacet.db").write_bytes(NAME.encode())
    return [Outcome(0)]


async def is_a_card_in_the_database(profile: Profile) -> list[Outcome]:
    (profile.folder / "tacet.db-wal").write_bytes(CARD)
    return [Outcome(0)]


async def has_others(profile: Profile) -> list[Outcome]:
    write_seeded_store(profile.folder)
    members = profile.folder / "members.csv"
    members.write_text(members.read_text().replace(NAME, "Somebody-Else"))
    return [Outcome(0)]


@pytest.mark.usefixtures("_no_planting")
@pytest.mark.parametrize(
    ("inject", "found"),
    [(stays, 1), (is_deleted, 1), (is_removed, 1), (is_in_the_database, 0), (is_a_card_in_the_database, 1), (has_others, 1)],
)  # fmt: skip
def test_what_a_row_leaves_anywhere_is_found_and_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, inject: Inject, found: int
) -> None:
    monkeypatch.setattr("tests.faults.registry.all_rows", lambda: (Row((1,), "x", inject),))
    done = CliRunner().invoke(cli.faults_app, ["--json", "--row", "1"])
    row, search = (msgspec.json.decode(line) for line in done.stdout.splitlines())
    assert bool(row["identities_found"]) == bool(found) == bool(search["identities_found"])
    assert (search["status"], done.exit_code) == (("failed", 1) if found else ("held", 0))
    assert search["searched_bytes"] > 0
    said = CliRunner().invoke(cli.faults_app, ["--row", "1"]).stdout
    assert f"identities found: {row['identities_found']} in {search['searched_bytes']:,} bytes of files" in said


def test_a_control_that_misses_something_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.faults.run.plant", lambda: (2, ["a card"]))
    *_, line = run_all((), Profile(Path()), 37)
    assert isinstance(line, SearchLine)
    assert not line.passed


async def test_what_an_agent_says_by_http_and_hears_is_traffic_and_what_others_say_is_not(tmp_path: Path) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(b"and heard"))

    async def handle(_: object, request: httpx.Request) -> httpx.Response:
        return await httpx.MockTransport(answer).handle_async_request(request)

    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
        with tapped(tmp_path):
            async with httpx.AsyncClient(base_url="http://x") as client:
                await client.post("/api/edge/gw-1/events", content=b"said, ")
                await client.post("/api/members/import", content=b"the owner's")
    (file,) = tmp_path.iterdir()
    assert file.name == f"{os.getpid()}.traffic"
    assert file.read_bytes().endswith(b"/eventssaid, and heard")


async def where(profile: Profile) -> list[Outcome]:
    return [Outcome(0, extra={"pid": float(os.getpid()), "in_memory": float("memory" in profile.folder.parts)})]


async def dies(_: Profile) -> list[Outcome]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


@pytest.mark.usefixtures("_no_planting", "_closing")
def test_one_row_that_needs_it_runs_alone_and_first_and_the_others_beside_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory").mkdir()
    monkeypatch.setattr(run_row, "MEMORY", tmp_path / "memory")
    monkeypatch.setattr(run_row, "ENOUGH_BYTES", 1)
    others = [Row((n,), str(n), where, takes_s=(n, 0), in_memory=n == 4) for n in range(2, 9)]
    lines = list(run_all([*others, Row((1,), "1", where, alone=True)], Profile(Path())))
    figures = {line.fault: line.figures for line in lines if isinstance(line, FaultRow)}
    pids = {fault: figure["pid"] for fault, figure in figures.items()}
    assert sorted(pids) == list("12345678")
    assert next(iter(pids)) == "1"
    assert [fault for fault, pid in pids.items() if pid == os.getpid()] == ["1"]
    assert 1 < len(set(pids.values())) <= 1 + LANES
    assert [fault for fault, figure in figures.items() if figure["in_memory"]] == ["4"]


def test_a_disk_of_memory_without_room_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_row, "MEMORY", tmp_path)
    monkeypatch.setattr(run_row, "ENOUGH_BYTES", 1 << 60)
    assert run_row.memory_disk() is None
    monkeypatch.setattr(run_row, "ENOUGH_BYTES", 1)
    assert run_row.memory_disk() == tmp_path
    monkeypatch.setattr(run_row, "MEMORY", tmp_path / "none")
    assert run_row.memory_disk() is None


@pytest.mark.usefixtures("_no_planting", "_closing")
def test_a_row_that_its_process_dies_of_has_failed_and_the_others_run() -> None:
    rows = [Row((n,), str(n), dies if n > 2 else where) for n in range(1, 4 + LANES)]
    lines = [line for line in run_all(rows, Profile(Path())) if isinstance(line, FaultRow)]
    said = {line.fault: (line.status, *line.broken) for line in lines}
    assert said.keys() == {row.fault for row in rows}
    killed = ("failed", "its process ended by itself, code -9")
    assert list(said.values()).count(killed) == LANES
    assert {*said.values()} == {killed, ("failed", "no process is left to run it")}


def test_a_file_that_goes_away_while_it_is_looked_at_is_passed_over(tmp_path: Path) -> None:
    searched = Searched()
    with searching(searched) as folder:
        (folder / "there").write_bytes(b"123")
        (folder / "gone").symlink_to(folder / "nowhere")
    assert searched.files_bytes == 3
