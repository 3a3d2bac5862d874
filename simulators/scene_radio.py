"""The radio: how strongly an antenna hears a tag, and how many answers an inventory round can yield."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NewType

from simulators.scene_file import Metres, Radio, Reader

Epc = NewType("Epc", bytes)
TagClass = Literal["card", "goods", "foreign"]
NOMINAL_POWER_DBM = 26.0
NEAREST_M = 0.3  # closer than this the log-distance law says nothing
FADING_REACH = 4.0  # so many standard deviations below the floor, fading never lifts a tag over it


@dataclass(frozen=True, slots=True)
class TagSpot:
    """A tag where it is now.

    Args:
        faces_rad: the way the bearer's side that wears the tag looks; None where no body stands behind it.
        loss_db: what is around the tag takes.
        on_shelf: it lies at the antenna's own height rather than in a bearer's pocket.
    """

    epc: Epc
    tag_class: TagClass
    at: Metres
    faces_rad: float | None
    loss_db: float
    on_shelf: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One tag's answer in a round."""

    at_ns: int
    epc: Epc
    rssi_dbm: float


@dataclass(frozen=True, slots=True)
class Round:
    """One inventory round: its answers in order of time, and when the next may begin."""

    answers: tuple[Answer, ...]
    ends_ns: int


def mean_rssi_dbm(radio: Radio, reader: Reader, spot: TagSpot, power_dbm: float = NOMINAL_POWER_DBM) -> float:
    """What `reader` hears of a tag on average: log-distance loss, the body's shadow, and what is around the tag.

    The shadow is the body's whole loss when the tag is on the side away from the antenna, half when it is sideways.
    """
    dx, dy = reader.at[0] - spot.at[0], reader.at[1] - spot.at[1]
    distance_m = max(math.hypot(dx, dy, 0.0 if spot.on_shelf else reader.above_m), NEAREST_M)
    loss_db = 10 * radio.path_loss_exponent * math.log10(distance_m) + spot.loss_db
    if spot.faces_rad is not None:
        loss_db += radio.body_loss_db * (1 - math.cos(math.atan2(dy, dx) - spot.faces_rad)) / 2
    return radio.rssi_dbm_at_1m + power_dbm - NOMINAL_POWER_DBM - loss_db


@dataclass(slots=True)
class Antenna:
    """The field of one reader: the budget of its air protocol, spent in rounds.

    A tag answers at most once per round, answers are at least 1 / reads_per_s apart, and rounds never overlap, so no
    second holds more than `reads_per_s` answers however the reader is driven.

    Args:
        spots: all tags now; the same sequence object until something moved.
        emitted: answers so far by class of tag.
    """

    radio: Radio
    reader: Reader
    spots: Callable[[], Sequence[TagSpot]]
    rng: random.Random
    emitted: dict[TagClass, int] = field(default_factory=lambda: {"card": 0, "goods": 0, "foreign": 0})
    _busy_until_ns: int = 0
    _heard: list[tuple[TagSpot, float]] = field(default_factory=list)
    _heard_of: Sequence[TagSpot] | None = None
    _heard_power_dbm: float = NOMINAL_POWER_DBM

    def inventory(self, now_ns: int, power_dbm: float, takes_part: Callable[[Epc], bool] = lambda _: True) -> Round:
        """One round from `now_ns`, or from the end of the last one if that is later.

        Args:
            takes_part: whether a tag is selected for the round.
        """
        starts_ns = max(now_ns, self._busy_until_ns)
        slot_ns = math.ceil(1e9 / self.radio.reads_per_s)
        at_ns = starts_ns + int(self.radio.round_overhead_ms * 1e6)
        answers = []
        tags = [(spot, mean) for spot, mean in self._in_reach(power_dbm) if takes_part(spot.epc)]
        self.rng.shuffle(tags)
        for spot, mean_dbm in tags:
            rssi_dbm = mean_dbm + self.rng.gauss(0.0, self.radio.fading_db)
            if rssi_dbm < self.radio.read_floor_dbm:
                continue
            at_ns += slot_ns  # a collision spends its slot, too
            if self.rng.random() >= self.radio.miss_rate:
                answers.append(Answer(at_ns, spot.epc, rssi_dbm))
                self.emitted[spot.tag_class] += 1
        empty_ends_ns = starts_ns + int(self.radio.empty_round_ms * 1e6)
        self._busy_until_ns = at_ns if answers else max(at_ns, empty_ends_ns)
        return Round(tuple(answers), self._busy_until_ns)

    def _in_reach(self, power_dbm: float) -> list[tuple[TagSpot, float]]:
        """Tags that fading may lift over the floor, with their mean signal; kept until something moved."""
        spots = self.spots()
        if spots is not self._heard_of or power_dbm != self._heard_power_dbm:
            least_dbm = self.radio.read_floor_dbm - FADING_REACH * self.radio.fading_db
            means = ((spot, mean_rssi_dbm(self.radio, self.reader, spot, power_dbm)) for spot in spots)
            self._heard = [(spot, mean) for spot, mean in means if mean >= least_dbm]
            self._heard_of, self._heard_power_dbm = spots, power_dbm
        return self._heard
