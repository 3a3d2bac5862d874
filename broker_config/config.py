"""The broker's own TOML file.

engine = "auto"          # mosquitto where it is installed, else amqtt
host = "127.0.0.1"
port = 1883
site = "site.toml"
identity = "identity"    # one secret file per client, made at first start
data = "broker"          # what the engine keeps; paths are relative to this file
"""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from broker_config.errors import ConfigError
from broker_config.site import Strict, load_toml

Engine = Literal["auto", "mosquitto", "amqtt"]


class BrokerSettings(Strict, frozen=True, kw_only=True):
    """How `tacet broker` runs.

    Args:
        identity: folder of the credentials; every file in it is a client that may connect.
        data: folder for the engine's own files.
    """

    engine: Engine = "auto"
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 1883
    site: Path
    identity: Path
    data: Path


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_broker_settings(path: Path) -> BrokerSettings:
    """Read and check the broker's file.

    Raises:
        ConfigError: as `load_toml`; also for a host that other machines can reach, since passwords would cross the
            network in clear.
    """
    settings = load_toml(path, BrokerSettings)
    if not is_loopback(settings.host):
        raise ConfigError(
            f"{path}: host {settings.host!r} can be reached from other machines, and this broker has no TLS yet; "
            'set host = "127.0.0.1", or run a Mosquitto of your own with TLS and the ACL that `tacet broker acl` prints'
        )
    return settings
