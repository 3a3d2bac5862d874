"""The server's one TOML file as a frozen model; `simulators/demo_store/server.toml` shows every key but `[influx]`."""

import ipaddress
from pathlib import Path
from typing import Annotated

import msgspec

from broker_config.errors import ConfigError
from broker_config.site import Strict, load_toml

Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]


class BrokerAddress(Strict, frozen=True):
    """Where the MQTT broker listens."""

    host: str
    port: Port


class InfluxTarget(Strict, frozen=True):
    """A server of the InfluxDB v2 write API.

    Args:
        url: e.g. `http://127.0.0.1:8086`.
        token: its write token; VictoriaMetrics takes any.
    """

    url: str
    token: str
    org: str
    bucket: str


class ServerConfig(Strict, frozen=True):
    """One site server.

    Args:
        site, rules, catalog: files; identity, data: folders; absolute once `load_config` has read them.
        influx: where events and health go as time series; None: nowhere.
    """

    host: str
    port: Port
    site: str
    rules: str
    catalog: str
    identity: str
    data: str
    broker: BrokerAddress
    influx: InfluxTarget | None = None

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return Path(self.data) / "tacet.db"

    @property
    def origin(self) -> str:
        """The server's own address for a browser."""
        return f"http://{self.host}:{self.port}"


def load_config(path: Path) -> ServerConfig:
    """Read the file; its paths count from its own folder.

    Raises:
        ConfigError: missing or malformed, or a host that other machines could reach.
    """
    config = load_toml(path, ServerConfig)
    if not is_loopback(config.host):
        raise ConfigError(
            f"{path}: host {config.host!r} can be reached by other machines, and there is no staff sign-in yet; use 127.0.0.1"
        )
    names = ("site", "rules", "catalog", "identity", "data")
    folder = path.resolve().parent
    return msgspec.structs.replace(config, **{name: str(folder / getattr(config, name)) for name in names})


def is_loopback(host: str) -> bool:
    """Whether `host` is `localhost` or a loopback address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
