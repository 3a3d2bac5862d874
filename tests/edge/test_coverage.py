"""Which readers deliver: covered only after a sign of life, lost with the port, and soon after the last sign."""

import asyncio

import pytest

from edge.coverage import LOOK_EVERY_S, SILENT_LOOKS, SILENT_S, CoverageWatch
from edge.presence_model import PresenceSettings
from readers.health import ReaderHealth
from tests.support.patience import eventually


def watch(*readers: str) -> tuple[CoverageWatch, list[tuple[str, bool]]]:
    told: list[tuple[str, bool]] = []
    made = CoverageWatch(readers or ("r-door",), lambda reader, covered: told.append((reader, covered)))
    made.begin()
    return made, told


def looks(made: CoverageWatch, times: int) -> None:
    for _ in range(times):
        made.look()


def test_nothing_is_covered_before_its_reader_reads() -> None:
    made, told = watch("r-door", "r-shoes")
    assert told == [("r-door", False), ("r-shoes", False)]
    made.opened("r-door", ReaderHealth(signs_of_life=0))
    looks(made, 3)
    assert made.silent == ("r-door", "r-shoes")
    assert len(told) == 2


def test_a_reader_covers_from_its_first_sign_of_life_after_opening() -> None:
    made, told = watch()
    health = ReaderHealth(signs_of_life=5)
    made.opened("r-door", health)
    made.look()
    assert told == [("r-door", False)]
    health.signs_of_life = 6
    made.look()
    assert told == [("r-door", False), ("r-door", True)]
    made.look()
    assert made.silent == ()
    assert len(told) == 2


def test_a_driver_that_cannot_tell_covers_while_it_is_open() -> None:
    made, told = watch()
    made.opened("r-door", ReaderHealth())
    looks(made, SILENT_LOOKS * 3)
    assert told == [("r-door", False), ("r-door", True)]
    made.lost("r-door")
    assert told[2:] == [("r-door", False)]


def test_a_port_that_is_lost_is_told_at_once_and_once() -> None:
    made, told = watch()
    health = ReaderHealth(signs_of_life=0)
    made.opened("r-door", health)
    health.signs_of_life = 1
    made.look()
    made.lost("r-door")
    made.lost("r-door")
    assert told == [("r-door", False), ("r-door", True), ("r-door", False)]
    health.signs_of_life = 9  # what is left of the old driver proves nothing
    looks(made, 2)
    assert len(told) == 3


def test_a_hung_reader_is_silent_after_so_many_looks_and_back_with_the_next_sign() -> None:
    made, told = watch()
    health = ReaderHealth(signs_of_life=0)
    made.opened("r-door", health)
    for _ in range(20):
        health.signs_of_life = (health.signs_of_life or 0) + 1
        looks(made, SILENT_LOOKS)  # the first of them sees the sign
    assert told[1:] == [("r-door", True)]
    made.look()
    assert told[2:] == [("r-door", False)]
    looks(made, SILENT_LOOKS * 2)
    assert len(told) == 3
    health.signs_of_life += 1
    made.look()
    assert told[3:] == [("r-door", True)]


def test_silence_is_noticed_long_before_it_could_make_anybody_depart() -> None:
    settings = PresenceSettings()
    kinds = ("door", "floor", "shelf", "fitting-room", "till", "exit", "desk", "stock")
    shortest_s = min(settings.of_kind(kind).person_departs_s for kind in kinds)  # type: ignore[arg-type]
    assert shortest_s / 2 > SILENT_S + 2 * LOOK_EVERY_S


async def test_it_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.coverage.LOOK_EVERY_S", 0.001)
    made, told = watch()
    health = ReaderHealth(signs_of_life=0)
    made.opened("r-door", health)
    running = asyncio.create_task(made.run())
    health.signs_of_life = 1
    await eventually(lambda: len(told) == 2)
    await eventually(lambda: len(told) == 3)
    assert told == [("r-door", False), ("r-door", True), ("r-door", False)]
    running.cancel()
