"""Names and addresses of machines."""

import ipaddress
import re

_LABEL = "[0-9A-Za-z_]([0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_name(name: str) -> bool:
    """Whether a certificate can be made for it: an address, or a host name in ASCII."""
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return _HOST_NAME.fullmatch(name) is not None
