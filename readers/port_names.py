"""Names of serial ports that still mean the same device after a restart, or after somebody has moved a plug.

`/dev/ttyUSB0` is whichever device was found first.  udev keeps two better names: `/dev/serial/by-id/…` is made of the
device's own serial number, and `/dev/serial/by-path/…` of the socket that it is plugged into.  Many cheap bridges (CH340)
have no serial number, so two of them share one name under by-id, which then leads to either; for these by-path is the one.
Source: systemd, 60-serial.rules; Linux, Documentation/ABI/stable/sysfs-bus-usb.
"""

from collections.abc import Sequence
from pathlib import Path

PASSING = ("ttyUSB", "ttyACM")
"""Kernel names that are given in the order of plugging in."""


def lasting_name(port: Path, dev: Path = Path("/dev"), sys: Path = Path("/sys")) -> Path | None:
    """The name to write into the configuration instead; None where `port` is good, or there is none better.

    Args:
        port: as configured; a link of the owner's own rules is left alone.
        dev, sys: tests put theirs here.
    """
    by_id, by_path = dev / "serial" / "by-id", dev / "serial" / "by-path"
    try:
        target = port.resolve(strict=True)
        if port.parent == by_id:
            return _link_to(target, by_path) if _share_a_name(target, by_id, by_path) else None
        if port.is_symlink() or not port.name.startswith(PASSING):
            return None
        if _has_serial_number(target, sys) and not _share_a_name(target, by_id, by_path):
            return _link_to(target, by_id) or _link_to(target, by_path)
        return _link_to(target, by_path) or _link_to(target, by_id)
    except OSError:  # gone this moment
        return None


def _has_serial_number(tty: Path, sys: Path) -> bool:
    """Whether the USB device behind the port tells one; taken for granted where the system does not say."""
    device = (sys / "class" / "tty" / tty.name / "device").resolve()
    for folder in (device, *device.parents):
        if (folder / "idVendor").exists():
            return (folder / "serial").exists()
    return True


def _share_a_name(tty: Path, by_id: Path, by_path: Path) -> bool:
    """Whether a USB port has lost its name under by-id to another of the same name; which one that was, nobody can tell."""
    named = {link.resolve() for link in _links(by_id)}
    plugged = {link.resolve() for link in _links(by_path) if "usb" in link.name}
    return bool(plugged - named) and tty in plugged


def _link_to(tty: Path, folder: Path) -> Path | None:
    return next((link for link in _links(folder) if link.resolve() == tty), None)


def _links(folder: Path) -> Sequence[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else ()
