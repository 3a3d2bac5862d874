"""Faults are seeded, keep the order of what they pass, and do nothing unless told."""

import random

from hypothesis import given
from hypothesis import strategies as st

from simulators.faults import FaultyDevice, FaultyLine
from simulators.lcus_relay import LcusRelayDevice
from simulators.scene_file import FaultPlan

MS = 1_000_000
BURST = bytes(range(256)) * 4


def pass_all(plan: FaultPlan, seed: int = 1) -> list[bytes]:
    line = FaultyLine(plan, random.Random(seed))
    return [line.pass_on(BURST if n < 5 else b"", n * 10 * MS) for n in range(3000)]


ROUGH = FaultPlan(drop_rate=0.02, corrupt_rate=0.02, garbage_rate=0.01, split_rate=0.1, delay_rate=0.3)


def test_the_same_seed_is_the_same_trouble():
    assert pass_all(ROUGH) == pass_all(ROUGH) != pass_all(ROUGH, seed=2)


def test_a_plan_without_faults_passes_everything_at_once():
    assert pass_all(FaultPlan())[:5] == [BURST] * 5


@given(st.floats(0.01, 1), st.floats(0, 1), st.integers(0, 99))
def test_splits_and_delays_lose_and_reorder_nothing(split, delay, seed):
    assert b"".join(pass_all(FaultPlan(split_rate=split, delay_rate=delay), seed)) == BURST * 5


def test_each_fault_does_what_it_says():
    dropped = b"".join(pass_all(FaultPlan(drop_rate=0.1)))
    assert 0.85 * 5 * len(BURST) < len(dropped) < 0.95 * 5 * len(BURST)
    corrupt = b"".join(pass_all(FaultPlan(corrupt_rate=0.1)))
    wrong = [a ^ b for a, b in zip(corrupt, BURST * 5, strict=True) if a != b]
    assert 0.05 < len(wrong) / len(corrupt) < 0.15
    assert all(bits.bit_count() == 1 for bits in wrong)
    assert len(b"".join(pass_all(FaultPlan(garbage_rate=0.1)))) > 5 * len(BURST)
    torn = pass_all(FaultPlan(split_rate=1.0))[:6]
    assert all(0 < len(part) < 2 * len(BURST) and part != BURST for part in torn)


def test_a_delayed_burst_comes_late_and_whole():
    line = FaultyLine(FaultPlan(delay_rate=1.0, delay_ms=50), random.Random(1))
    assert line.pass_on(b"abc", 0) == b""
    assert line.pass_on(b"", 49 * MS) == b""
    assert line.pass_on(b"", 50 * MS) == b"abc"


def test_commands_are_hurt_only_where_the_plan_says_so():
    switches: list[tuple[int, bool, int]] = []
    for commands_too in (False, True):
        board = LcusRelayDevice(1, lambda *what: switches.append(what))
        plan = FaultPlan(drop_rate=1.0, commands_too=commands_too)
        FaultyDevice(board, plan, random.Random(1)).feed(b"\xa0\x01\x01\xa2", 0)
        assert len(switches) == 1
