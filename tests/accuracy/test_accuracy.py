"""The benchmark itself: the world is believable, the radio keeps its promises, the scorer counts what it says, and the
engines come out in the order that they must in a small store."""

from itertools import pairwise

import numpy as np
import pytest

from edge.presence_model import PresenceSettings
from tests.accuracy.engine import known, run
from tests.accuracy.naive import KINDS, Naive
from tests.accuracy.plan import AWAY, make_plan
from tests.accuracy.radio import START_NS
from tests.accuracy.report import Store, measure, table
from tests.accuracy.scorer import Limits, Score, said_stays, score_tag, visits
from tests.accuracy.tacet import Tacet
from tests.accuracy.twenty_samples import TwentySamples
from tests.accuracy.world import CARD, ITEM, Crowd

SMALL = Store(seconds=90.0, crowd=Crowd(every_s=4.0, looks=(1, 2)), dense_goods=20, shelf_goods=6)
LIMITS = Limits(dict.fromkeys(KINDS, 8.0), dict.fromkeys(KINDS, 8.0))


@pytest.fixture(scope="module")
def played():
    return SMALL.play(1)


def test_the_plan_has_thirty_zones_that_tile_the_building() -> None:
    plan = make_plan()
    assert len(plan.zones) >= 30
    assert {zone.kind for zone in plan.zones} == set(KINDS)
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 36, 500), rng.uniform(0, 20, 500)
    for px, py, index in zip(x, y, plan.zone_at(x, y), strict=True):
        holds = [n for n, z in enumerate(plan.zones) if z.left <= px < z.right and z.bottom <= py < z.top]
        assert holds == [index]
    assert plan.zone_at(np.array([18.0]), np.array([-5.0]))[0] == AWAY


def test_stays_of_a_tag_follow_each_other_in_time(played) -> None:
    world, _ = played
    truth = world.truth()
    assert {world.kind[tag] for tag, stays in enumerate(truth) if stays} >= {CARD, ITEM}
    for stays in truth:
        for (_, _, stop), (_, start, _) in pairwise(stays):
            assert start >= stop


def test_carried_goods_are_where_their_bearer_is(played) -> None:
    world, _ = played
    carried = [stay for stay in world.stays if stay.walker >= 0 and world.kind[stay.tag] == ITEM]
    assert carried
    for stay in carried:
        walker = world.walkers[stay.walker]
        assert walker.start <= stay.start < stay.stop <= walker.stop


def test_one_seed_is_one_story_and_another_is_another() -> None:
    tiny = Store(seconds=20.0, crowd=Crowd(every_s=4.0), dense_goods=5, shelf_goods=2)
    once, again, other = tiny.play(7)[1], tiny.play(7)[1], tiny.play(8)[1]
    assert once.columns.t_ns.tobytes() == again.columns.t_ns.tobytes()
    assert once.columns.epc.tobytes() == again.columns.epc.tobytes()
    assert once.columns.t_ns.tobytes() != other.columns.t_ns.tobytes()


def test_reads_are_delivered_in_order_some_late_some_with_a_wrong_bit(played) -> None:
    world, recording = played
    assert (np.diff(recording.delivered_ns) >= 0).all()
    late = (recording.delivered_ns > recording.columns.t_ns).mean()
    assert 0.003 < late < 0.008
    epcs = np.frombuffer(b"".join(world.epc), np.uint8).reshape(-1, 12)[recording.tag]
    ghosts = (epcs != recording.columns.epc_bytes[:, :12]).any(axis=1).mean()
    assert 0.001 < ghosts < 0.006


def test_no_antenna_is_read_while_its_cable_is_out(played) -> None:
    world, recording = played
    outage = recording.outages[0]
    readers = np.array([spot.reader for spot in world.plan.spots])[recording.columns.antenna]
    second = (recording.columns.t_ns - START_NS) / 1e9
    of_it = second[readers == outage.reader]
    assert not ((of_it >= outage.start_s) & (of_it < outage.stop_s)).any()
    assert (of_it < outage.start_s).any()


def test_a_dense_shelf_is_read_seldom_and_leaks_into_other_zones(played) -> None:
    """The hard parts are there: most goods are read less than once a second by their own zone, many reads are a neighbour's."""
    world, recording = Store(seconds=10.0).play(1)
    zone = np.array([spot.zone for spot in world.plan.spots])[recording.columns.antenna]
    dense = world.plan.zones.index(next(each for each in world.plan.zones if each.goods == 300))
    resting = [
        s.tag for s in world.stays if s.walker < 0 and world.plan.zone_at(np.array([s.x]), np.array([s.y]))[0] == dense
    ]
    mine = np.isin(recording.tag, resting)
    own_per_s = (mine & (zone == dense)).sum() / len(resting) / 10.0
    assert 0.1 < own_per_s < 2.0
    assert (mine & (zone != dense)).sum() > 0.15 * mine.sum()


def scored(truth, said, *, person=True, end_s=100.0):
    score = Score()
    score_tag(score, truth, said, person=person, kinds=KINDS, limits=LIMITS, end_s=end_s)
    return score


def test_an_engine_that_says_the_truth_scores_one() -> None:
    truth = [(0, 10.0, 20.0), (1, 20.0, 40.0)]
    row = scored(truth, truth).row()
    assert [row[f"{each}_f1"] for each in ("arrivals", "places", "departures")] == [1.0, 1.0, 1.0]
    assert row["correct"] == 1.0
    assert row["wrong_s_per_hour"] == row["missing_s_per_hour"] == row["lingering_s"] == 0.0


def test_a_departure_that_was_none_costs_a_departure_and_an_arrival() -> None:
    score = scored([(0, 10.0, 60.0)], [(0, 10.0, 30.0), (0, 33.0, 62.0)])
    assert (score.arrivals.right, score.arrivals.said) == (1, 2)
    assert (score.departures.right, score.departures.said) == (1, 2)
    assert score.missing_s == pytest.approx(3.0)
    assert score.lingering_s == pytest.approx(2.0)


def test_a_flip_to_another_zone_and_back_names_two_stays_wrongly() -> None:
    score = scored([(0, 10.0, 60.0)], [(0, 10.0, 30.0), (1, 30.0, 31.0), (0, 31.0, 60.0)])
    assert (score.places.right, score.places.said, score.places.found, score.places.true) == (1, 3, 1, 1)
    assert score.present_s - score.correct_s - score.missing_s == pytest.approx(1.0)


def test_a_short_stay_need_not_be_found_and_naming_it_is_right() -> None:
    truth = [(0, 0.0, 20.0), (1, 20.0, 23.0), (2, 23.0, 60.0)]
    assert scored(truth, [(0, 0.0, 23.5), (2, 23.5, 60.0)]).places.recall == 1.0
    assert scored(truth, [(0, 0.0, 21.0), (1, 21.0, 24.0), (2, 24.0, 60.0)]).places.precision == 1.0


def test_a_stay_named_after_it_was_over_is_not_found() -> None:
    score = scored([(0, 0.0, 20.0), (1, 20.0, 60.0)], [(1, 0.0, 22.0), (0, 22.0, 60.0)])
    assert (score.places.found, score.places.true) == (1, 2)


def test_a_ghost_is_a_false_arrival_and_a_false_departure() -> None:
    score = scored([], [(0, 10.0, 18.0)])
    assert (score.arrivals.precision, score.departures.precision, score.places.precision) == (0.0, 0.0, 0.0)


def test_who_is_named_long_before_coming_has_not_arrived() -> None:
    assert scored([(0, 40.0, 60.0)], [(0, 35.1, 60.0)]).arrivals.f1 == 1.0
    assert scored([(0, 40.0, 60.0)], [(0, 34.9, 60.0)]).arrivals.f1 == 0.0


def test_an_engine_whose_words_come_in_disorder_is_heard_in_order() -> None:
    assert said_stays([(5.0, 1), (4.0, 2), (8.0, AWAY)], 9.0) == [(2, 5.0, 8.0)]


def test_a_departure_beyond_the_engines_own_limit_is_late() -> None:
    assert scored([(0, 0.0, 40.0)], [(0, 0.0, 52.9)]).departures.f1 == 1.0
    assert scored([(0, 0.0, 40.0)], [(0, 0.0, 53.1)]).departures.f1 == 0.0


def test_what_happens_too_near_the_end_is_not_scored() -> None:
    score = scored([(0, 95.0, 100.0)], [(0, 96.0, 100.0)])
    assert (score.arrivals.true, score.arrivals.said, score.departures.true, score.departures.said) == (0, 0, 0, 0)


def test_changes_become_stays_and_stays_become_visits() -> None:
    stays = said_stays([(1.0, 3), (2.0, 3), (4.0, 5), (6.0, AWAY), (8.0, 3)], 9.0)
    assert stays == [(3, 1.0, 4.0), (5, 4.0, 6.0), (3, 8.0, 9.0)]
    assert visits(stays) == [(1.0, 6.0, 5), (8.0, 9.0, 3)]


def test_every_engine_gets_the_same_reads_and_no_strays(played) -> None:
    world, recording = played
    keep = known(recording)
    kinds = np.array(world.kind)[recording.tag]
    assert np.isin(kinds[keep], (CARD, ITEM)).all()
    assert keep[np.isin(kinds, (CARD, ITEM))].mean() > 0.98  # but for some ghosts


def test_the_tracker_beats_the_naive_window_in_a_small_store() -> None:
    settings = PresenceSettings()
    results = measure(SMALL, (3,), (lambda layout: Tacet(layout, settings), lambda layout: Naive(layout, 12.0, 60.0)))
    tacet, naive = results["Tacet"], results["naive window"]
    for person in (True, False):
        assert tacet[person].row()["places_f1"] > naive[person].row()["places_f1"]
        assert tacet[person].row()["wrong_s_per_hour"] < naive[person].row()["wrong_s_per_hour"]
    assert tacet[False].row()["arrivals_f1"] > 0.98
    assert table(results, person=True).count("\n") == 3


def test_an_unplugged_reader_departs_nobody(played) -> None:
    """Both rules know of it, so neither says that what lies before a dead reader has gone."""
    world, recording = played
    settings = PresenceSettings()
    for engine in (Tacet(world.plan.layout, settings), TwentySamples(world.plan.layout, settings)):
        said = run(engine, recording)
        gone = [epc for epc, changes in said.items() if any(zone == AWAY for _, zone in changes)]
        resting = {world.epc[stay.tag] for stay in world.stays if stay.walker < 0 and stay.stop == world.steps}
        assert not resting & set(gone)
