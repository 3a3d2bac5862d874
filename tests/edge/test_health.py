"""The devices' state as the agent tells it: warnings are news once, a degree more is none, totals only count."""

import pytest

from edge.health import Health
from readers.health import ReaderHealth
from tests.support.edge import ManualClock


@pytest.fixture
def health() -> Health:
    health = Health(ManualClock())
    health.add("r-1", "mercury", "door")
    return health


def counting(health: Health) -> list[None]:
    told: list[None] = []
    health.on_change = lambda: told.append(None)
    return told


def test_a_warning_is_told_once_and_gone_with_the_next_opening(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    counters = ReaderHealth()
    health.ready("r-1", counters)
    told = counting(health)
    health.notice()
    assert not told
    counters.alarms, counters.alarm = 1, "no antenna 2; connect it"
    health.notice()
    health.notice()
    assert len(told) == 1
    assert caplog.messages == ["r-1 warns: no antenna 2; connect it"]
    assert (health.devices[0].alarm, health.devices[0].state) == ("no antenna 2; connect it", "ready")
    counters.alarm = "no antenna 3; connect it"
    health.notice()
    assert (health.devices[0].alarm, len(caplog.messages)) == ("no antenna 3; connect it", 1)
    counters.alarm = "its module is hot; give it air"
    health.lost("r-1", "unplugged")
    assert health.devices[0].alarm == "its module is hot; give it air", "it may be why"
    health.ready("r-1", ReaderHealth())
    health.notice()
    assert health.devices[0].alarm is None


def test_temperatures_are_told_first_and_then_by_large_steps(health: Health) -> None:
    counters = ReaderHealth()
    health.ready("r-1", counters)
    told = counting(health)
    said = []
    for celsius in (40.0, 44.9, 45.0, 41.0, 40.0):
        counters.temperature_c = celsius
        health.notice()
        said.append((len(told), health.devices[0].temperature_c))
    assert said == [(1, 40.0), (1, 40.0), (2, 45.0), (2, 45.0), (3, 40.0)]


def test_a_device_that_is_not_open_warns_of_nothing(health: Health) -> None:
    told = counting(health)
    health.notice()
    assert not told


def test_totals_add_up_what_counts_and_only_that(health: Health) -> None:
    for frames in (3, 4):
        counters = ReaderHealth(frames=frames, alarms=1, alarm="too hot", temperature_c=80.0, signs_of_life=5)
        health.ready("r-1", counters)
        health.lost("r-1", f"lost {frames}")
    assert health.totals() == ReaderHealth(frames=7, alarms=2)


def test_a_part_that_warns_no_more_is_shown_no_more(health: Health) -> None:
    told = counting(health)
    health.note("outbox.sqlite", "outbox", None)
    assert not told
    health.note("outbox.sqlite", "outbox", "the disk is full; free some space")
    health.note("outbox.sqlite", "outbox", "the disk is full; free some space")
    assert [device.id for device in health.devices if device.alarm] == ["outbox.sqlite"]
    health.note("outbox.sqlite", "outbox", None)
    assert ([device.id for device in health.devices], len(told)) == (["r-1"], 2)
