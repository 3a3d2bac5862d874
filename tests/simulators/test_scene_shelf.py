"""The load cell: swings after a change, then rests on the new weight."""

import random

import pytest

from simulators.scene_shelf import LoadCell

MS = 1_000_000


def test_it_is_dynamic_after_a_change_and_settles_on_the_new_weight():
    cell = LoadCell(0.0, 0.5, random.Random(1), 1200.0)
    assert cell.reading(0).stable
    cell.change_to(900.0, 1000 * MS)
    just_after, halfway = cell.reading(1001 * MS), cell.reading(1200 * MS)
    assert not just_after.stable
    assert just_after.grams == pytest.approx(1200, abs=15)
    assert not halfway.stable
    assert 900 < halfway.grams < 1200
    rest = cell.reading(1500 * MS)
    assert rest.stable
    assert rest.grams == 900.0


def test_a_change_while_it_swings_starts_from_where_it_is():
    cell = LoadCell(0.0, 0.5, random.Random(1), 1000.0)
    cell.change_to(700.0, 0)
    before = cell.reading(100 * MS).grams
    cell.change_to(400.0, 100 * MS)
    assert cell.reading(100 * MS).grams == pytest.approx(before)
    assert cell.reading(700 * MS).grams == 400.0


def test_noise_is_seeded_and_small():
    readings = [
        [LoadCell(0.2, 0.5, random.Random(seed), 500.0).reading(n * 100 * MS).grams for n in range(50)]
        for seed in (1, 1, 2)
    ]
    assert readings[0] == readings[1] != readings[2]
    assert all(abs(grams - 500) < 2 for grams in readings[0])
