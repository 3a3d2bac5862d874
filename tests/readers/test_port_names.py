"""Which name of a port lasts, on a copy of what udev and sysfs would show."""

import os
from pathlib import Path

import pytest

from readers.port_names import lasting_name


class Bench:
    """A `/dev` and a `/sys` with USB serial ports plugged in."""

    def __init__(self, root: Path) -> None:
        self.dev, self.sys = root / "dev", root / "sys"
        self.by_id, self.by_path = self.dev / "serial" / "by-id", self.dev / "serial" / "by-path"
        self.by_id.mkdir(parents=True)
        self.by_path.mkdir()

    def plug(self, tty: str, by_id: str, *, serial_number: bool = True) -> Path:
        """A port with its names; of two with one name under by-id the last has it, as with udev."""
        port = self.dev / tty
        port.touch()
        for folder, name in (
            (self.by_id, by_id),
            (self.by_path, f"pci-0000:00:14.0-usb-0:{len(self.ports()) + 1}:1.0"),
        ):
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(os.path.relpath(port, folder))
        device = self.sys / "devices" / "usb1" / tty
        (device / "1-1:1.0" / tty).mkdir(parents=True)
        (device / "idVendor").write_text("1a86")
        if serial_number:
            (device / "serial").write_text("A10K1234")
        (self.sys / "class" / "tty" / tty).mkdir(parents=True)
        (self.sys / "class" / "tty" / tty / "device").symlink_to(device / "1-1:1.0" / tty)
        return port

    def ports(self) -> list[Path]:
        return list(self.by_path.iterdir())

    def better(self, port: Path) -> str | None:
        name = lasting_name(port, self.dev, self.sys)
        return None if name is None else str(name.relative_to(self.dev / "serial"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("tty", ["ttyUSB0", "ttyACM3"])
def test_a_device_with_a_serial_number_is_named_by_it(bench: Bench, tty: str) -> None:
    assert bench.better(bench.plug(tty, "usb-FTDI_A10K1234-if00-port0")) == "by-id/usb-FTDI_A10K1234-if00-port0"


def test_a_bridge_without_a_serial_number_is_named_by_its_socket(bench: Bench) -> None:
    port = bench.plug("ttyUSB0", "usb-1a86_USB2.0-Serial-if00-port0", serial_number=False)
    assert bench.better(port) == "by-path/pci-0000:00:14.0-usb-0:1:1.0"


def test_two_devices_of_one_name_are_named_by_their_sockets(bench: Bench) -> None:
    ports = [bench.plug(tty, "usb-Clone_0001-if00-port0") for tty in ("ttyUSB0", "ttyUSB1")]
    assert [bench.better(port) for port in ports] == [
        "by-path/pci-0000:00:14.0-usb-0:1:1.0",
        "by-path/pci-0000:00:14.0-usb-0:2:1.0",
    ]


def test_a_name_that_two_devices_share_is_no_good_also_where_it_is_configured(bench: Bench) -> None:
    link = bench.by_id / "usb-1a86_USB2.0-Serial-if00-port0"
    bench.plug("ttyUSB0", link.name, serial_number=False)
    assert bench.better(link) is None
    bench.plug("ttyUSB1", link.name, serial_number=False)
    assert bench.better(link) == "by-path/pci-0000:00:14.0-usb-0:2:1.0"


def test_names_that_last_are_left_alone(bench: Bench, tmp_path: Path) -> None:
    port = bench.plug("ttyUSB0", "usb-FTDI_A10K1234-if00-port0")
    own = bench.dev / "ttyUSB-door"
    own.symlink_to(port.name)
    onboard = bench.dev / "ttyS0"
    onboard.touch()
    (bench.by_path / "platform-fe201000.serial").symlink_to(onboard)
    for good in (bench.by_id / "usb-FTDI_A10K1234-if00-port0", *bench.ports(), own, onboard):
        assert bench.better(good) is None
    assert lasting_name(tmp_path / "gone") is None


def test_without_udev_there_is_no_better_name(tmp_path: Path) -> None:
    (tmp_path / "ttyUSB0").touch()
    assert lasting_name(tmp_path / "ttyUSB0", tmp_path, tmp_path) is None


def test_a_system_that_keeps_only_sockets_gives_those(bench: Bench) -> None:
    port = bench.plug("ttyUSB0", "usb-FTDI_A10K1234-if00-port0")
    for link in bench.by_id.iterdir():
        link.unlink()
    bench.by_id.rmdir()
    assert bench.better(port) == "by-path/pci-0000:00:14.0-usb-0:1:1.0"


def test_an_onboard_port_without_a_name_under_by_id_is_nobodys_twin(bench: Bench) -> None:
    port = bench.plug("ttyUSB0", "usb-FTDI_A10K1234-if00-port0")
    (bench.dev / "ttyS0").touch()
    (bench.by_path / "platform-fe201000.serial").symlink_to(bench.dev / "ttyS0")
    assert bench.better(port) == "by-id/usb-FTDI_A10K1234-if00-port0"
