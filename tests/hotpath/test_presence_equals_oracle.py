"""The kernels say what the slow model says, event for event, wherever the reads are cut."""

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
from tests.hotpath.oracle import OracleRead
from tests.hotpath.streams import LAYOUT, MS, OWN, START_NS, TAGS, Step, compare, random_steps, run_engine

GAPS_MS = (0, 1, 50, 100, 499, 500, 1000, 1499, 1500, 1501, 2000, 5000, 8000, 8001, 12_000, 20_000, 60_000)


@st.composite
def streams(draw: st.DrawFn) -> list[Step]:
    """Steps on a grid of times on which deadlines meet reads exactly."""
    now, steps = START_NS, []
    for gap in draw(st.lists(st.sampled_from(GAPS_MS), min_size=1, max_size=60)):
        now += gap * MS
        kind = draw(st.integers(0, 19))
        if kind == 0:
            steps.append(Step(tick_ns=now))
        elif kind == 1:
            lease_ms = draw(st.sampled_from((-1, 0, 2000, 10**9)))
            steps.append(Step(members=draw(st.integers(0, 2)), leased_until_ns=now + lease_ms * MS))
        else:
            late_ms = draw(st.sampled_from((0, 0, 0, 0, 100, 1500, 20_000)))
            steps.append(
                Step(
                    OracleRead(
                        now - late_ms * MS,
                        draw(st.integers(0, len(LAYOUT.antennas) - 1)),
                        draw(st.sampled_from(TAGS)),
                        draw(st.sampled_from((-4000, -5000, -5550, -6000, -7000, -7001))),
                        draw(st.sampled_from((-1, 1, 0))),
                    )
                )
            )
    return steps


@given(streams(), st.sets(st.integers(0, 60)), st.sampled_from(((OWN,), None)), st.integers(0, 1 << 60))
@settings(max_examples=300, deadline=None)
def test_any_stream_cut_anywhere(
    steps: list[Step], cuts: set[int], own_goods: tuple[bytes, ...] | None, seed: int
) -> None:
    compare(steps, cuts, own_goods, seed)


def test_long_busy_streams() -> None:
    kinds: Counter[tuple[str, bool, str | None]] = Counter()
    for seed in range(20):
        rng = random.Random(seed)
        steps = random_steps(rng, 600)
        events = compare(steps, set(rng.sample(range(600), 60)), (OWN,) if seed % 2 else None, seed)
        kinds.update((event.kind, event.person, event.reason) for event in events)
    happened = [("arrived", None), ("moved", None), ("returned", None), ("departed", "timeout"), ("departed", "exit")]
    wanted = {(kind, person, reason) for kind, reason in happened for person in (False, True)}
    assert set(kinds) == wanted | {("departed", True, "withdrawn")}, "the streams must reach every transition"


def test_events_come_out_whole_however_little_room_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = random_steps(random.Random(99), 600)
    roomy, _ = run_engine(steps, set(), None, 1)
    monkeypatch.setattr(edge.presence_state, "EVENT_ROWS", EVENTS_PER_ROW)
    cramped, tracker = run_engine(steps, set(), None, 2)
    assert cramped == roomy
    assert tracker.counters.reads == sum(step.read is not None for step in steps)


def test_the_same_without_the_compiler() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.hotpath.streams"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 100
