"""The table of faults is whole, what is not run says why, and a row's line says what came of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from tests.faults import cli
from tests.faults.matrix import NOT_RUN
from tests.faults.registry import all_rows
from tests.faults.report import CAUGHT, MISSED, FaultRow, NotRun, Outcome, SearchLine, as_row
from tests.faults.row import CannotRunError, Profile, Row
from tests.faults.run import run_all
from tests.support.programs import program

ASKED = Profile(Path())


def test_every_fault_of_the_matrix_is_run_or_listed_with_a_reason() -> None:
    run = {number for row in all_rows() for number in row.numbers}
    listed = [number for number, _, _ in NOT_RUN]
    assert sorted([*run, *listed]) == list(range(1, 43))
    assert all(why for _, _, why in NOT_RUN)


def test_the_law_is_what_is_reported() -> None:
    kept = Outcome(1, generated=5, stored_once=2, dropped=1, in_outbox=2, extra={"wrong": 1, "wait_s": 2.5})
    lost = Outcome(2, generated=5, stored_once=2, dropped=1, in_outbox=1, broken=["a hole"], injected=7)
    twice = Outcome(3, generated=1, stored_once=1, duplicates=1, extra={"wrong": 2, "wait_s": 0.5})
    row = as_row((23,), "x", [kept, lost, twice], 1.0)
    assert (row.status, row.lost, row.duplicates_visible, row.unsound) == ("failed", 1, 1, 2)
    assert (row.seeds, row.broken, row.passed, row.injected) == ([2, 3], ["a hole"], False, 9)
    assert row.figures == {"wrong": 3, "wait_s": 2.5}
    assert as_row((23,), "x", [kept], 1.0).passed
    controls = [as_row((23,), "x", [each], 1.0, control=True) for each in (kept, lost)]
    assert [(each.status, each.passed) for each in controls] == [(MISSED, False), (CAUGHT, True)]


def test_a_profile_says_how_often_and_with_which_seeds() -> None:
    full = Profile(Path(), fast=False, seed=5)
    assert (ASKED.times(50, 1000), full.times(50, 1000), Profile(Path(), count=7).times(50, 1000)) == (50, 1000, 7)
    assert [*full.seeds(2, 3)] == [5, 6, 7]
    assert [*Profile(Path(), seed=9, alone=True).seeds(2, 3)] == [9]
    assert [full.for_control().times(50, wanted) for wanted in (1000, 50, 3)] == [100, 20, 3]
    assert full.rng("a").random() == full.rng("a").random() != full.rng("b").random()


@pytest.fixture(autouse=True)
def _no_planting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes and all, for `test_search.py`."""
    monkeypatch.setattr("tests.faults.run.plant", lambda: (1, []))


def lines_of(*rows: Row, only: int | None = 1) -> list[FaultRow | NotRun]:
    *lines, search = run_all(rows, ASKED, only)
    assert isinstance(search, SearchLine)
    assert search.passed
    return [line for line in lines if not isinstance(line, SearchLine)]


def test_a_row_that_lacks_something_is_listed_with_it_and_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)  # where it is set, a program that is missing is a failure

    async def lacks(_: Profile) -> list[Outcome]:
        raise CannotRunError("no such disk: make one")

    async def skips(_: Profile) -> list[Outcome]:
        program("no-such-program")
        return []

    lines = lines_of(Row((1,), "x", lacks), Row((1,), "y", skips))
    assert [type(line) for line in lines] == [NotRun, NotRun]
    assert [line.why for line in lines if isinstance(line, NotRun)] == [
        "no such disk: make one",
        "no-such-program is not installed: make system-deps",
    ]


def test_a_row_that_throws_or_hangs_has_failed_and_the_next_one_runs() -> None:
    async def throws(_: Profile) -> list[Outcome]:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hangs(ASKED))
            raise ValueError("no such luck")

    async def hangs(_: Profile) -> list[Outcome]:
        await asyncio.Event().wait()
        return []

    async def leaves(profile: Profile) -> list[Outcome]:
        (profile.folder / "x").touch()
        return [Outcome(0, extra={"files": len([*profile.folder.iterdir()])})]

    rows = (Row((1,), "throws", throws), Row((1,), "hangs", hangs, limit_s=0.05), Row((1,), "leaves", leaves))
    thrown, hung, left = lines_of(*rows)
    assert isinstance(thrown, FaultRow)
    assert isinstance(hung, FaultRow)
    assert isinstance(left, FaultRow)
    assert thrown.broken[0].startswith("ValueError: no such luck (test_matrix.py:")
    assert (hung.status, hung.broken) == ("failed", ["not done within 0 s"])
    assert (left.status, left.figures) == ("held", {"files": 1})
    assert [line.status for line in lines_of(Row((1,), "x", leaves, throws))] == ["held", "failed"], "no proof either"


def row_that(lost: Sequence[str]) -> Row:
    async def inject(profile: Profile, sync: str = "FULL") -> list[Outcome]:
        return [Outcome(seed, generated=1, stored_once=int(sync not in lost)) for seed in profile.seeds(30, 300)]

    async def control(profile: Profile) -> list[Outcome]:
        return await inject(profile, "NORMAL")

    return Row((1,), "real", inject, control, "NORMAL")


@pytest.mark.parametrize(("damage", "exit_code"), [("NORMAL", 0), ("FULL", 1), ("", 1)])
def test_the_command_fails_where_a_safeguard_does_or_a_control_does_not(
    monkeypatch: pytest.MonkeyPatch, damage: str, exit_code: int
) -> None:
    monkeypatch.setattr("tests.faults.registry.all_rows", lambda: (row_that([damage]),))
    done = CliRunner().invoke(cli.faults_app, ["--json"])
    lines = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert [(line["fault"], line["injected"]) for line in lines[:2]] == [("real", 30), ("real: NORMAL", 20)]
    assert len(lines) == 2 + len({number for number, _, _ in NOT_RUN} - {1}) + 1
    assert done.exit_code == exit_code


def test_one_fault_of_one_seed_is_run_alone_and_its_control_need_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.faults.registry.all_rows", lambda: (row_that([]),))
    done = CliRunner().invoke(cli.faults_app, ["--json", "--row", "1", "--seed", "8"])
    lines = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert [line["injected"] for line in lines[:-1]] == [1, 1]
    assert done.exit_code == 0
    assert "give --row" in CliRunner().invoke(cli.faults_app, ["--seed", "8"]).output
