"""The radio: weaker with distance and bodies, and never more answers than the air protocol has time for."""

import math
import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.scene_file import Radio, Reader
from simulators.scene_radio import Antenna, Epc, TagSpot, mean_rssi_dbm

READER = Reader("r", "magicrf-m100", (0.0, 0.0), 0.0)
RADIO = Radio()


def spot(x: float, *, number: int = 0, faces_rad: float | None = None, loss_db: float = 0.0) -> TagSpot:
    return TagSpot(Epc(number.to_bytes(12, "big")), "card", (x, 0.0), faces_rad, loss_db)


def antenna(spots: list[TagSpot], radio: Radio = RADIO, seed: int = 1) -> Antenna:
    return Antenna(radio, READER, lambda: spots, random.Random(seed))


@given(st.floats(0.3, 50), st.floats(1.01, 10))
def test_rssi_falls_with_distance(near_m, times):
    assert mean_rssi_dbm(RADIO, READER, spot(near_m)) > mean_rssi_dbm(RADIO, READER, spot(near_m * times))


def test_ten_times_the_distance_costs_ten_exponents():
    lost_db = mean_rssi_dbm(RADIO, READER, spot(1.0)) - mean_rssi_dbm(RADIO, READER, spot(10.0))
    assert lost_db == pytest.approx(10 * RADIO.path_loss_exponent)
    assert mean_rssi_dbm(RADIO, READER, spot(1.0)) == pytest.approx(RADIO.rssi_dbm_at_1m)


def test_a_body_shadows_the_tag_on_its_far_side():
    front, side, back = (
        mean_rssi_dbm(RADIO, READER, spot(2.0, faces_rad=angle)) for angle in (math.pi, math.pi / 2, 0)
    )
    assert front == pytest.approx(mean_rssi_dbm(RADIO, READER, spot(2.0)))
    assert front - side == pytest.approx(RADIO.body_loss_db / 2)
    assert front - back == pytest.approx(RADIO.body_loss_db)


def test_power_moves_every_signal_by_as_many_db():
    assert mean_rssi_dbm(RADIO, READER, spot(2.0), 26.0) - mean_rssi_dbm(
        RADIO, READER, spot(2.0), 20.0
    ) == pytest.approx(6)


@settings(max_examples=40, deadline=None)
@given(
    tags=st.integers(0, 60),
    rate=st.floats(10, 300),
    calls_ns=st.lists(st.integers(0, 40_000_000), min_size=20, max_size=80),
    seed=st.integers(0, 99),
)
def test_no_second_holds_more_answers_than_the_budget(tags, rate, calls_ns, seed):
    field = antenna([spot(1.0, number=n) for n in range(tags)], replace_radio(rate), seed)
    now_ns, times_ns, rounds = 0, [], []
    for gap_ns in calls_ns:
        now_ns += gap_ns
        done = field.inventory(now_ns, 26.0)
        rounds.append(done)
        times_ns += [answer.at_ns for answer in done.answers]
    assert times_ns == sorted(times_ns)
    for first, second in pairwise(rounds):
        assert all(answer.at_ns > first.ends_ns for answer in second.answers)
    budget = math.floor(rate)
    for early_ns, late_ns in zip(times_ns, times_ns[budget:], strict=False):
        assert late_ns - early_ns >= budget * 1_000_000_000 / rate - 1


def replace_radio(rate: float) -> Radio:
    return Radio(reads_per_s=rate, round_overhead_ms=0.0)


def test_a_tag_answers_once_per_round_and_more_tags_make_it_longer():
    few, many = antenna([spot(1.0, number=n) for n in range(3)]), antenna([spot(1.0, number=n) for n in range(30)])
    few_round, many_round = few.inventory(0, 26.0), many.inventory(0, 26.0)
    assert len({answer.epc for answer in many_round.answers}) == len(many_round.answers) > 20
    assert many_round.ends_ns > few_round.ends_ns * 5


def test_nothing_below_the_floor_is_read_and_an_empty_round_takes_its_time():
    field = antenna([spot(60.0)])
    done = field.inventory(0, 26.0)
    assert done.answers == ()
    assert done.ends_ns == RADIO.empty_round_ms * 1e6


def test_a_tag_that_is_not_selected_stays_silent():
    field = antenna([spot(1.0, number=n) for n in range(20)])
    wanted = Epc((7).to_bytes(12, "big"))
    heard = {
        answer.epc for n in range(20) for answer in field.inventory(n * 10**9, 26.0, lambda epc: epc == wanted).answers
    }
    assert heard == {wanted}


def test_the_field_follows_the_tags():
    spots = [spot(1.0)]
    field = Antenna(RADIO, READER, lambda: spots, random.Random(1))
    assert any(field.inventory(n * 10**9, 26.0).answers for n in range(5))
    spots = [replace(spots[0], at=(80.0, 0.0))]
    assert not any(field.inventory((n + 9) * 10**9, 26.0).answers for n in range(5))
