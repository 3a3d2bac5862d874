"""Shoppers: they come in turn, walk from goal to goal, stand, and act half-way through each stay."""

import math
import random
from dataclasses import dataclass, field

from simulators.scene_file import Act, Goal, Goods, Metres, Shoppers, Walk
from simulators.scene_radio import Epc

SPREAD_M = 0.25  # people stand beside each other, not inside
PATIENCE_S = 6.0  # so long past a stay's end someone waits for a shelf to come to rest
CHIP_MAKERS = ("e2801160", "e2806894", "e2003412")  # unprogrammed tags carry their chip's id


@dataclass(frozen=True, slots=True)
class WornTag:
    """A tag on a body, on the side `side_rad` from the way its bearer looks."""

    epc: Epc
    is_card: bool
    side_rad: float


@dataclass(slots=True)
class Shopper:
    """One visit of one person."""

    number: int
    card: str | None
    tags: tuple[WornTag, ...]
    goals: tuple[Goal, ...]
    speed_m_s: float
    at: Metres
    looks_rad: float = 0.0
    carried: list[Goods] = field(default_factory=list)
    goal: int = 0
    stood_s: float | None = None  # None while walking
    acted: bool = False
    gone: bool = False
    zone: str | None = None
    zone_since_ns: int = 0

    @property
    def doing(self) -> Act | None:
        """What the shopper does where they stand; None while walking."""
        return None if self.stood_s is None or self.gone else self.goals[self.goal].does

    def wants_to_act(self) -> bool:
        """Whether the stay is half over and its act still to do."""
        return self.stood_s is not None and not self.acted and self.stood_s >= self.goals[self.goal].seconds / 2

    def step(self, dt_s: float) -> None:
        """Walk towards the goal, or stand and then turn to the next one; after the last, the shopper is gone."""
        goal = self.goals[self.goal]
        if self.stood_s is None:
            self._walk(goal.at, self.speed_m_s * dt_s)
            return
        self.stood_s += dt_s
        waits = not self.acted and self.stood_s < goal.seconds + PATIENCE_S
        if self.stood_s >= goal.seconds and not waits:
            self._turn_to_next()

    def _walk(self, to: Metres, metres: float) -> None:
        dx, dy = to[0] - self.at[0], to[1] - self.at[1]
        left_m = math.hypot(dx, dy)
        if left_m > 0:
            self.looks_rad = math.atan2(dy, dx)
        if left_m <= metres:
            self.at, self.stood_s, self.acted = to, 0.0, False
        else:
            self.at = (self.at[0] + dx / left_m * metres, self.at[1] + dy / left_m * metres)

    def _turn_to_next(self) -> None:
        self.goal += 1
        self.stood_s = None
        self.gone = self.goal >= len(self.goals)


class Crowd:
    """Lets shoppers in: about every `every_s`, never more than `most`, each card only when its last visit is over and rested."""

    def __init__(self, shoppers: Shoppers, walks: tuple[Walk, ...], rng: random.Random) -> None:
        self._plan, self._walks, self._rng = shoppers, walks, rng
        self._at_s = self._next_in_s = 0.0
        self._left_at_s: dict[str, float] = {}
        self._next_card = 0
        self._number = 0

    def let_in(self, dt_s: float, present: list[Shopper]) -> Shopper | None:
        """Who comes in during this step, if anyone."""
        self._at_s += dt_s
        if self._at_s < self._next_in_s or len(present) >= self._plan.most:
            return None
        card = self._free_card({shopper.card for shopper in present if shopper.card})
        if card is None:
            return None
        self._next_in_s = self._at_s + self._plan.every_s * self._rng.uniform(0.8, 1.2)
        return self._make(card)

    def note_leaving(self, shopper: Shopper) -> None:
        """A shopper is out; their card rests from now on."""
        if shopper.card:
            self._left_at_s[shopper.card] = self._at_s

    def _free_card(self, inside: set[str]) -> str | None:
        """The next card whose last visit is over; None while all are in the store."""
        for step in range(len(self._plan.cards)):
            index = (self._next_card + step) % len(self._plan.cards)
            card = self._plan.cards[index].lower()
            rested = self._at_s - self._left_at_s.get(card, -math.inf) >= self._plan.rest_s
            if not card or (card not in inside and rested):
                self._next_card = index + 1
                return card
        return None

    def _make(self, card: str) -> Shopper:
        self._number += 1
        walk = self._rng.choice(self._walks)
        tags = [WornTag(Epc(bytes.fromhex(card)), True, self._side())] if card else []
        tags += [WornTag(self._foreign_epc(), False, self._side()) for _ in range(self._plan.foreign_tags)]
        goals = tuple(Goal(self._beside(goal.at), goal.seconds, goal.does) for goal in walk.goals)
        return Shopper(
            self._number,
            card or None,
            tuple(tags),
            goals,
            self._plan.speed_m_s * self._rng.uniform(0.9, 1.1),
            self._plan.entrance,
        )

    def _side(self) -> float:
        return self._rng.choice((0.0, math.pi / 2, math.pi, -math.pi / 2))

    def _beside(self, at: Metres) -> Metres:
        return at[0] + self._rng.uniform(-SPREAD_M, SPREAD_M), at[1] + self._rng.uniform(-SPREAD_M, SPREAD_M)

    def _foreign_epc(self) -> Epc:
        return Epc(bytes.fromhex(self._rng.choice(CHIP_MAKERS)) + self._rng.randbytes(8))
