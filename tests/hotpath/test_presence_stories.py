"""The stories, told by the slow model and by the engine."""

import pytest

from edge.presence import Transition
from tests.hotpath.oracle import OracleRead
from tests.hotpath.stories import STORIES, WORLD, lines_of, spoken
from tests.hotpath.streams import Engine, Model, Step


class EngineAtOnce(Engine):
    """The engine, each read a batch of its own."""

    def take(self, step: Step) -> None:
        if isinstance(step, OracleRead):
            self.waiting.append(step)
            self.flush()
        else:
            super().take(step)

    def say(self) -> list[Transition]:
        return self.story.events


class ModelAtOnce(Model):
    """The slow model."""

    def say(self) -> list[Transition]:
        return [*self.story.events, *self.oracle.events]


@pytest.mark.parametrize("teller", ["model", "engine"])
@pytest.mark.parametrize("name", STORIES)
def test_story(name: str, teller: str) -> None:
    world = EngineAtOnce(WORLD, seed=1) if teller == "engine" else ModelAtOnce(WORLD)
    told = 0
    for line, step, expected in lines_of(STORIES[name]):
        world.take(step)
        events = world.say()
        now_ns = getattr(step, "t_ns", None) or getattr(step, "now_ns", 0)
        said = [spoken(event, now_ns) for event in events[told:]]
        assert said == expected, line
        told = len(events)
