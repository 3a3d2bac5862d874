"""The table of faults is whole, and what is not run says why."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from tests.faults import cli
from tests.faults.matrix import NOT_YET
from tests.faults.report import CAUGHT, MISSED, Outcome, as_row

ROOT = Path(__file__).parents[2]


def test_every_fault_of_the_matrix_is_run_or_listed_with_a_reason() -> None:
    listed = [number for number, _, _ in NOT_YET]
    assert sorted([*listed, cli.POWER]) == list(range(1, 43))
    assert all(why for _, _, why in NOT_YET)


def test_a_test_file_named_as_a_reason_is_there() -> None:
    words = [word.rstrip(";:,") for _, _, why in NOT_YET for word in why.split() if word.startswith("tests/")]
    assert words
    assert [word for word in words if not (ROOT / word).exists()] == []


def test_the_law_is_what_is_reported() -> None:
    kept = Outcome(1, generated=5, stored_once=2, dropped=1, in_outbox=2)
    lost = Outcome(2, generated=5, stored_once=2, dropped=1, in_outbox=1, broken=["a hole"])
    twice = Outcome(3, generated=1, stored_once=1, duplicates=1)
    row = as_row(23, "x", [kept, lost, twice], 1.0)
    assert (row.status, row.lost, row.duplicates_visible, row.unsound) == ("failed", 1, 1, 2)
    assert (row.seeds, row.broken, row.passed) == ([2, 3], ["a hole"], False)
    assert as_row(23, "x", [kept], 1.0).passed
    controls = [as_row(23, "x", [each], 1.0, control=True) for each in (kept, lost)]
    assert [(each.status, each.passed) for each in controls] == [(MISSED, False), (CAUGHT, True)]


@pytest.mark.parametrize(("damage", "exit_code"), [("NORMAL", 0), ("FULL", 1), (None, 1)])
def test_the_command_fails_where_a_safeguard_does_or_a_control_does_not(
    monkeypatch: pytest.MonkeyPatch, damage: str | None, exit_code: int
) -> None:
    async def inject(seeds: range, synchronous: str) -> list[Outcome]:
        return [Outcome(seed, generated=1, stored_once=int(synchronous != damage)) for seed in seeds]

    monkeypatch.setattr(cli, "POWER_CUTS", (("real", inject, "FULL"), ("control", inject, "NORMAL")))
    done = CliRunner().invoke(cli.faults_app, ["--cuts", "3", "--json"])
    lines = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert [line["injected"] for line in lines[:2]] == [3, cli.MIN_CONTROL]
    assert len(lines) == 2 + len(NOT_YET)
    assert done.exit_code == exit_code
