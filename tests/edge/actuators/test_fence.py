"""The fence: only a newer, timely command for the right target acts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.messages import ActuatorCommand
from broker_config.site import ActuatorId
from edge.actuators.fence import MAX_AHEAD, Fence, judge

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def command(
    version: tuple[int, int] = (2, 5), age_s: float = 0, ttl_ms: int = 2000, target: str = "lamp"
) -> ActuatorCommand:
    return ActuatorCommand(
        actuator=ActuatorId(target),
        version=version,
        decision="d",
        on=True,
        issued_at=NOW - timedelta(seconds=age_s),
        ttl_ms=ttl_ms,
    )


@pytest.mark.parametrize(
    ("given_command", "verdict"),
    [
        (command(), "act"),
        (command(version=(3, 0)), "act"),
        (command(target="gate"), "wrong-target"),
        (command(version=(2, 4)), "repeat"),
        (command(version=(2, 3)), "stale"),
        (command(version=(1, 99)), "stale"),
        (command(age_s=2), "act"),
        (command(age_s=2.001), "expired"),
        (command(ttl_ms=0), "expired"),
        (command(ttl_ms=-5), "expired"),
        (command(ttl_ms=10**9), "expired"),
        (command(age_s=-30), "act"),
        (command(age_s=-(MAX_AHEAD.total_seconds() + 1)), "expired"),
        (command(version=(2, 4), age_s=100), "repeat"),
    ],
)
def test_each_command_meets_its_verdict(given_command: ActuatorCommand, verdict: str) -> None:
    assert judge(given_command, "lamp", Fence((2, 4), None, "done"), NOW) == verdict


@given(versions=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=30))
def test_what_acts_is_ever_newer(versions: list[tuple[int, int]]) -> None:
    fence, acted = Fence(), [(0, 0)]
    for version in versions:
        if judge(command(version), "lamp", fence, NOW) == "act":
            assert version > acted[-1]
            acted.append(version)
            fence = Fence(version, None, "done")
