"""One seed, one run: trouble, then quiet, then the laws."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge.members import REFRESH_S
from tests.faults.report import Outcome
from tests.faults.simulation import laws
from tests.faults.simulation.clockwork import World
from tests.faults.simulation.entropy import simulated
from tests.faults.simulation.paths import Paths
from tests.faults.simulation.plan import Plan, draw
from tests.faults.simulation.shoppers import Shoppers
from tests.faults.simulation.store import FAST, Store, Template, build
from tests.faults.simulation.troubles import Troublemaker

LASTS_S = 45.0
WIDE_FROM = 1000
"""From this seed on clocks are wrong, too, and members are erased."""
SETTLE_S = 240.0
"""Longer than every back-off, keep-alive and patience together."""
RECEIPT = "/privacy/receipt/"
LOOK_S = 1.0
STILL_S = 12.0
"""Nothing has been missing for so long: departures, housekeeping and the last acknowledgements are through."""


@dataclass(slots=True)
class Run:
    """What came of a seed.

    Args:
        trace: a hash of every message, commit and change of state.
        injected: troubles made.
    """

    outcome: Outcome
    plan: Plan
    trace: str = ""
    injected: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether every law was kept."""
        return self.outcome.sound

    def __str__(self) -> str:
        o = self.outcome
        words = "; ".join(o.broken) or "sound"
        return (
            f"seed {o.seed}: generated {o.generated} = stored {o.stored_once} + dropped {o.dropped} + in outbox "
            f"{o.in_outbox}, twice {o.duplicates}, well after {o.recovery_s:.0f} s: {words}\n"
            f"replay it: python -m tests.faults.simulation --seed {o.seed}"
        )


def simulate(
    seed: int,
    ground: Template,
    *,
    lasts_s: float = LASTS_S,
    plan: Plan | None = None,
    say: Callable[[str], None] | None = None,
) -> Run:
    """Run a seed.

    Args:
        plan: another than the seed's own.
        say: told of every step.
    """
    world = World(seed, say)
    machines = {"edge": (ground.edge.agent,), "screen": tuple(display.id for display in ground.site.displays)}
    plan = plan or draw(world.dice("plan"), lasts_s, machines, wide=seed >= WIDE_FROM)
    with (
        tempfile.TemporaryDirectory(dir=FAST if FAST.is_dir() else None) as name,
        simulated(world),
        _logged(world, say),
    ):
        store = build(world, ground, plan, Path(name))
        try:
            return _live(store)
        finally:
            logging.disable(logging.CRITICAL)  # the dead have nothing to say
            store.bury()
            del store
            ground.sweep(seed)
            logging.disable(logging.NOTSET)


def _live(store: Store) -> Run:
    world, plan = store.world, store.plan
    outcome = Outcome(world.seed)
    store.broker.heard.append(laws.AckWatch(store))
    for machine in store.machines.values():
        world.after(world.dice(f"start {machine.name}").random(), machine.start)
    shoppers, trouble = Shoppers(store), Troublemaker(store)
    paths = Paths(store)
    paths.watch()
    world.after(1.0, shoppers.begin)
    trouble.begin()
    world.run_until(lambda: bool(world.bugs), plan.lasts_s)
    shoppers.moving, trouble.over = False, True
    _make_well(store)
    outcome.recovery_s = _settle(store)
    laws.check(store, paths, outcome)
    return Run(outcome, plan, world.trace, trouble.injected)


def _make_well(store: Store) -> None:
    """No more trouble: everything runs, and everything is connected."""
    world = store.world
    world.note("all is well")
    for machine in store.machines.values():
        if machine.disk is not None:
            machine.disk.full, machine.disk.slow_s, machine.disk.on_commit = False, 0.0, None
        store.network.heal(machine.name)
        if not machine._stopping:
            machine.start()
    if not store.broker.up:
        store.broker.start()


def _settle(store: Store) -> float:
    """Wait until nothing is under way; how long it took, or the limit."""
    world = store.world
    began_s, still_s = world.now_s, 0.0
    while world.now_s - began_s < _patience_s(store) and still_s < STILL_S and not world.bugs:
        world.run_until(lambda: bool(world.bugs), world.now_s + LOOK_S)
        still_s = still_s + LOOK_S if laws.is_still(store) else 0.0
    return max(world.now_s - began_s - still_s, 0.0)


def _patience_s(store: Store) -> float:
    """A receipt that the broker has dropped comes with the agent's next look at its member table."""
    return SETTLE_S + REFRESH_S * any(RECEIPT in topic for topic in store.broker.dropped_topics)


@contextmanager
def _logged(world: World, say: Callable[[str], None] | None) -> Iterator[None]:
    """The programs' own words in the readable trace, and nowhere else."""
    root = logging.getLogger()
    if say is None:
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
        return
    handler, level = _Teller(world), root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


class _Teller(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        if self._world._say is not None:
            self._world._say(f"{self._world.now_s:10.4f}   {record.levelname} {record.name}: {record.getMessage()}")
