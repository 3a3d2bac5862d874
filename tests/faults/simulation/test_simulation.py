"""A store through trouble, from seeds: what is promised holds in every one, and what is broken on purpose is noticed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.simulation.broker import Habits
from tests.faults.simulation.mutants import MUTANTS
from tests.faults.simulation.plan import MIB, Plan, Trouble
from tests.faults.simulation.run import simulate
from tests.faults.simulation.store import Template, template

ROOT = Path(__file__).parents[3]
SEEDS = 200
BLOCKS = 10
SEEDS_UNTIL_FOUND = 6
ROUGH_SEEDS = 3
TWICE = 2


@pytest.fixture(scope="module")
def ground() -> Iterator[Template]:
    with template() as made:
        yield made


@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_nothing_is_lost_shown_twice_or_late_whatever_goes_wrong(ground: Template, block: int) -> None:
    runs = [simulate(seed, ground) for seed in range(block, SEEDS, BLOCKS)]
    assert [str(run) for run in runs if not run.sound] == []
    assert sum(run.outcome.generated for run in runs) > 400
    assert sum(run.injected for run in runs) > 100


def rough(seed: int) -> Plan:
    """A plan in which everything happens that a wrong program could stumble over."""
    troubles = (
        Trouble(6.0, "cut off", "gw-1", 3.5),
        Trouble(8.0, "slow disk", "server", 25.0),
        Trouble(12.0, "kill server at commit", "server", 0.5, number=3),
        Trouble(18.0, "kill broker", "", 0.5),
        Trouble(24.0, "cut off", "gw-1", 4.0),
        Trouble(30.0, "kill server at commit", "server", 0.5, number=4),
        Trouble(36.0, "cut off", "server", 3.0),
        Trouble(40.0, "power cut server", "server", 0.5),
    )
    habits = Habits(max_queued=20, twice=0.3, spread_s=(0.0, 1.0, 6.0)[seed % 3], persistent=False)
    return Plan(45.0, 4, 8, 40.0, habits, (0.001, 0.02), 64 * MIB, power=True, troubles=troubles)


@pytest.mark.timeout(600)
def test_a_rough_plan_is_survived(ground: Template) -> None:
    runs = [simulate(seed, ground, plan=rough(seed)) for seed in range(ROUGH_SEEDS)]
    assert [str(run) for run in runs if not run.sound] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_safeguard_taken_away_is_noticed(ground: Template, name: str) -> None:
    for seed in range(SEEDS_UNTIL_FOUND):
        with MUTANTS[name]():
            if not simulate(seed, ground, plan=rough(seed)).sound:
                return
    pytest.fail(f"{name} went unnoticed")


@pytest.mark.timeout(600)
def test_a_seed_is_the_same_run_to_the_bit_in_every_process(ground: Template) -> None:
    """Other hashes, other addresses, another seed run before: all the same."""
    here = [simulate(seed, ground).trace for seed in (3, TWICE, TWICE)]
    assert here[1] == here[2] != here[0]
    command = [sys.executable, "-m", "tests.faults.simulation", "--seed", str(TWICE), "--no-steps"]
    environment = os.environ | {"PYTHONHASHSEED": "77", "PYTHONPATH": str(ROOT)}
    there = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.splitlines()[-1] == here[1]
