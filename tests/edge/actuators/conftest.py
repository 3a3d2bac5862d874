"""The bench of the actuators' tests."""

import pytest

from tests.edge.actuators.manager_rig import Bench, MemoryLedger
from tests.support.edge import FakeRelay, ManualClock


@pytest.fixture
def bench(clock: ManualClock) -> Bench:
    return Bench(FakeRelay(), MemoryLedger(), clock)
