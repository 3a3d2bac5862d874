"""The kernels say what the slow model says, event for event and count for count, wherever the reads are cut."""

import os
import random
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge.presence_state
from hotpath.presence import EVENTS_PER_ROW
from tests.hotpath.busy import WORLDS, Day, compare_day, streams
from tests.hotpath.oracle import OracleRead
from tests.hotpath.oracle_life import COUNTED
from tests.hotpath.streams import Engine, Step, Story, World, compare

DAYS = 32
STEPS = 1500


@given(streams(), st.sets(st.integers(0, 60)), st.sampled_from(WORLDS), st.integers(0, 1 << 60))
@settings(max_examples=400, deadline=None)
def test_any_stream_cut_anywhere(steps: list[Step], cuts: set[int], world: World, seed: int) -> None:
    compare(steps, cuts, world, seed)


@pytest.fixture(scope="module")
def days() -> list[Story]:
    """Long busy days, each compared with the model."""
    return [
        compare_day(seed, STEPS, WORLDS[seed % len(WORLDS)], ghosts=(0.02, 0.1, 0.4)[seed % 3]) for seed in range(DAYS)
    ]


def test_long_days_reach_every_transition_of_persons_and_items(days: list[Story]) -> None:
    events = [event for day in days for event in day.events]
    reached = Counter((event.kind, event.person, event.reason) for event in events if event.serial >= 0)
    happened = [("arrived", None), ("moved", None), ("returned", None), ("departed", "timeout"), ("departed", "exit")]
    wanted = {(kind, person, reason) for kind, reason in happened for person in (False, True)}
    assert set(reached) == wanted | {("departed", True, "withdrawn"), ("dwelled", True, None)}
    assert {event.kind for event in events if event.serial < 0} == {"coverage_lost", "coverage_restored"}


def test_long_days_go_through_the_door_both_ways(days: list[Story]) -> None:
    reached = {(event.kind, event.direction) for day in days for event in day.events if event.direction}
    assert reached == {(kind, direction) for kind in ("moved", "departed") for direction in ("in", "out")}


def test_long_days_count_everything_that_is_counted(days: list[Story]) -> None:
    assert {name for day in days for name, count in day.counted.items() if count} == set(COUNTED)


def test_long_days_reach_what_no_event_shows(days: list[Story]) -> None:
    reached = {each for day in days for each in day.reached}
    went_on = {
        f"{state} before the restart, then at {where}"
        for state in ("present", "departed")
        for where in ("the same place", "another place")
    }
    made_room = {
        f"{victim} gone for {newcomer}"
        for victim in ("stray candidate", "item candidate", "item departed")
        for newcomer in ("item", "person")
    }
    assert went_on | made_room | {"stray candidate gone for stray", "item returning gone for item"} <= reached
    assert not any(each.startswith("person") for each in reached)
    assert not any(
        each.endswith(("for stray", "for staff")) and not each.startswith(("stray", "staff")) for each in reached
    )


def test_events_come_out_whole_however_little_room_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Day(random.Random(99)).steps(STEPS)
    roomy = Engine(WORLDS[1], 1).run(steps, set())
    monkeypatch.setattr(edge.presence_state, "EVENT_ROWS", EVENTS_PER_ROW)
    cramped = Engine(WORLDS[1], 2).run(steps, set())
    assert cramped.events == roomy.events
    assert cramped.looks == roomy.looks
    assert cramped.counted["reads"] == sum(isinstance(step, OracleRead) for step in steps)


def test_the_same_without_the_compiler() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.hotpath.busy"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 100
