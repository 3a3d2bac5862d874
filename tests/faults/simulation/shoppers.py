"""What happens in the store: people walk through it, goods are moved and picked.  Seeded, and deaf to all trouble."""

import random

from broker_config.site import ShelfId
from edge.agent import Agent
from edge.shelf import ShelfChange
from tests.faults.simulation.machines import EdgeMachine
from tests.faults.simulation.store import Store

WALK = ("door", "shoes", "fitting", "shoes", "till", "exit")
PLACES = ("shoes", "fitting", "desk", "till")
READ_EVERY_S = 1.0
CONFIRM_READS = 5
CONFIRM_EVERY_S = 0.25
STAY_S = (4.0, 15.0)
AWAY_S = (25.0, 60.0)
MOVE_EVERY_S = (3.0, 25.0)
SHELF = ShelfId("s1")
GTIN = "00614141008124"
GOODS = "3034257bf400cb00000000{:02x}"


class Shoppers:
    """Everybody and everything that moves.

    Args:
        store: whose readers report it.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._world = store, store.world
        self.moving = True
        """Whether anything happens; afterwards everything stays where it is, and people go on being read."""
        self.places: dict[bytes, str | None] = {}

    def begin(self) -> None:
        """Open the doors."""
        plan = self._store.plan
        for number, (member, card) in enumerate(sorted(self._store.template.members.items())[: plan.people]):
            Walker(self, card, self._world.dice(f"walker {number} {member}")).begin()
        for number in range(plan.goods):
            epc = bytes.fromhex(GOODS.format(number))
            self._move(epc, self._world.dice(f"goods {number}"), first=True)
        self._pick(self._world.dice("picks"))

    def read(self, zone: str, epc: bytes) -> None:
        """A tag answers in a zone, whichever agent has it."""
        for edge in self._store.edges.values():
            edge.read(zone, epc)

    def _move(self, epc: bytes, dice: random.Random, *, first: bool = False) -> None:
        if not self.moving:
            return
        zone = self.places[epc] = "shoes" if first else dice.choice(PLACES)
        for number in range(CONFIRM_READS):
            self._world.after(number * CONFIRM_EVERY_S, lambda: self.read(zone, epc))
        self._world.after(dice.uniform(*MOVE_EVERY_S), lambda: self._move(epc, dice))

    def _pick(self, dice: random.Random) -> None:
        if not self.moving:
            return
        for edge in self._store.edges.values():
            edge.do(lambda agent, at=edge: _say_pick(agent, at, dice.random() < 0.3))
        self._world.after(dice.expovariate(self._store.plan.picks_per_min / 60), lambda: self._pick(dice))


def _say_pick(agent: Agent, edge: EdgeMachine, back: bool) -> None:
    grams = 300.0 if back else -300.0
    change = ShelfChange("putback" if back else "pick", None, GTIN, 1, grams, 0.97, agent._clock())
    agent._pipeline.report([agent._announcer.shelf_change(SHELF, change)])


class Walker:
    """A member who comes, walks through the store, goes, and comes again."""

    def __init__(self, shoppers: Shoppers, card: bytes, dice: random.Random) -> None:
        self._shoppers, self._card, self._dice = shoppers, card, dice
        self._zone: str | None = None
        self._walk: list[str] = []

    def begin(self) -> None:
        """Come in soon."""
        world = self._shoppers._world
        world.after(self._dice.uniform(0.5, 15.0), self._go)
        world.after(self._dice.random(), self._be_read)

    def _go(self) -> None:
        if not self._shoppers.moving:
            return
        if not self._walk:
            self._walk = list(WALK) if self._zone is None else []
        self._zone = self._walk.pop(0) if self._walk else None
        self._shoppers.places[self._card] = self._zone
        stay_s = self._dice.uniform(*(AWAY_S if self._zone is None else STAY_S))
        self._shoppers._world.after(stay_s, self._go)

    def _be_read(self) -> None:
        if self._zone is not None:
            self._shoppers.read(self._zone, self._card)
        self._shoppers._world.after(READ_EVERY_S * self._dice.uniform(0.9, 1.1), self._be_read)
