"""The stanzas of single devices: sensors, printers, readers with several antennas."""

import re
from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from edge.config import load_config
from tests.edge.config_rig import edit

SENSOR = """
[[sensors]]
id = "p-desk"
type = "tfmini"
port = "sim/p-desk"
zone = "desk"
occupied_within_cm = 120
"""


def with_sensor(folder: Path, old: str = "", new: str = "") -> Path:
    path = folder / "edge.toml"
    path.write_text(path.read_text() + SENSOR.replace(old, new, 1))
    return path


def test_a_presence_sensor_comes_out_with_its_zone_and_its_drivers_keys(edge_folder: Path) -> None:
    (sensor,) = load_config(with_sensor(edge_folder)).sensors
    assert (sensor.id, sensor.type, sensor.zone, sensor.port) == (
        "p-desk",
        "tfmini",
        "desk",
        edge_folder / "sim" / "p-desk",
    )
    assert sensor.settings == {"occupied_within_cm": 120}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('zone = "desk"', 'zone = "roof"', "sensor 'p-desk' names zone 'roof'.*does not define"),
        ("occupied_within_cm = 120", "", "p-desk.*occupied_within_cm"),
        ("occupied_within_cm = 120", "occupied_within_cm = 5000", "p-desk.*occupied_within_cm"),
        ('"tfmini"', '"mt-sics"', "p-desk.*unknown sensor type 'mt-sics'; known: hlk-ld2410, tfmini"),
        ('"tfmini"', '"hlk-ld2410"', "p-desk.*occupied_within_cm"),
        ('id = "p-desk"', 'id = "r-door"', "'r-door' is used twice"),
        ('"sim/p-desk"', '"sim/w-s1"', "sim/w-s1 is given to two devices"),
    ],
)
def test_what_is_wrong_about_a_sensor_is_said(edge_folder: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(with_sensor(edge_folder, old, new))
    assert re.search(words, str(error.value)), str(error.value)


PRINTER = """
[[printers]]
id = "label-till"
type = "escpos-label"
port = "sim/label-till"
columns = 32
"""


def with_printer(folder: Path, old: str = "", new: str = "") -> Path:
    path = folder / "edge.toml"
    path.write_text(path.read_text() + PRINTER.replace(old, new, 1))
    return path


def test_a_printer_comes_out_with_its_drivers_keys(edge_folder: Path) -> None:
    (printer,) = load_config(with_printer(edge_folder)).printers
    assert (printer.id, printer.type, printer.port) == ("label-till", "escpos-label", edge_folder / "sim/label-till")
    assert printer.settings == {"columns": 32}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("columns = 32", "columns = 5", "label-till: columns: "),
        ('"escpos-label"', '"lcus-relay"', "label-till: unknown printer type 'lcus-relay'; known: escpos-label"),
        ('id = "label-till"', 'id = "r-door"', "'r-door' is used twice"),
        ('"sim/label-till"', '"sim/w-s1"', "sim/w-s1 is given to two devices"),
    ],
)
def test_what_is_wrong_about_a_printer_is_said(edge_folder: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(with_printer(edge_folder, old, new))
    assert re.search(words, str(error.value)), str(error.value)


R2000 = """
[[readers]]
id = "r-gate"
type = "r2000-a0"
port = "sim/r-gate"
region = "us"
power_dbm = 27
active_antennas = [1, 2]
antennas = [{ number = 1, zone = "desk" }, { number = 2, zone = "desk" }]
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[1, 2]", "[1, 2, 3]", "reader 'r-gate': it reads with antenna 3, to which `antennas` gives no zone"),
        (
            "active_antennas = [1, 2]",
            "",
            "reader 'r-gate': `antennas` has 2, with which it does not read: it reads with 1",
        ),
        ("[1, 2]", "[2]", "reader 'r-gate': `antennas` has 1, with which it does not read: it reads with 2"),
    ],
)
def test_an_antenna_that_reads_without_a_zone_or_has_one_and_does_not_read_is_refused(
    edge_folder: Path, old: str, new: str, words: str
) -> None:
    path = edge_folder / "edge.toml"
    path.write_text(path.read_text() + R2000.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert words in str(error.value)


def test_several_antennas_each_with_its_zone_are_accepted(edge_folder: Path) -> None:
    path = edge_folder / "edge.toml"
    path.write_text(path.read_text() + R2000)
    assert [antenna.number for antenna in load_config(path).readers[-1].antennas] == [1, 2]


def test_a_reader_with_one_antenna_has_no_second(edge_folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"r-door.*it reads with antenna 1, to which `antennas` gives"):
        load_config(edit(edge_folder, "number = 1", "number = 2"))
