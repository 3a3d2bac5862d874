"""How right an engine was: its word against the truth, engine-neutral.

An engine is judged by what a listener hears and when he hears it (detection time), never by what it later dates back.
Its word about a tag is a step function: nowhere, or in one zone.  Tolerances, the same for all engines but one:

* **Arrival**: the engine says of a tag that was nowhere that it is there, from 5 s before it entered the store (tags are
  heard through the door) to 15 s after (persons) or 60 s after (items; a dense shelf is read slowly).  One per entry: each
  further one is false, so a departure that was none costs twice.  Goods that lie there at the opening enter at 0 s.
* **Departure**: the engine says it is gone, from 5 s before it left to 5 s after the engine's own published time-out for
  the zone it left by (`Engine.departs_within_s`).  Leaving too late in the run for that to pass is not scored.
* **Place**: a true stay of 5 s or more is found when the engine names its zone within the stay.  A stay named by the engine is
  right when the tag was in that zone at some time from 3 s before it was named to when the engine took it back, and no other
  named stay has claimed that true stay: who flips A, B, A has named two stays wrongly.  Shorter true stays (someone passes
  through a corner) need not be found, and naming them is not wrong.
* **Times to detect**: from the true moment to the engine's word, of what was matched.
* **Seconds**, with no tolerance at all: `correct` is the share of the tags' true time in the store during which the engine
  names the right zone; per hour of that time `wrong_s` in which it names another zone and `missing_s` in which it names none.
  `lingering_s` is, per true departure, how long it still names a zone afterwards.

Why two measures of place: the F1 of stays says whether the story is right, as a rule that fires at an arrival needs it; the
share of time says how long it was wrong, as a display or a count needs it.  A late but right engine loses only the second.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.accuracy.plan import AWAY

EARLY_S = 5.0
ARRIVAL_S = {True: 15.0, False: 60.0}
DEPARTURE_SLACK_S = 5.0
SHORTEST_STAY_S = 5.0
NAMED_LATE_S = 3.0

Stay = tuple[int, float, float]
"""Zone, from s, to s."""


@dataclass(slots=True)
class Hits:
    """Of `said` things `right` were right; of `true` things `found` were found."""

    right: int = 0
    said: int = 0
    found: int = 0
    true: int = 0

    @property
    def precision(self) -> float:
        return self.right / self.said if self.said else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(slots=True)
class Score:
    """The score of one engine for persons or for items, over one or more runs."""

    arrivals: Hits = field(default_factory=Hits)
    places: Hits = field(default_factory=Hits)
    departures: Hits = field(default_factory=Hits)
    arrival_s: list[float] = field(default_factory=list)
    move_s: list[float] = field(default_factory=list)
    departure_s: list[float] = field(default_factory=list)
    present_s: float = 0.0
    correct_s: float = 0.0
    missing_s: float = 0.0
    lingering_s: float = 0.0
    left: int = 0

    def row(self) -> dict[str, float]:
        """The columns of the report."""
        hours = self.present_s / 3600 or 1.0
        row: dict[str, float] = {}
        for name in ("arrivals", "places", "departures"):
            hits: Hits = getattr(self, name)
            row |= {f"{name}_precision": hits.precision, f"{name}_recall": hits.recall, f"{name}_f1": hits.f1}
        for name in ("arrival", "move", "departure"):
            times = getattr(self, f"{name}_s")
            row |= {f"{name}_p{q}_s": float(np.percentile(times, q)) if times else float("nan") for q in (50, 95)}
        row["correct"] = self.correct_s / self.present_s if self.present_s else 1.0
        row["wrong_s_per_hour"] = (self.present_s - self.correct_s - self.missing_s) / hours
        row["missing_s_per_hour"] = self.missing_s / hours
        row["lingering_s"] = self.lingering_s / max(self.left, 1)
        return row


@dataclass(frozen=True, slots=True)
class Limits:
    """An engine's published time-outs: (person, by which kind of zone it left) -> s."""

    person_s: dict[str, float]
    item_s: dict[str, float]

    def of(self, person: bool, zone_kind: str) -> float:
        return (self.person_s if person else self.item_s)[zone_kind]


def visits(stays: Sequence[Stay]) -> list[tuple[float, float, int]]:
    """From s, to s and last zone of each unbroken time in the store."""
    found: list[tuple[float, float, int]] = []
    for zone, start, stop in stays:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], stop, zone)
        else:
            found.append((start, stop, zone))
    return found


def said_stays(changes: Iterable[tuple[float, int]], end_s: float) -> list[Stay]:
    """What an engine's changes (s, zone or AWAY), in order, amount to."""
    stays: list[Stay] = []
    zone, since = AWAY, 0.0
    for at_s, to in [*changes, (end_s, AWAY)]:
        at_s = min(max(at_s, since), end_s)  # dated back or not, nobody hears it before what was said last
        if to == zone:
            continue
        if zone != AWAY and at_s > since:
            stays.append((zone, since, at_s))
        zone, since = to, at_s
    return stays


def score_tag(
    score: Score, truth: Sequence[Stay], said: Sequence[Stay], *, person: bool, kinds: Sequence[str], limits: Limits,
    end_s: float,
) -> None:  # fmt: skip
    """Add one tag to a score.

    Args:
        truth, said: stays in order; for an EPC that no tag has, `truth` is empty.
        kinds: of the zones.
    """
    true_visits, said_visits = visits(truth), visits(said)
    _score_arrivals(score, true_visits, said_visits, ARRIVAL_S[person], end_s)
    _score_departures(score, true_visits, said_visits, person, kinds, limits, end_s)
    _score_places(score, truth, said)
    _score_seconds(score, truth, said)
    score.left += sum(stop < end_s for _, stop, _ in true_visits)


def _score_arrivals(
    score: Score,
    truth: list[tuple[float, float, int]],
    said: list[tuple[float, float, int]],
    within_s: float,
    end_s: float,
) -> None:
    free = [visit for visit in truth if visit[0] + within_s <= end_s]
    late = [visit for visit in truth if visit[0] + within_s > end_s]
    score.arrivals.true += len(free)
    for start, _, _ in said:
        match = next((visit for visit in free if visit[0] - EARLY_S <= start <= visit[0] + within_s), None)
        if match is None and any(visit[0] - EARLY_S <= start for visit in late):
            continue  # it entered too near the end to be scored
        score.arrivals.said += 1
        if match is not None:
            free.remove(match)
            score.arrivals.right += 1
            score.arrivals.found += 1
            score.arrival_s.append(start - match[0])


def _score_departures(
    score: Score, truth: list[tuple[float, float, int]], said: list[tuple[float, float, int]], person: bool,
    kinds: Sequence[str], limits: Limits, end_s: float,
) -> None:  # fmt: skip
    def last_s(visit: tuple[float, float, int]) -> float:
        return visit[1] + limits.of(person, kinds[visit[2]]) + DEPARTURE_SLACK_S

    free = [visit for visit in truth if last_s(visit) <= end_s]
    late = [visit for visit in truth if last_s(visit) > end_s]
    score.departures.true += len(free)
    for _, stop, _ in said:
        if stop >= end_s:
            continue  # still there when the run ended
        match = next((visit for visit in free if visit[1] - EARLY_S <= stop <= last_s(visit)), None)
        if match is None and any(visit[1] < end_s and visit[1] - EARLY_S <= stop for visit in late):
            continue
        score.departures.said += 1
        if match is not None:
            free.remove(match)
            score.departures.right += 1
            score.departures.found += 1
            score.departure_s.append(stop - match[1])


def _score_places(score: Score, truth: Sequence[Stay], said: Sequence[Stay]) -> None:
    claimed: set[int] = set()
    found: set[int] = set()
    first = {index for index, stay in enumerate(truth) if index == 0 or truth[index - 1][2] != stay[1]}
    score.places.said += len(said)
    for zone, since, until in said:
        near = [
            index
            for index, (true_zone, start, stop) in enumerate(truth)
            if true_zone == zone and start < until and stop > since - NAMED_LATE_S
        ]
        for index in near:
            start, stop = truth[index][1:]
            if since < stop and index not in found:
                found.add(index)
                if index not in first:
                    score.move_s.append(since - start)
        match = next((index for index in near if index not in claimed), None)
        if match is not None:
            claimed.add(match)
            score.places.right += 1
    long = {index for index, (_, start, stop) in enumerate(truth) if stop - start >= SHORTEST_STAY_S}
    score.places.true += len(long)
    score.places.found += len(long & found)


def _score_seconds(score: Score, truth: Sequence[Stay], said: Sequence[Stay]) -> None:
    present = sum(stop - start for _, start, stop in truth)
    both = correct = 0.0
    for true_zone, start, stop in truth:
        for zone, since, until in said:
            shared = min(stop, until) - max(start, since)
            if shared > 0:
                both += shared
                correct += shared if zone == true_zone else 0.0
    score.present_s += present
    score.correct_s += correct
    score.missing_s += present - both
    score.lingering_s += sum(until - since for _, since, until in said) - both if truth else 0.0
