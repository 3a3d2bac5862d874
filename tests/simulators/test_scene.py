"""The store's story: one seed one story, cards never twice at once, weight follows the goods."""

from datetime import datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from simulators import truth
from simulators.scene import STEP_NS, Store
from simulators.scene_file import Scene, load_scene, load_zones
from simulators.scene_radio import mean_rssi_dbm
from tests.simulators.conftest import START_NS

DEMO = Path("simulators/demo_store")
SECOND_NS = 1_000_000_000


def tell(scene: Scene, zones, seconds: int, *, seed: int = 1, stride_ns: int = STEP_NS) -> list[truth.Fact]:
    facts: list[truth.Fact] = []
    store = Store(scene, zones, start_ns=START_NS, seed=seed, tell=facts.append)
    for now_ns in range(START_NS, START_NS + seconds * SECOND_NS + 1, stride_ns):
        store.advance(now_ns)
    return facts


def test_the_same_seed_tells_the_same_story_however_it_is_asked(scene, zones):
    facts = tell(scene, zones, 60)
    assert {type(fact) for fact in facts} >= {truth.Pick, truth.Putback, truth.Paid, truth.Restocked, truth.ShopperLeft}
    assert tell(scene, zones, 60, stride_ns=7 * STEP_NS)[: len(facts) - 5] == facts[:-5]
    assert tell(scene, zones, 60) == facts
    assert tell(scene, zones, 60, seed=2) != facts


def test_listening_does_not_change_the_story(scene, zones):
    facts: list[truth.Fact] = []
    store = Store(scene, zones, start_ns=START_NS, seed=1, tell=facts.append)
    field = store.antennas("r-shelf")[0]
    for now_ns in range(START_NS, START_NS + 30 * SECOND_NS + 1, STEP_NS):
        store.advance(now_ns)
        field.inventory(now_ns, 26.0)
    assert facts == tell(scene, zones, 30)


def test_a_card_is_never_in_the_store_twice_at_once_and_comes_round_again(scene, zones):
    inside: set[str] = set()
    visits = 0
    for fact in tell(scene, zones, 120):
        if isinstance(fact, truth.ShopperCame) and fact.card:
            assert fact.card not in inside
            inside.add(fact.card)
            visits += 1
        elif isinstance(fact, truth.ShopperLeft) and fact.card:
            inside.remove(fact.card)
    assert visits > 2


def test_a_card_rests_between_two_visits(scene, zones):
    resting = msgspec.structs.replace(scene, shoppers=msgspec.structs.replace(scene.shoppers, rest_s=20.0))
    left_at: dict[str, datetime] = {}
    rests: list[float] = []
    for fact in tell(resting, zones, 180):
        if isinstance(fact, truth.ShopperLeft) and fact.card:
            left_at[fact.card] = fact.at
        elif isinstance(fact, truth.ShopperCame) and fact.card in left_at:
            rests.append((fact.at - left_at[fact.card]).total_seconds())
    assert len(rests) >= 2
    assert min(rests) >= 20


def test_never_more_shoppers_than_the_scene_allows(scene, zones):
    store = Store(scene, zones, start_ns=START_NS, seed=3, tell=lambda _: None)
    most = 0
    for now_ns in range(START_NS, START_NS + 60 * SECOND_NS, STEP_NS):
        store.advance(now_ns)
        most = max(most, len(store.shoppers))
    assert most == scene.shoppers.most


def test_the_shelf_weighs_what_lies_on_it(scene, zones):
    facts: list[truth.Fact] = []
    store = Store(scene, zones, start_ns=START_NS, seed=1, tell=facts.append)
    cell, grams, told = store.load_cell("w-1"), 1200.0, 0
    for now_ns in range(START_NS, START_NS + 90 * SECOND_NS, STEP_NS):
        store.advance(now_ns)
        for fact in facts[told:]:
            if isinstance(fact, truth.Pick) and not isinstance(fact, truth.Putback):
                grams -= fact.grams
            elif isinstance(fact, truth.Putback | truth.Restocked):
                grams += fact.grams
        told = len(facts)
        assert cell.grams == pytest.approx(grams)
    assert any(isinstance(fact, truth.Restocked) for fact in facts)


def test_a_restocked_item_has_a_serial_of_its_own(scene, zones):
    epcs = [fact.epc for fact in tell(scene, zones, 90) if isinstance(fact, truth.Restocked)]
    assert epcs
    assert len(set(epcs) | {goods.epc for goods in scene.goods}) == len(epcs) + len(scene.goods)
    assert all(epc.startswith("3034257bf400cb00") for epc in epcs)


def test_the_demos_shelf_does_not_run_empty():
    """The clerk must get a turn between shoppers who take things faster than one comes by."""
    store = Store(load_scene(DEMO / "scene.toml"), load_zones(DEMO / "site.toml"),
                  start_ns=START_NS, seed=1, tell=lambda _: None)  # fmt: skip
    stock = []
    for now_ns in range(START_NS, START_NS + 900 * SECOND_NS, SECOND_NS):
        store.advance(now_ns)
        stock.append(len(store.shelves[0].goods))
    assert sum(count == 0 for count in stock) < 0.1 * len(stock)
    assert sum(stock[300:]) / len(stock[300:]) > 2


def test_a_picked_item_leaves_the_antenna_at_once(scene, zones):
    facts: list[truth.Fact] = []
    store = Store(scene, zones, start_ns=START_NS, seed=1, tell=facts.append)
    now_ns = START_NS
    while not any(isinstance(fact, truth.Pick) for fact in facts):
        now_ns += STEP_NS
        store.advance(now_ns)
    picked = next(fact.epc for fact in facts if isinstance(fact, truth.Pick))
    field = store.antennas("r-shelf")[0]
    heard = {answer.epc.hex() for _ in range(100) for answer in field.inventory(now_ns, 20.0).answers}
    assert picked not in heard
    assert heard >= {goods.epc for goods in scene.goods} - {picked}


def test_zones_are_entered_and_left_in_turn(scene, zones):
    where: dict[int, str | None] = {}
    for fact in tell(scene, zones, 60):
        if isinstance(fact, truth.ZoneEntered):
            assert where.get(fact.shopper) is None
            where[fact.shopper] = fact.zone
        elif isinstance(fact, truth.ZoneLeft):
            assert where[fact.shopper] == fact.zone
            where[fact.shopper] = None
        elif isinstance(fact, truth.ShopperLeft):
            assert where[fact.shopper] is None


def test_facts_are_told_in_order_of_time(scene, zones):
    assert all(first.at <= second.at for first, second in pairwise(tell(scene, zones, 60)))


def test_each_minute_of_the_demo_brings_twenty_entrances_of_consenting_members():
    scene, zones = load_scene(DEMO / "scene.toml"), load_zones(DEMO / "site.toml")
    consenting = {row.split(",")[0] for row in (DEMO / "members.csv").read_text().splitlines() if "recognise" in row}
    for seed in (1, 2, 3):
        minutes = [0, 0, 0]
        for fact in tell(scene, zones, 180, seed=seed):
            if isinstance(fact, truth.ZoneEntered) and fact.card in consenting:
                minutes[min(int((fact.at - truth.utc(START_NS)).total_seconds() // 60), 2)] += 1
        assert min(minutes) >= 20


def test_whoever_stands_at_a_goal_of_the_demo_is_heard_best_and_clearly_there():
    scene = load_scene(DEMO / "scene.toml")
    zones = {f"r-{zone.id}": zone for zone in load_zones(DEMO / "site.toml")}
    store = Store(scene, list(zones.values()), start_ns=START_NS, seed=1, tell=lambda _: None)
    powers = {"r-door": 26.0, "r-exit": 24.0}
    heard = 0
    for now_ns in range(START_NS, START_NS + 120 * SECOND_NS, 10 * STEP_NS):
        store.advance(now_ns)
        standing = {shopper.at for shopper in store.shoppers if shopper.doing is not None}
        for spot in [spot for spot in store.spots if spot.tag_class == "card" and spot.at in standing]:
            means = {r.id: mean_rssi_dbm(scene.radio, r, spot, powers.get(r.id, 20.0)) for r in scene.readers}
            best = max(means, key=lambda reader: means[reader])
            assert zones[best].holds(*spot.at)
            assert means[best] > -69
            assert means[best] > sorted(means.values())[-2] + 6
            heard += 1
    assert heard > 100


def test_the_truth_is_lines_of_json_for_the_owner_only(tmp_path):
    path = tmp_path / "truth.jsonl"
    path.write_text("left by an earlier run")
    path.chmod(0o644)
    with truth.TruthFile(path) as file:
        file.tell(truth.ShopperCame(at=truth.utc(START_NS), shopper=1, card=None))
        assert path.read_bytes().endswith(b"\n")  # there before the end, too
    assert path.stat().st_mode & 0o777 == 0o600
    assert msgspec.json.decode(path.read_bytes()) == {
        "kind": "shopper-came", "at": "2023-11-14T22:13:20Z", "shopper": 1, "card": None,
    }  # fmt: skip
