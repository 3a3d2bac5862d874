"""The scene file: the demo's is sound, and each mistake is one line that names it."""

from pathlib import Path

import pytest

from simulators.errors import SimulatorError
from simulators.scene_file import SiteZone, load_scene, load_zones

DEMO = Path("simulators/demo_store")


@pytest.fixture
def demo_text() -> str:
    return (DEMO / "scene.toml").read_text()


def test_the_demo_scene_is_sound():
    scene = load_scene(DEMO / "scene.toml")
    assert scene.device_ids == (
        "r-door", "r-shoes", "r-fitting", "r-till", "r-desk", "r-exit", "w-s1", "lamp-s1",
    )  # fmt: skip
    assert {zone.id for zone in load_zones(DEMO / "site.toml")} >= {"door", "shoes", "exit"}


@pytest.mark.parametrize(
    ("good", "bad", "names"),
    [
        ("fading_db", "fadingdb", "fadingdb"),
        ('type = "mt-sics"', 'type = "bathroom"', "bathroom"),
        ('id = "r-door"', 'id = "r-shoes"', "r-shoes"),
        ('shelf = "s1"\nnoise', 'shelf = "s9"\nnoise', "s9"),
        ("3034257bf400cb0000000002", "3034257bf400cb0000000001", "3034257bf400cb0000000001"),
        ("[radio]", "[radio", "line 4"),
        ("[shoppers]", "[faults.r-nowhere]\n[shoppers]", "r-nowhere"),
        ("miss_rate = 0.05", "miss_rate = 5", "miss_rate"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path, demo_text, good, bad, names):
    assert good in demo_text
    path = tmp_path / "scene.toml"
    path.write_text(demo_text.replace(good, bad, 1))
    with pytest.raises(SimulatorError) as refused:
        load_scene(path)
    assert names in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_says_where_an_example_is(tmp_path):
    with pytest.raises(SimulatorError, match="demo_store"):
        load_scene(tmp_path / "none.toml")


def test_a_zone_holds_its_left_edge_and_leaves_the_right_one_to_its_neighbour():
    zone = SiteZone("z", (1.0, 1.0, 2.0, 2.0))
    assert zone.holds(1.0, 1.0)
    assert zone.holds(2.9, 2.9)
    assert not zone.holds(3.0, 2.0)
    assert not zone.holds(2.0, 3.0)
