"""No row can keep from the search what it leaves behind, and what is found fails the run."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from typer.testing import CliRunner

from tests.faults import cli
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


async def beside(profile: Profile) -> list[Outcome]:
    return [Outcome(0, extra={"pid": float(os.getpid())})]


@pytest.mark.usefixtures("_no_planting", "_closing")
def test_rows_that_wait_run_in_another_process_than_the_others() -> None:
    rows = tuple(Row((n,), lane, beside, lane=lane) for n, lane in enumerate(("beside", "main", "alone"), 1))
    lines = [line for line in run_all(rows, Profile(Path())) if isinstance(line, FaultRow)]
    pids = {line.fault: line.figures["pid"] for line in lines}
    assert next(line.fault for line in lines) == "alone"
    assert pids["main"] == pids["alone"] == os.getpid() != pids["beside"]


def test_a_file_that_goes_away_while_it_is_looked_at_is_passed_over(tmp_path: Path) -> None:
    searched = Searched()
    with searching(searched) as folder:
        (folder / "there").write_bytes(b"123")
        (folder / "gone").symlink_to(folder / "nowhere")
    assert searched.files_bytes == 3
