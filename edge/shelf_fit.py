"""Which things explain a change of weight: plain arithmetic over unit weights."""

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
    for count in _counts(articles):
        fits = [(error, chosen) for error, chosen in _mixes(grams, articles, count) if error is not None]
        if fits:
            return min(fits, key=lambda fit: (fit[0], [article.gtin for article in fit[1]]))[1]
    return None


def is_ambiguous(grams: float, articles: Sequence[Article]) -> bool:
    """Whether different mixes of up to `MAX_TOGETHER` articles weigh `grams` within tolerance."""
    return sum(error is not None for count in _counts(articles) for error, _ in _mixes(grams, articles, count)) > 1


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
    candidates = sorted(tags)[:MAX_CANDIDATES]
    for count in range(min(MAX_TOGETHER, len(candidates)), -1, -1):
        for chosen in combinations(candidates, count):
            left_g = grams - sum(tags[epc].unit_g for epc in chosen)
            if chosen and weighs(grams, [tags[epc] for epc in chosen]):
                return TagFit(chosen, ())
            more = fit_articles(left_g, articles) if left_g > 0 else None
            if more is not None:
                return TagFit(chosen, more)
    return None


def weighs(grams: float, things: Sequence[Article]) -> bool:
    """Whether these things together may weigh `grams`."""
    return abs(grams - sum(thing.unit_g for thing in things)) <= sum(thing.tolerance_g for thing in things)


def count_by_article(things: Sequence[Article]) -> list[tuple[Article, int]]:
    """How many of each, by GTIN."""
    return sorted(Counter(things).items(), key=lambda each: each[0].gtin)


def _counts(articles: Sequence[Article]) -> range:
    """How many things together are worth trying: the mixes of many articles are too many, and tell nothing apart."""
    return range(1, 1 + (MAX_TOGETHER if len(articles) <= MAX_TOGETHER else 3 if len(articles) <= MAX_LISTED else 1))


def _mixes(grams: float, articles: Sequence[Article], count: int) -> Iterator[tuple[float | None, tuple[Article, ...]]]:
    """Every mix of `count` articles with its error in grams, None where it exceeds the tolerance."""
    for mix in _choose(articles, count):
        yield (abs(grams - sum(each.unit_g for each in mix)) if weighs(grams, mix) else None), mix


def _choose(articles: Sequence[Article], count: int) -> Iterator[tuple[Article, ...]]:
    if count == 0:
        yield ()
        return
    for at, article in enumerate(articles):
        for rest in _choose(articles[at:], count - 1):
            yield (article, *rest)
