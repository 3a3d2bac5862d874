"""A third party's package, installed as pip installs it, adds a device by name; nothing of ours knows it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from readers import registry
from readers.errors import SettingsError, UnknownDevice
from tests.readers.peers import Peer

PLUGIN = Path(__file__).parent.parent / "data" / "plugin"
CARD = b"!" + bytes((0x00, 0x7B, 0x39, 0x72)) + bytes([0x26])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package in it, built and installed without the network."""
    source = shutil.copytree(PLUGIN, tmp_path_factory.mktemp("plugin") / "source")
    target = tmp_path_factory.mktemp("site")
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return target


async def test_a_device_of_another_package_is_used_by_its_name(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownDevice):
        registry.check_reader("acme-coil", {})
    monkeypatch.syspath_prepend(installed)
    registry.check_reader("acme-coil", {})
    with pytest.raises(SettingsError, match="unknown field `speed`"):
        registry.check_reader("acme-coil", {"speed": 1})
    with pytest.raises(UnknownDevice, match=r"known: .*acme-coil"):
        registry.check_reader("acme", {})
    with pytest.raises(UnknownDevice, match="is no scale"):
        registry.check_scale("acme-coil", {})
    async with (
        Peer() as peer,
        registry.open_reader("acme-coil", "r-desk", peer.path, {}, lambda: 7) as reader,
    ):
        peer.say(CARD[:3])
        peer.say(CARD[3:] + b"!noise")
        async for read in reader.reads():
            assert (read.epc.hex(), read.reader_id, read.read_at_ns) == ("45007b3972", "r-desk", 7)
            break
