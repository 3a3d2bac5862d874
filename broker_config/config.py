"""The broker's own TOML file.

engine = "auto"          # mosquitto where it is installed, else amqtt
host = "127.0.0.1"
port = 1883
site = "site.toml"
identity = "identity"    # one secret file per client, made at first start
data = "broker"          # what the engine keeps; paths are relative to this file

[tls]                    # for everybody who is not on this machine; `tacet broker init` makes the certificates
host = "0.0.0.0"
port = 8883
names = ["broker.store.example", "192.168.1.10"]   # what the gateways call it

[bridge]                 # only where the store's server is at the centre
host = "broker.centre.example"
tls = { ca = "centre/ca.pem", certificate = "centre/bridge.pem", key = "centre/bridge.key" }
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from broker_config.errors import ConfigError
from broker_config.hosts import is_loopback, is_name
from broker_config.site import Strict, load_toml
from broker_config.tls import BrokerTls

Engine = Literal["auto", "mosquitto", "amqtt"]


Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]


class TlsListener(Strict, frozen=True, kw_only=True):
    """The broker's door to the network; only certificates of the store's own CA open it.

    Args:
        host: the address it listens on.
        names: host names and addresses that clients call it by; they stand in its certificate.
        certificate_days: how long a new certificate holds.
    """

    host: str
    port: Port = 8883
    names: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    certificate_days: Annotated[int, msgspec.Meta(ge=1, le=825)] = 365


class Bridge(Strict, frozen=True, kw_only=True):
    """The centre's broker, for a store whose server is there.

    Args:
        tls: what the centre's CA made for `bridge-SITE`.
    """

    host: str
    port: Port = 8883
    tls: BrokerTls


class BrokerSettings(Strict, frozen=True, kw_only=True):
    """How `tacet broker` runs.

    Args:
        identity: folder of the credentials; every file in it is a client that may connect.
        data: folder for the engine's own files.
        host, port: the listener of this machine's own programs, by password.
        tls: the one for the others; None: there are no others.
        bridge: the link to the centre; None: the store's server is in the store.
    """

    engine: Engine = "auto"
    host: str = "127.0.0.1"
    port: Port = 1883
    site: Path
    identity: Path
    data: Path
    tls: TlsListener | None = None
    bridge: Bridge | None = None


def load_broker_settings(path: Path) -> BrokerSettings:
    """Read and check the broker's file.

    Raises:
        ConfigError: as `load_toml`; also for a `host` that other machines can reach, since passwords would cross the
            network in clear, and for a name that no certificate can hold.
    """
    settings = load_toml(path, BrokerSettings)
    if not is_loopback(settings.host):
        raise ConfigError(
            f"{path}: host {settings.host!r} can be reached from other machines, where passwords would be read on the way; "
            'set host = "127.0.0.1", give the others a [tls] table with host, port and names, then: tacet broker init'
        )
    for name in settings.tls.names if settings.tls else ():
        if not is_name(name):
            raise ConfigError(
                f"{path}: [tls] names: {name!r} is no host name or address; write it as broker.store.example"
            )
    return settings
