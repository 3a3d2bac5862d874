"""The tests' loop: a standstill is no time, and whatever else happens is."""

import asyncio
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.support import patient_loop
from tests.support.patient_loop import BUSY_S, OVERSLEPT_S, PatientSelector


class Clock:
    """Moves as the test says: while the loop works, and while it sleeps."""

    def __init__(self) -> None:
        self.now_s, self.sleeps_s = 1_000.0, 0.0

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, *_: object) -> list[object]:
        self.now_s += self.sleeps_s
        return []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(patient_loop, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(patient_loop.selectors.DefaultSelector, "select", clock.wait)
    return clock


@pytest.fixture
def selector(clock: Clock) -> Iterator[PatientSelector]:
    with PatientSelector() as selector:
        yield selector


def test_a_standstill_in_sleep_is_forgotten_whole_and_the_next_one_is_not(
    clock: Clock, selector: PatientSelector
) -> None:
    def passed_s(sleeps_s: float, timeout_s: float | None) -> float:
        before_s, clock.sleeps_s = selector.now_s(), sleeps_s
        selector.select(timeout_s)
        return selector.now_s() - before_s

    late_s = 1.0 + 2 * OVERSLEPT_S
    assert passed_s(1.0, 1.0) == 1.0
    assert passed_s(late_s, 1.0) == 0
    assert passed_s(late_s, 1.0) == pytest.approx(1.0), "else time would not go on where a machine is always late"
    assert passed_s(late_s, 1.0) == 0
    assert passed_s(late_s, None) == pytest.approx(late_s), "no time-out was running"


def test_a_standstill_at_work_is_forgotten_and_work_is_not(clock: Clock, selector: PatientSelector) -> None:
    before_s = selector.now_s()
    clock.now_s += BUSY_S / 2
    assert selector.now_s() - before_s == pytest.approx(BUSY_S / 2)
    clock.now_s += 2 * BUSY_S
    assert selector.now_s() - before_s == pytest.approx(BUSY_S / 2), "a time that is told is never taken back"
    clock.now_s += 2 * BUSY_S
    selector.select(0)
    assert selector.now_s() - before_s == pytest.approx(BUSY_S / 2)


async def test_a_time_out_of_a_test_outlasts_a_standstill() -> None:
    answer = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(time.sleep, 2 * BUSY_S)
    asyncio.get_running_loop().call_later(BUSY_S, answer.set_result, "came")
    async with asyncio.timeout(1.5 * BUSY_S):
        assert await answer == "came"
