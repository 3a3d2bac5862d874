"""A handful of the kills that `tacet bench faults` makes by the hundred: the rig works, and nothing is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.nursery import close_nursery, open_nursery
from tests.faults.report import Outcome
from tests.faults.row import Profile
from tests.faults.rows import broker, kills

pytestmark = [pytest.mark.system, pytest.mark.timeout(300), pytest.mark.xdist_group("system")]


@pytest.fixture(autouse=True, scope="module")
def _nursery() -> Iterator[None]:
    open_nursery()
    yield
    close_nursery()


def only(outcomes: list[Outcome]) -> Outcome:
    """The one that there is, with something to show."""
    (outcome,) = outcomes
    assert outcome.generated > 0
    return outcome


async def test_an_agent_killed_while_it_writes_loses_nothing(tmp_path: Path) -> None:
    outcome = only(await kills.kill_the_edge(Profile(tmp_path, count=3)))
    assert outcome.sound, outcome
    assert outcome.extra["lives_that_wrote"] > 0


async def test_a_server_killed_before_its_acknowledgement_stores_everything_once(tmp_path: Path) -> None:
    outcome = only(await kills.kill_the_server(Profile(tmp_path, count=2)))
    assert outcome.sound, outcome


async def test_a_broker_that_is_killed_and_has_forgotten_loses_nothing_and_raw_mqtt_does(tmp_path: Path) -> None:
    outcome = only(await broker.kill_the_broker(Profile(tmp_path / "ours", count=1)))
    assert (outcome.lost, outcome.duplicates) == (0, 0), outcome
    control = only(await broker.raw_overflow(Profile(tmp_path / "raw")))
    assert control.lost > 0
