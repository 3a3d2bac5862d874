"""Shelf fusion, scenario by scenario: what a tag and a scale say together, and what neither says alone."""

import pytest

from edge.shelf_watch import gtin_of
from readers.epc import encode, parse
from tests.edge.shelf_rig import MS, ROAD, ROADS, TRAIL, TRAILS, Shelf, stocked


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


def test_a_tag_is_not_blamed_twice() -> None:
    shelf = stocked()
    shelf.readable.remove(TRAILS[0])
    shelf.on_pan_g -= 300
    shelf.run(1000)
    shelf.on_pan_g -= 300  # another hand, and its tag is still read
    shelf.run(4000)
    assert shelf.said() == [("pick", TRAILS[0], TRAIL.gtin, 1), ("pick", None, TRAIL.gtin, 1)]


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
