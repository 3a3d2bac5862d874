"""All engines over some seeds, scored: as a Markdown table and as JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.presence_model import Layout
from tests.accuracy.engine import Engine, is_person, run
from tests.accuracy.plan import Plan, make_plan
from tests.accuracy.radio import Outage, Recording, hear
from tests.accuracy.scorer import Score, said_stays, score_tag
from tests.accuracy.world import CARD, ITEM, STEP_S, Crowd, World, make_world

OUTAGE_S = 40.0
BUSY = Crowd()
MakeEngine = Callable[[Layout], Engine]


@dataclass(frozen=True, slots=True)
class Store:
    """What a run is made of, beside its seed."""

    seconds: float = 900.0
    crowd: Crowd = BUSY
    dense_goods: int = 300
    shelf_goods: int = 60

    def plan(self) -> Plan:
        return make_plan(dense_goods=self.dense_goods, shelf_goods=self.shelf_goods)

    def play(self, seed: int) -> tuple[World, Recording]:
        """The world of a seed and what its readers hear; one reader's cable is out for 40 s (or a tenth of a short run)."""
        plan = self.plan()
        world = make_world(plan, self.seconds, seed, self.crowd)
        rng = np.random.default_rng([seed, 3])
        reader = int(rng.integers(0, max(spot.reader for spot in plan.spots) + 1))
        for_s = min(OUTAGE_S, self.seconds / 10)
        start_s = round(rng.uniform(0.2, 0.8) * self.seconds / STEP_S) * STEP_S
        return world, hear(world, seed, (Outage(reader, start_s, start_s + for_s),))


def score_run(world: World, recording: Recording, engine: Engine, scores: dict[bool, Score]) -> None:
    """Add one run to the scores of persons (True) and items (False)."""
    kinds = [zone.kind for zone in world.plan.zones]
    end_s = world.steps * STEP_S
    said = run(engine, recording)
    truth = dict(zip(world.epc, world.truth(), strict=True))
    scored = {epc for epc, kind in zip(world.epc, world.kind, strict=True) if kind in (CARD, ITEM)}
    for epc in sorted(scored | said.keys()):
        person = is_person(epc)
        score_tag(
            scores[person], truth.get(epc, []), said_stays(said.get(epc, []), end_s),
            person=person, kinds=kinds, limits=engine.limits, end_s=end_s,
        )  # fmt: skip


def measure(store: Store, seeds: Sequence[int], engines: Sequence[MakeEngine]) -> dict[str, dict[bool, Score]]:
    """Each engine's scores over all seeds, by its name; fresh engines for each seed, the same reads for all."""
    results: dict[str, dict[bool, Score]] = {}
    for seed in seeds:
        world, recording = store.play(seed)
        for make in engines:
            engine = make(world.plan.layout)
            scores = results.setdefault(engine.name, {True: Score(), False: Score()})
            score_run(world, recording, engine, scores)
    return results


COLUMNS = (
    ("arrivals_f1", "arrivals F1", 3), ("places_precision", "places P", 3), ("places_recall", "R", 3), ("places_f1", "F1", 3),
    ("departures_f1", "departures F1", 3), ("correct", "right zone, share of time", 3), ("wrong_s_per_hour", "wrong s/h", 0),
    ("missing_s_per_hour", "missing s/h", 0), ("lingering_s", "lingering s", 0),
    ("arrival_p50_s", "arrival p50 s", 1), ("arrival_p95_s", "p95", 1), ("move_p50_s", "move p50 s", 1),
    ("move_p95_s", "p95", 1), ("departure_p50_s", "departure p50 s", 1), ("departure_p95_s", "p95", 1),
)  # fmt: skip


def table(results: dict[str, dict[bool, Score]], person: bool) -> str:
    """One Markdown table, for persons or for items."""
    lines = ["| engine | " + " | ".join(title for _, title, _ in COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, scores in results.items():
        row = scores[person].row()
        lines.append(f"| {name} | " + " | ".join(f"{row[key]:.{digits}f}" for key, _, digits in COLUMNS) + " |")
    return "\n".join(lines)


def as_json(results: dict[str, dict[bool, Score]]) -> dict[str, dict[str, dict[str, float]]]:
    """Every column of every engine."""
    return {
        name: {"persons" if person else "items": score.row() for person, score in scores.items()}
        for name, scores in results.items()
    }
