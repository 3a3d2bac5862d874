"""What a shelf makes of a scale that swings, drifts, is noisy or away: no event that was not."""

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.shelf import MAX_AWAY
from edge.shelf_fit import Article
from tests.edge.shelf_rig import MS, ROADS, TRAIL, TRAILS, Shelf, grams, stocked


def test_a_leaning_hand_never_counts_since_it_is_never_stable() -> None:
    shelf = stocked()
    shelf.moving = True
    shelf.run(5000)
    shelf.moving = False
    shelf.run(5000)
    assert shelf.changes == []


def test_one_stable_word_in_a_swing_is_not_believed() -> None:
    shelf = stocked()
    shelf.moving = True
    shelf.run(100)
    shelf.fusion.weigh(900, shelf.now_ms * MS, stable=True)
    shelf.run(3000)
    assert shelf.changes == []


def test_a_dynamic_weight_is_never_used_however_steady_it_looks() -> None:
    shelf = stocked()
    for _ in range(40):
        shelf.now_ms += 100
        shelf.fusion.weigh(900, shelf.now_ms * MS, stable=False)
        shelf.changes += shelf.fusion.tick(shelf.now_ms * MS)
    assert shelf.changes == []
    assert shelf.fusion.moving


def test_slow_drift_is_followed_and_a_pick_still_fits() -> None:
    shelf = stocked(noise_g=5)
    for _ in range(120):
        shelf.on_pan_g += 0.3
        shelf.run(1000)
    assert shelf.changes == []
    shelf.readable.remove(TRAILS[3])
    shelf.on_pan_g -= 300
    shelf.run(3000)
    assert shelf.said() == [("pick", TRAILS[3], TRAIL.gtin, 1)]


def test_a_scale_that_was_away_accuses_nobody() -> None:
    shelf = stocked()
    shelf.fusion.forget_level()
    shelf.on_pan_g = 555
    shelf.run(5000)
    assert shelf.changes == []
    shelf.readable.remove(TRAILS[0])
    shelf.on_pan_g -= 300
    shelf.run(4000)
    assert shelf.said() == [("pick", TRAILS[0], TRAIL.gtin, 1)]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1 << 32), noise_g=st.floats(0, 5))
def test_noise_never_invents_an_event_nor_hides_one(seed: int, noise_g: float) -> None:
    shelf = Shelf(noise_g=noise_g, seed=seed)
    shelf.hold(*TRAILS, *ROADS)
    shelf.run(8000)
    assert shelf.changes == []
    epc = shelf.chance.choice([*TRAILS, *ROADS])
    shelf.readable.remove(epc)
    shelf.on_pan_g -= grams(epc)
    shelf.run(3000)
    assert [(each.kind, each.epc) for each in shelf.changes] == [("pick", epc)]
    shelf.readable.add(epc)
    shelf.on_pan_g += grams(epc)
    shelf.run(3000)
    assert [(each.kind, each.epc) for each in shelf.changes[1:]] == [("putback", epc)]


def test_a_year_of_sales_is_not_remembered() -> None:
    shelf = stocked()
    article = Article("0" * 14, 300.0, 15.0)
    for n in range(MAX_AWAY + 50):
        shelf.fusion._tagged(-300.0, [(n.to_bytes(12), article)], 1.0, 0)
    assert len(shelf.fusion._away) == MAX_AWAY
    shelf.fusion._tagged(300.0, [((MAX_AWAY + 49).to_bytes(12), article)], 1.0, 0)
    assert len(shelf.fusion._away) == MAX_AWAY - 1
