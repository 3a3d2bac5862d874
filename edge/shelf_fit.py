"""Which things explain a change of weight: plain arithmetic over unit weights."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

MAX_TOGETHER = 6  # things taken in one grasp that we try to tell apart
MAX_CANDIDATES = 12
MAX_LISTED = 24


@dataclass(frozen=True, slots=True)
class Article:
    """What a shelf holds: one of it weighs `unit_g`, give or take `tolerance_g`."""

    gtin: str
    unit_g: float
    tolerance_g: float


@dataclass(frozen=True, slots=True)
class TagFit:
    """Tags whose articles weigh what the scale says, and what is left for things without a tag."""

    epcs: tuple[bytes, ...]
    untagged: tuple[Article, ...]


def fit_articles(grams: float, articles: Sequence[Article]) -> tuple[Article, ...] | None:
    """The fewest articles that weigh `grams` within their tolerances, the closest of those; None when none do.

    Args:
        grams: positive.
    """
    return _fewest(grams, _mixes(articles))


def is_ambiguous(grams: float, articles: Sequence[Article]) -> bool:
    """Whether different mixes of up to `MAX_TOGETHER` articles weigh `grams` within tolerance."""
    return sum(len(mixes.that_weigh(grams)) for mixes in _mixes(articles)) > 1


def fit_tags(grams: float, tags: Mapping[bytes, Article]) -> list[tuple[bytes, ...]]:
    """Every smallest set of tags whose articles weigh `grams` within their tolerances; several: it is ambiguous."""
    candidates = sorted(tags)[:MAX_CANDIDATES]
    for count in range(1, min(MAX_TOGETHER, len(candidates)) + 1):
        fits = [chosen for chosen in combinations(candidates, count) if weighs(grams, [tags[epc] for epc in chosen])]
        if fits:
            return fits
    return []


def fit_tags_and_more(grams: float, tags: Mapping[bytes, Article], articles: Sequence[Article]) -> TagFit | None:
    """As many of the tags as possible, the rest made up of untagged articles; None when nothing fits."""
    candidates, mixes = sorted(tags)[:MAX_CANDIDATES], _mixes(articles)
    for count in range(min(MAX_TOGETHER, len(candidates)), -1, -1):
        for chosen in combinations(candidates, count):
            left_g = grams - _unit_g([tags[epc] for epc in chosen])
            if chosen and weighs(grams, [tags[epc] for epc in chosen]):
                return TagFit(chosen, ())
            more = _fewest(left_g, mixes) if left_g > 0 else None
            if more is not None:
                return TagFit(chosen, more)
    return None


def weighs(grams: float, things: Sequence[Article]) -> bool:
    """Whether these things together may weigh `grams`."""
    return abs(grams - _unit_g(things)) <= sum(thing.tolerance_g for thing in things)


def count_by_article(things: Sequence[Article]) -> list[tuple[Article, int]]:
    """How many of each, by GTIN."""
    return sorted(Counter(things).items(), key=lambda each: each[0].gtin)


class _Mixes:
    """All mixes of so many articles in the order of their weight: a weight is looked up, not searched for."""

    def __init__(self, articles: Sequence[Article], count: int) -> None:
        self._mixes = sorted(_choose(articles, count), key=_unit_g)
        self._grams = [_unit_g(mix) for mix in self._mixes]
        self._slack_g = count * max((article.tolerance_g for article in articles), default=0.0)

    def that_weigh(self, grams: float) -> list[tuple[Article, ...]]:
        """The mixes that may weigh `grams`."""
        first = bisect_left(self._grams, grams - self._slack_g)
        last = bisect_right(self._grams, grams + self._slack_g)
        return [mix for mix in self._mixes[first:last] if weighs(grams, mix)]


def _mixes(articles: Sequence[Article]) -> list[_Mixes]:
    """By count, as far as is worth trying: the mixes of many articles are too many, and tell nothing apart."""
    most = MAX_TOGETHER if len(articles) <= MAX_TOGETHER else 3 if len(articles) <= MAX_LISTED else 1
    return [_Mixes(articles, count) for count in range(1, most + 1)]


def _fewest(grams: float, by_count: Sequence[_Mixes]) -> tuple[Article, ...] | None:
    for mixes in by_count:
        fits = mixes.that_weigh(grams)
        if fits:
            return min(fits, key=lambda mix: (abs(grams - _unit_g(mix)), [article.gtin for article in mix]))
    return None


def _unit_g(things: Sequence[Article]) -> float:
    return sum(thing.unit_g for thing in things)


def _choose(articles: Sequence[Article], count: int) -> Iterator[tuple[Article, ...]]:
    if count == 0:
        yield ()
        return
    for at, article in enumerate(articles):
        for rest in _choose(articles[at:], count - 1):
            yield (article, *rest)
