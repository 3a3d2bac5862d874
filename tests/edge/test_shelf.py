"""Shelf fusion, scenario by scenario: what a tag and a scale say together, and what neither says alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge.shelf_fit
from edge.presence_model import PresentTag
from edge.shelf import MAX_AWAY, ShelfChange, ShelfFusion
from edge.shelf_fit import Article, fit_articles, fit_tags, fit_tags_and_more, is_ambiguous, weighs
from edge.shelf_watch import gtin_of
from readers.epc import encode, parse

TRAIL = Article("00614141008124", 300, 15)
ROAD = Article("00614141008131", 240, 15)
TRAILS = [bytes.fromhex(f"3034257bf400cb00000000{n:02d}") for n in range(1, 5)]
ROADS = [bytes.fromhex(f"3034257bf400cb40000000{n:02d}") for n in range(1, 5)]
MS = 1_000_000
READ_EVERY_MS, WEIGH_EVERY_MS, LOOK_EVERY_MS = 80, 100, 100


@dataclass
class Shelf:
    """A shelf acted out in time: tags are read, the pan is weighed, the fusion looks."""

    noise_g: float = 0.0
    seed: int = 1
    on_pan_g: float = 0.0
    now_ms: int = 0
    readable: set[bytes] = field(default_factory=set)
    changes: list[ShelfChange] = field(default_factory=list)
    tags: dict[bytes, PresentTag] = field(default_factory=dict)
    moving: bool = False

    def __post_init__(self) -> None:
        self.fusion = ShelfFusion([TRAIL, ROAD], gtin_of)
        self.chance = Random(self.seed)

    def hold(self, *epcs: bytes) -> None:
        """Put things there before anybody looks."""
        for epc in epcs:
            self.readable.add(epc)
            self.on_pan_g += grams(epc)
        self.run(3000)
        assert self.changes == []

    def run(self, ms: int) -> "Shelf":
        for _ in range(0, ms, 20):
            self.now_ms += 20
            if self.now_ms % READ_EVERY_MS == 0:
                for epc in self.readable:
                    self._read(epc)
            if self.now_ms % WEIGH_EVERY_MS == 0:
                noise = self.chance.uniform(-self.noise_g, self.noise_g)
                wild = self.chance.uniform(-200, 200) if self.moving else 0.0
                self.fusion.weigh(self.on_pan_g + noise + wild, self.now_ms * MS, stable=not self.moving)
            if self.now_ms % LOOK_EVERY_MS == 40:
                self.fusion.see(list(self.tags.values()), self.now_ms * MS)
                self.changes += self.fusion.tick(self.now_ms * MS)
        return self

    def _read(self, epc: bytes) -> None:
        before = self.tags.get(epc)
        if before is None:
            self.tags[epc] = PresentTag(epc, self.now_ms * MS, 1, self.now_ms * MS, None)
        else:
            arrived_ns, reads = before.arrived_ns, before.reads + 1
            self.tags[epc] = PresentTag(epc, self.now_ms * MS, reads, arrived_ns, READ_EVERY_MS * MS)

    def said(self) -> list[tuple[object, ...]]:
        return [(each.kind, each.epc, each.gtin, each.quantity) for each in self.changes]


def grams(epc: bytes) -> float:
    return TRAIL.unit_g if epc in TRAILS else ROAD.unit_g


def stocked(**how: object) -> Shelf:
    shelf = Shelf(**how)  # type: ignore[arg-type]
    shelf.hold(*TRAILS)
    return shelf


def test_tag_gone_and_weight_down_is_a_sure_pick_within_two_seconds() -> None:
    shelf = stocked()
    shelf.readable.remove(TRAILS[0])
    last_read_ms = shelf.tags[TRAILS[0]].last_read_ns // MS
    shelf.run(1000)
    shelf.moving = True
    shelf.run(500)
    shelf.moving, shelf.on_pan_g = False, 900
    shelf.run(4000)
    assert shelf.said() == [("pick", TRAILS[0], TRAIL.gtin, 1)]
    pick = shelf.changes[0]
    assert pick.confidence >= 0.95
    assert pick.delta_g == pytest.approx(-300, abs=15)
    assert pick.detected_at_ns // MS - last_read_ms <= 2000


def test_weight_first_and_tag_after_is_the_same_pick() -> None:
    shelf = stocked()
    shelf.on_pan_g -= 300
    shelf.run(600)
    shelf.readable.remove(TRAILS[2])
    shelf.run(2500)
    assert shelf.said() == [("pick", TRAILS[2], TRAIL.gtin, 1)]
    assert shelf.changes[0].confidence >= 0.95


def test_only_the_weight_falls_is_a_pick_of_an_article_item_unknown() -> None:
    shelf = stocked()
    shelf.on_pan_g -= 300
    shelf.run(4000)
    assert shelf.said() == [("pick", None, TRAIL.gtin, 1)]
    assert shelf.changes[0].confidence < 0.8


def test_a_hand_before_the_tag_is_no_event() -> None:
    shelf = stocked()
    shelf.readable.remove(TRAILS[0])
    shelf.run(3000)
    shelf.readable.add(TRAILS[0])
    shelf.run(4000)
    assert shelf.changes == []


def test_a_tag_that_is_back_with_its_weight_is_a_putback() -> None:
    shelf = stocked()
    shelf.readable.remove(TRAILS[0])
    shelf.on_pan_g -= 300
    shelf.run(5000)
    shelf.readable.add(TRAILS[0])
    shelf.on_pan_g += 300
    shelf.run(4000)
    assert shelf.said() == [("pick", TRAILS[0], TRAIL.gtin, 1), ("putback", TRAILS[0], TRAIL.gtin, 1)]
    assert shelf.changes[1].confidence >= 0.95


def test_a_foreign_thing_of_an_articles_weight_is_an_anomaly() -> None:
    shelf = stocked()
    shelf.on_pan_g += 300
    shelf.run(4000)
    assert shelf.said() == [("anomaly", None, None, 0)]
    assert shelf.changes[0].delta_g == pytest.approx(300)


def test_a_loss_no_article_explains_is_an_anomaly() -> None:
    shelf = stocked()
    shelf.on_pan_g -= 100
    shelf.run(4000)
    assert [each.kind for each in shelf.changes] == ["anomaly"]


def test_two_articles_are_told_apart_by_weight_alone() -> None:
    shelf = Shelf()
    shelf.hold(*TRAILS, *ROADS)
    shelf.on_pan_g -= 240
    shelf.run(4000)
    shelf.on_pan_g -= 300
    shelf.run(4000)
    assert [each.gtin for each in shelf.changes] == [ROAD.gtin, TRAIL.gtin]


def test_a_tag_whose_weight_does_not_fit_is_not_blamed() -> None:
    shelf = Shelf()
    shelf.hold(*TRAILS, *ROADS)
    shelf.readable.remove(TRAILS[0])  # behind a hand that takes a road runner whose tag cannot be read
    shelf.readable.remove(ROADS[0])
    shelf.on_pan_g -= 240
    shelf.run(4000)
    assert shelf.said() == [("pick", ROADS[0], ROAD.gtin, 1)]


def test_several_things_at_once_are_each_named() -> None:
    shelf = Shelf()
    shelf.hold(*TRAILS, *ROADS)
    shelf.readable -= {TRAILS[0], ROADS[1]}
    shelf.on_pan_g -= 540
    shelf.run(4000)
    assert sorted(shelf.said()) == [("pick", TRAILS[0], TRAIL.gtin, 1), ("pick", ROADS[1], ROAD.gtin, 1)]
    assert sum(each.delta_g for each in shelf.changes) == pytest.approx(-540)


def test_two_of_one_article_without_tags_are_one_pick_of_two() -> None:
    shelf = stocked()
    shelf.on_pan_g -= 600
    shelf.run(4000)
    assert shelf.said() == [("pick", None, TRAIL.gtin, 2)]


def test_one_named_and_one_not_share_the_weight() -> None:
    shelf = Shelf()
    shelf.hold(*TRAILS, *ROADS)
    shelf.readable.remove(TRAILS[0])
    shelf.on_pan_g -= 540
    shelf.run(4000)
    assert shelf.said() == [("pick", TRAILS[0], TRAIL.gtin, 1), ("pick", None, ROAD.gtin, 1)]
    assert [round(each.delta_g) for each in shelf.changes] == [-300, -240]


def test_two_silent_tags_of_one_article_and_one_weight_name_neither() -> None:
    shelf = stocked()
    shelf.readable -= {TRAILS[0], TRAILS[1]}
    shelf.on_pan_g -= 300
    shelf.run(4000)
    assert shelf.said() == [("pick", None, TRAIL.gtin, 1)]
    assert shelf.changes[0].confidence < 0.8


def test_a_shielded_neighbour_that_speaks_again_in_time_leaves_no_doubt() -> None:
    shelf = stocked()
    shelf.readable -= {TRAILS[0], TRAILS[1]}
    shelf.on_pan_g -= 300
    shelf.run(1000)
    shelf.readable.add(TRAILS[1])
    shelf.run(3000)
    assert shelf.said() == [("pick", TRAILS[0], TRAIL.gtin, 1)]


def test_what_was_taken_without_a_tags_word_may_come_back_without_it() -> None:
    shelf = stocked()
    shelf.on_pan_g -= 300
    shelf.run(4000)
    shelf.on_pan_g += 300
    shelf.run(4000)
    assert [(each.kind, each.gtin) for each in shelf.changes] == [("pick", TRAIL.gtin), ("putback", TRAIL.gtin)]
    assert shelf.changes[1].confidence < 0.8


def test_a_thing_from_elsewhere_laid_down_with_its_tag_is_a_putback() -> None:
    shelf = stocked()
    shelf.readable.add(ROADS[0])
    shelf.run(300)
    shelf.on_pan_g += 240
    shelf.run(4000)
    assert shelf.said() == [("putback", ROADS[0], ROAD.gtin, 1)]


def test_taken_and_returned_before_anyone_could_say_is_nothing() -> None:
    shelf = stocked()
    shelf.on_pan_g -= 300
    shelf.run(800)
    shelf.on_pan_g += 300
    shelf.run(5000)
    assert shelf.changes == []


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


def test_a_tag_is_not_blamed_twice() -> None:
    shelf = stocked()
    shelf.readable.remove(TRAILS[0])
    shelf.on_pan_g -= 300
    shelf.run(1000)
    shelf.on_pan_g -= 300  # another hand, and its tag is still read
    shelf.run(4000)
    assert shelf.said() == [("pick", TRAILS[0], TRAIL.gtin, 1), ("pick", None, TRAIL.gtin, 1)]


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


def test_items_counts_tags_that_are_read_and_not_carried_off() -> None:
    shelf = stocked()
    assert shelf.fusion.items(shelf.now_ms * MS) == 4
    shelf.readable.remove(TRAILS[0])
    shelf.on_pan_g -= 300
    shelf.run(3000)
    shelf.readable.add(TRAILS[0])  # carried past the shelf
    shelf.run(2000)
    assert shelf.fusion.items(shelf.now_ms * MS) == 3
    shelf.run(70_000)  # and left lying beside it
    assert shelf.fusion.items(shelf.now_ms * MS) == 4


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("urn:epc:tag:sgtin-96:1.0614141.000812.7", None),
        ("urn:epc:tag:sgtin-198:1.0614141.000812.A7", None),
        (f"(01){TRAIL.gtin}(21)A7", "sgtin+"),
        (f"(01){TRAIL.gtin}(21)A7(17)271231", None),
    ],
)
def test_an_article_is_the_same_whichever_scheme_its_tags_are_written_in(text: str, scheme: str | None) -> None:
    assert gtin_of(encode(parse(text, scheme))) == TRAIL.gtin


@pytest.mark.parametrize(
    "epc", ["2d14257bf52cb6916d000000", "4076451fd40c0e40820000000f54", "e28011700000020f1234abcd", ""]
)
def test_what_is_no_trade_item_is_no_article(epc: str) -> None:
    """A piece of an item is none either: several pieces make one (ITIP)."""
    assert gtin_of(bytes.fromhex(epc)) is None


def test_goods_the_shelf_does_not_list_are_no_suspects() -> None:
    shelf = stocked()
    shelf.readable.add(bytes.fromhex("3034257bf400da0000000001"))
    shelf.readable.add(b"\x01" * 12)
    shelf.run(1000)
    assert shelf.fusion.items(shelf.now_ms * MS) == 4


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
