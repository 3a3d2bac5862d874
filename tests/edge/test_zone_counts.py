"""The retained counts: what is told of few people is the same as what is told of none, and nothing is told twice."""

import asyncio

import numpy as np
import pytest

from broker_config.messages import ZoneCount
from broker_config.site import ZoneId
from edge.zone_counts import CountWatch
from tests.support.patience import eventually

DOOR, SHOES = ZoneId("door"), ZoneId("shoes")


class Counting:
    def __init__(self) -> None:
        self.now = np.zeros((2, 2), np.int64)
        self.shown: list[ZoneCount] = []
        self.watch = CountWatch((DOOR, SHOES), lambda: self.now, self.shown.append)

    def look(self, *rows: tuple[int, int]) -> list[tuple[str, str, int]]:
        self.shown.clear()
        self.now = np.array(rows, np.int64)
        self.watch.look()
        return [(count.zone, count.people, count.items) for count in self.shown]


def test_every_zone_is_told_at_first_and_then_only_what_changed() -> None:
    counting = Counting()
    assert counting.look((0, 0), (7, 0)) == [("door", "<5", 0), ("shoes", "<5", 7)]
    assert counting.look((0, 0), (7, 0)) == []
    assert counting.look((0, 0), (6, 0)) == [("shoes", "<5", 6)]


@pytest.mark.parametrize("people", [1, 2, 3, 4])
def test_the_first_to_come_and_the_last_to_go_make_no_message(people: int) -> None:
    counting = Counting()
    counting.look((0, 0), (0, 0))
    assert counting.look((0, people), (0, 0)) == []
    assert counting.look((0, 0), (0, 0)) == []


def test_a_group_is_counted() -> None:
    counting = Counting()
    counting.look((0, 4), (0, 0))
    assert counting.look((0, 5), (0, 0)) == [("door", "5", 0)]
    assert counting.look((0, 12), (0, 0)) == [("door", "12", 0)]
    assert counting.look((0, 4), (0, 0)) == [("door", "<5", 0)]


async def test_it_goes_on_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.zone_counts.LOOK_EVERY_S", 0.001)
    counting = Counting()
    running = asyncio.create_task(counting.watch.run())
    await eventually(lambda: len(counting.shown) == 2)
    counting.now = np.array([[1, 0], [0, 0]])
    await eventually(lambda: len(counting.shown) == 3)
    running.cancel()
