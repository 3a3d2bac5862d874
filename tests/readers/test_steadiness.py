"""When a weight is at rest."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.steadiness import Steadiness


@pytest.mark.parametrize(
    ("weights", "stable"),
    [
        ([5, 5], [False, False]),
        ([5, 5, 5], [False, False, True]),
        ([5, 6, 7], [False, False, True]),
        ([5, 6, 8], [False, False, False]),
        ([5, 5, 90, 5, 5, 5], [False, False, False, False, False, True]),
    ],
)
def test_the_last_three_within_two_grams(weights, stable):
    steadiness = Steadiness(3, Decimal(2))
    assert [steadiness.is_stable_with(Decimal(grams)) for grams in weights] == stable


def test_what_was_missed_does_not_count():
    steadiness = Steadiness(2, Decimal(2))
    assert [steadiness.is_stable_with(Decimal(1)) for _ in range(2)] == [False, True]
    steadiness.forget()
    assert [steadiness.is_stable_with(Decimal(1)) for _ in range(2)] == [False, True]


@given(st.lists(st.integers(-9, 9)), st.integers(2, 5), st.integers(0, 4))
def test_only_the_last_so_many_matter(weights, count, spread):
    steadiness = Steadiness(count, Decimal(spread))
    for number, grams in enumerate(weights, start=1):
        last = weights[max(0, number - count) : number]
        assert steadiness.is_stable_with(Decimal(grams)) == (len(last) == count and max(last) - min(last) <= spread)
