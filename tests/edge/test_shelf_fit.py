"""Which mix of articles a weight is: the best, found soon, whatever there is to choose from."""

from collections.abc import Sequence
from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge.shelf_fit
from edge.shelf_fit import Article, fit_articles, fit_tags, fit_tags_and_more, is_ambiguous, weighs
from tests.edge.shelf_rig import ROAD, TRAIL


@given(counts=st.tuples(st.integers(0, 3), st.integers(0, 3)), off=st.floats(-1, 1))
def test_the_best_fit_weighs_what_was_asked(counts: tuple[int, int], off: float) -> None:
    trails, roads = counts
    if not 0 < trails + roads <= 4:
        return
    found = fit_articles(trails * 300 + roads * 240 + off * 15, [TRAIL, ROAD])
    assert found is not None
    assert len(found) <= trails + roads
    assert abs(sum(each.unit_g for each in found) - (trails * 300 + roads * 240)) <= 15 * (len(found) + 1)


def test_a_pile_of_candidates_costs_little() -> None:
    tags = {bytes([n]) * 12: Article(str(n), 100 + n, 1) for n in range(200)}
    assert fit_tags(101, tags) == [(bytes([0]) * 12,), (bytes([1]) * 12,), (bytes([2]) * 12,)]
    assert fit_articles(5_000_000, list(tags.values())) is None


def test_a_loss_that_nothing_explains_does_not_stop_the_agent_for_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    articles = [Article(f"{n:014}", 180.0 + 37.3 * n, 8.0) for n in range(6)]
    tags = {bytes([n]) * 12: articles[n % 6] for n in range(14)}
    tried = 0

    def counted(grams: float, things: Sequence[Article]) -> bool:
        nonlocal tried
        tried += 1
        return weighs(grams, things)

    monkeypatch.setattr(edge.shelf_fit, "weighs", counted)
    assert fit_tags_and_more(12_345.0, tags, articles) is None  # a tray lifted off, with all that is on it
    assert 0 < tried < 10_000


@given(
    units=st.lists(st.integers(10, 400), min_size=1, max_size=5, unique=True),
    grams=st.integers(1, 1500),
    tolerances=st.lists(st.integers(1, 9), min_size=5, max_size=5),
)
def test_the_fewest_and_closest_mix_is_found_whatever_the_tolerances(
    units: list[int], grams: int, tolerances: list[int]
) -> None:
    articles = [Article(str(n), unit, tolerances[n]) for n, unit in enumerate(units)]
    mixes = [mix for count in range(1, 7) for mix in combinations_with_replacement(articles, count)]
    fits = [mix for mix in mixes if weighs(grams, mix)]
    found = fit_articles(grams, articles)
    assert (found is not None, is_ambiguous(grams, articles)) == (bool(fits), len(fits) > 1)
    if found is not None:
        best = min((len(mix), abs(grams - sum(each.unit_g for each in mix))) for mix in fits)
        assert (len(found), abs(grams - sum(each.unit_g for each in found))) == best
