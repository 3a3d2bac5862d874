"""The agent's configuration: what is right comes out whole, what is wrong is one clear line."""

import re
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from broker_config.errors import ConfigError
from broker_config.identity import make_credential, write_credential
from edge.config import load_config
from edge.presence_config import make_layout, make_settings
from edge.presence_model import PresenceSettings
from tests.edge.config_rig import edit


def test_the_demos_file_comes_out_whole(edge_folder: Path) -> None:
    config = load_config(edge_folder / "edge.toml")
    assert config.data == edge_folder / "edge"
    assert [reader.id for reader in config.readers] == ["r-door", "r-shoes", "r-fitting", "r-till", "r-desk", "r-exit"]
    assert config.readers[0].port == edge_folder / "sim" / "r-door"
    assert config.readers[0].settings == {"region": "us", "power_dbm": 26.0}
    assert (config.scales[0].zone, config.actuators[0].zone) == ("shoes", "shoes")
    assert config.actuators[0].settings == {"channel": 1, "safe": "off"}
    layout = make_layout(config)
    assert [layout.zones[antenna.zone].id for antenna in layout.antennas] == [
        reader.antennas[0].zone for reader in config.readers
    ]


def test_an_absolute_port_stays_as_it_is(edge_folder: Path) -> None:
    path = edit(edge_folder, '"sim/r-door"', '"/dev/serial/by-id/usb-1"')
    assert load_config(path).readers[0].port == Path("/dev/serial/by-id/usb-1")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('agent = "gw-1"', 'agnet = "gw-1"', "agnet"),
        (
            'zone = "shoes", floor',
            'zone = "shoes", side = "inside", floor',
            "r-shoes.*side belongs to.*'shoes' is a shelf",
        ),
        ('zone = "door", floor', 'zone = "door", side = "left", floor', "r-door.*side"),
        ("[broker]", "[snapshot]\nevery_s = 0\n[broker]", "every_s"),
        ("[broker]", "[snapshot]\nkeep_s = 3\n[broker]", "keep_s"),
        ("[broker]", "[outbox]\nquota_mb = 0\n[broker]", "quota_mb"),
        ("[broker]", "[outbox]\ngoods_percent = 101\n[broker]", "goods_percent"),
        ("[broker]", "[outbox]\nalarm_percent = 0\n[broker]", "alarm_percent"),
        ("[broker]", "[outbox]\nhealth_share = 0.1\n[broker]", "health_share"),
        ('agent = "gw-1"', 'agent = "GW 1"', "agent"),
        ("power_dbm = 26.0", "power = 26.0", "r-door.*power"),
        ("power_dbm = 26.0", 'power_dbm = "much"', "r-door.*power_dbm"),
        ('type = "magicrf-m100"', 'type = "magic"', "r-door.*unknown reader type 'magic'; known: .*magicrf-m100"),
        ('type = "magicrf-m100"\n', "", "r-door.*type"),
        ('type = "magicrf-m100"', 'type = "mt-sics"', "r-door"),
        ('type = "lcus-relay"', 'type = "lamp"', "lamp-s1.*lcus-relay"),
        ('zone = "door"', 'zone = "roof"', "r-door.*'roof'.*does not define"),
        ('shelf = "s1"', 'shelf = "s9"', "w-s1.*'s9'.*does not define"),
        ('id = "lamp-s1"', 'id = "lamp-s9"', "'lamp-s9'.*does not define"),
        ('id = "r-shoes"', 'id = "r-door"', "'r-door' is used twice"),
        ('id = "w-s1"', 'id = "r-door"', "'r-door' is used twice"),
        ('"sim/r-shoes"', '"sim/r-door"', "sim/r-door is given to two devices"),
        ('"sim/w-s1"', '"sim/../sim/r-door"', "sim/r-door is given to two devices"),
        ("number = 1, zone", "number = 0, zone", "r-door.*number"),
        ('antennas = [{ number = 1, zone = "door", floor_dbm = -72 }]', "antennas = []", "r-door.*antenna"),
        ('gtin = "00614141008131"', 'gtin = "00614141008124"', "w-s1.*twice"),
        ('gtin = "00614141008131"', 'gtin = "614141008131"', "w-s1.*gtin"),
        ('gtin = "00614141008131"', 'gtin = "00614141008132"', "w-s1.*check digit of 00614141008132 should be 1"),
        ("unit_g = 300", "unit_g = inf", "w-s1.*unit_g"),
        ('server = "http', 'server = "gopher', "server 'gopher.*is no address"),
        ('server = "http://127.0.0.1:2"', 'server = "http://127.0.0.1:99999"', "is no address"),
        ('server = "http://127.0.0.1:2"', 'server = "http://[::1"', "is no address"),
        ('server = "http://127.0.0.1:2"', 'server = "http://a..b"', "is no address"),
        ('host = "127.0.0.1"', 'host = ""', r"\[broker\] host '' is no name"),
        ('host = "127.0.0.1"', 'host = "a..b"', r"\[broker\] host 'a\.\.b' is no name"),
        ("floor_dbm = -72", "floor_dbm = -inf", "r-door.*floor_dbm"),
        ("floor_dbm = -72", "floor_dbm = nan", "r-door.*floor_dbm"),
        ("[broker]", "[broker", "edge.toml"),
        ("port = 1", "port = 70000", "port"),
        ('site = "site.toml"', 'site = "no.toml"', "no.toml: no such file"),
        ('"identity/agent-gw-1.toml"', '"identity/agent-gw-7.toml"', "agent-gw-7.toml: no such file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(edge_folder: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(edit(edge_folder, old, new))
    assert "\n" not in str(error.value)
    assert re.search(words, str(error.value)), str(error.value)


def test_a_zone_of_another_agent_is_refused(edge_folder: Path) -> None:
    site = edge_folder / "site.toml"
    site.write_text(site.read_text().replace('agent = "gw-1"', 'agent = "gw-2"', 1))
    with pytest.raises(ConfigError, match=r"'door'.*gives to agent 'gw-2', not 'gw-1'"):
        load_config(edge_folder / "edge.toml")


def test_a_secret_that_others_can_read_is_refused(edge_folder: Path) -> None:
    secret = edge_folder / "identity" / "agent-gw-1.toml"
    secret.chmod(secret.stat().st_mode | stat.S_IROTH)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_config(edge_folder / "edge.toml")


def test_the_secret_of_somebody_else_is_refused(edge_folder: Path) -> None:
    write_credential(edge_folder / "identity", make_credential("display", "d-door"))
    path = edit(edge_folder, "agent-gw-1.toml", "display-d-door.toml")
    with pytest.raises(ConfigError, match=r"display-d-door.*needs that of agent 'gw-1'"):
        load_config(path)


def test_a_secret_without_a_command_key_says_where_to_get_one(edge_folder: Path) -> None:
    write_credential(edge_folder / "identity", replace(make_credential("agent", "gw-1"), command_key=None))
    with pytest.raises(ConfigError, match=r"lacks command_key.*start the broker once.*copy that file here"):
        load_config(edge_folder / "edge.toml")


def with_presence(folder: Path, text: str) -> Path:
    path = folder / "edge.toml"
    path.write_text(path.read_text() + text)
    return path


def test_presence_settings_override_defaults_at_any_depth(edge_folder: Path) -> None:
    text = """
    [presence]
    garment_prefixes = ["3034AB"]
    [presence.till]
    person_departs_s = 5
    [presence.fitting-room.person]
    threshold_db = 3.5
    """
    settings = make_settings(load_config(with_presence(edge_folder, text)))
    assert settings.garment_prefixes == (b"\x30\x34\xab",)
    assert (settings.till.person_departs_s, settings.till.creates_items) == (5.0, False)
    assert (settings.fitting_room.person.threshold_db, settings.fitting_room.person.holdoff_ms) == (3.5, 500)
    assert settings.door == PresenceSettings().door


def test_a_person_is_forgotten_when_the_sites_visit_gap_is_over(edge_folder: Path) -> None:
    config = load_config(edge_folder / "edge.toml")
    assert make_settings(config).person_forgotten_s == config.site.visit_gap_s


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[presence]\nnonsense = 1", "has no key 'nonsense'"),
        ("[presence.door]\nconfirm = 1", r"\[presence.door\] has no key 'confirm'"),
        ('[presence.door]\nconfirm_reads = "two"', "confirm_reads"),
        ("[presence]\ndoor = 3", "door is a table"),
        ('[presence]\ngarment_prefixes = ["xy"]', "hex"),
        ("[presence]\ngarment_prefixes = 12", "hex"),
        ("[presence]\ngarment_prefixes = [12]", "hex"),
    ],
)
def test_wrong_presence_settings_name_the_key(edge_folder: Path, text: str, words: str) -> None:
    config = load_config(with_presence(edge_folder, "\n" + text))
    with pytest.raises(ConfigError, match=words):
        make_settings(config)


def test_the_sides_of_a_door_come_into_the_layout(edge_folder: Path) -> None:
    one = '{ number = 1, zone = "door", floor_dbm = -72 }'
    two = '{ number = 1, zone = "door", side = "outside" }, { number = 2, zone = "door", side = "inside" }'
    edit(edge_folder, one, two)
    edit(edge_folder, 'type = "magicrf-m100"', 'type = "uhfreader288"\nactive_antennas = [1, 2]')
    layout = make_layout(load_config(edit(edge_folder, "power_dbm = 26.0", "power_dbm = 26")))
    assert [antenna.side for antenna in layout.antennas[:3]] == ["outside", "inside", ""]


def test_every_presence_setting_can_be_given_in_the_file(edge_folder: Path) -> None:
    given = "[presence]\nlate_limit_s = 60\n[presence.fitting-room]\ndwell_s = 45.5\n[presence.till]\nsold_after_s = 3600\n[broker]"
    settings = make_settings(load_config(edit(edge_folder, "[broker]", given)))
    assert (settings.late_limit_s, settings.fitting_room.dwell_s, settings.till.sold_after_s) == (60.0, 45.5, 3600.0)
    assert (settings.floor.dwell_s, settings.door.dwell_s) == (20.0, 0.0)


def test_a_snapshot_is_taken_every_few_seconds_unless_the_file_says_otherwise(edge_folder: Path) -> None:
    assert load_config(edge_folder / "edge.toml").snapshot.every_s == 5.0
    path = edit(edge_folder, "[broker]", "[snapshot]\nevery_s = 60\nmax_age_s = 3600\n[broker]")
    assert load_config(path).snapshot.max_age_s == 3600
