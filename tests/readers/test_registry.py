import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from readers import plugins, registry
from readers.errors import SettingsError, UnknownDevice
from readers.settings import DeviceSettings
from tests.readers.fake_m100 import TAG, FakeM100
from tests.readers.peers import Peer

STANZA = {"region": "us", "power_dbm": 26.0}


async def test_a_reader_is_opened_by_name():
    module = FakeM100(lambda _: [TAG])
    async with (
        Peer(module.script) as peer,
        registry.open_reader("magicrf-m100", "r-1", peer.path, STANZA, lambda: 5) as reader,
    ):
        async for read in reader.reads():
            assert (read.reader_id, read.antenna, read.read_at_ns) == ("r-1", 1, 5)
            break


@pytest.mark.parametrize(
    ("stanza", "message"),
    [
        ({"power_dbm": 20}, "region"),
        ({**STANZA, "region": "mars"}, "region 'mars' is none of china_900, us, europe"),
        ({**STANZA, "power_dbm": 90}, r"^power_dbm: .*<= 33"),
        ({**STANZA, "power_dbm": "high"}, r"^power_dbm: Expected `float`, got `str`"),
        ({**STANZA, "powr": 1}, "unknown field `powr`.*power_dbm"),
        ({**STANZA, "hopping": False}, "`channel` goes with"),
        ({**STANZA, "baud": 1}, "^baud: "),
    ],
)
def test_a_wrong_setting_is_named_before_anything_opens(stanza, message):
    with pytest.raises(SettingsError, match=message):
        registry.check_reader("magicrf-m100", stanza)


def test_an_unknown_type_lists_those_there_are():
    with pytest.raises(UnknownDevice, match=r"unknown reader type 'nope'; known: .*magicrf-m100"):
        registry.check_reader("nope", {})
    with pytest.raises(UnknownDevice, match=r"unknown scale type 'magicrf-m100'; known: .*mt-sics"):
        registry.check_scale("magicrf-m100", STANZA)


def test_the_settings_of_a_type_are_known_by_name():
    assert registry.settings_for("mt-sics").__struct_fields__ == ("baud", "line")
    assert "region" in registry.settings_for("magicrf-m100").__struct_fields__


def test_a_driver_is_imported_only_when_chosen():
    import subprocess

    loaded = subprocess.run(
        [sys.executable, "-c", "import readers.registry, sys; print('readers.mt_sics.reader' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "False"


class PluginSettings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    baud: int = 1200
    colour: str = "red"


class PluginReader:
    settings_type = PluginSettings

    def reads(self): ...


@pytest.fixture
def plugin(monkeypatch):
    points = EntryPoints([EntryPoint("third-party", f"{__name__}:PluginReader", registry.GROUP)])
    monkeypatch.setattr(plugins, "entry_points", lambda **wanted: points.select(**wanted))
    monkeypatch.setitem(sys.modules, __name__, sys.modules[PluginReader.__module__])


@pytest.mark.usefixtures("plugin")
def test_a_third_party_driver_is_found_by_its_entry_point():
    assert registry.settings_for("third-party") is PluginSettings
    registry.check_reader("third-party", {"colour": "blue"})
    with pytest.raises(SettingsError, match="colour"):
        registry.check_reader("third-party", {"colour": 1})


@pytest.mark.usefixtures("plugin")
def test_a_third_party_reader_is_no_scale():
    with pytest.raises(UnknownDevice, match="is no scale"):
        registry.check_scale("third-party", {})


@pytest.mark.usefixtures("plugin")
def test_third_party_names_are_listed_too():
    with pytest.raises(UnknownDevice, match=r"known: .*magicrf-m100, .*third-party"):
        registry.check_reader("nope", {})
