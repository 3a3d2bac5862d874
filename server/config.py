"""The server's one TOML file as a frozen model; `simulators/demo_store/server.toml` shows what every server has."""

import ipaddress
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from broker_config.errors import ConfigError
from broker_config.hosts import is_loopback
from broker_config.site import Strict, load_toml
from broker_config.tls import BrokerTls, check_reach

Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]


class BrokerAddress(Strict, frozen=True):
    """Where the MQTT broker listens, and what a broker on another machine asks for.

    Args:
        tls: the server's own; beside its certificate are those of the displays, for their browsers.
    """

    host: str
    port: Port
    tls: BrokerTls | None = None


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


class TlsFiles(Strict, frozen=True):
    """PEM files: the certificate with its chain, and its key."""

    certificate: str
    key: str


class Pacing(Strict, frozen=True):
    """How fast one sender may ask: a session, a token, an agent, or a stranger's address."""

    per_s: Annotated[float, msgspec.Meta(gt=0)] = 50.0
    burst: Annotated[float, msgspec.Meta(ge=1)] = 400.0


class ServerConfig(Strict, frozen=True):
    """One site server.

    Args:
        site, rules, catalog: files; identity, data: folders; absolute once `load_config` has read them.
        influx: where events and health go as time series; None: nowhere.
        tls: with it the server speaks HTTPS.
        trusted_proxy: address or network of the reverse proxy that speaks HTTPS for it; only its X-Forwarded-* count.
        address: under which browsers reach it, e.g. `https://tacet.shop.example`; empty: host and port.
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
    tls: TlsFiles | None = None
    trusted_proxy: str = ""
    address: str = ""
    pace: Pacing = Pacing()

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return Path(self.data) / "tacet.db"

    @property
    def origin(self) -> str:
        """The server's own address for a browser."""
        return self.address or self._at(self.host)

    @property
    def local_url(self) -> str:
        """Where programs on this machine reach it."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what it is replaced by is the point
        return self._at(everywhere.get(self.host, self.host))

    def _at(self, host: str) -> str:
        name = f"[{host}]" if ":" in host else host
        return f"{'https' if self.tls else 'http'}://{name}:{self.port}"


def load_config(path: Path) -> ServerConfig:
    """Read the file; its paths count from its own folder.

    Raises:
        ConfigError: missing or malformed, or passwords would cross the network in the clear.
    """
    config = load_toml(path, ServerConfig)
    _check_reach(path, config)
    check_reach(path, config.broker.host, config.broker.tls)
    names = ("site", "rules", "catalog", "identity", "data")
    folder = path.resolve().parent
    changes: dict[str, object] = {name: str(folder / getattr(config, name)) for name in names}
    if config.tls is not None:
        changes["tls"] = TlsFiles(str(folder / config.tls.certificate), str(folder / config.tls.key))
    return msgspec.structs.replace(config, **changes)


def _check_reach(path: Path, config: ServerConfig) -> None:
    """Whoever can reach the server must reach it over TLS, and under one known name."""
    if config.trusted_proxy:
        try:
            ipaddress.ip_network(config.trusted_proxy)
        except ValueError as error:
            raise ConfigError(f"{path}: trusted_proxy must be an address or network, e.g. 10.0.0.4: {error}") from error
    if config.address:
        _check_address(path, config.address)
    if is_loopback(config.host) and not config.trusted_proxy:
        return
    if config.tls is None and not config.trusted_proxy:
        raise ConfigError(
            f"{path}: host {config.host!r} can be reached by other machines, and passwords would cross the network "
            "unencrypted; set [tls] or trusted_proxy, or use 127.0.0.1"
        )
    if not config.address.startswith("https://"):
        raise ConfigError(
            f'{path}: say under which name browsers reach the server: address = "https://tacet.shop.example"'
        )


def _check_address(path: Path, address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or address != f"{parts.scheme}://{parts.netloc}":
        raise ConfigError(f"{path}: address {address!r} must look like https://tacet.shop.example, without a path")
