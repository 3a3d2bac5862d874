"""The agent's configuration: one TOML file, checked whole before anything opens.

A device's stanza holds keys of ours (`id`, `type`, `port`, what it covers) and keys of its driver, which only the driver
understands; both are checked here.  Paths are relative to the file's folder.
"""

import os
import re
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from broker_config.errors import ConfigError
from broker_config.identity import Credential, load_credential
from broker_config.site import ActuatorId, Level, ShelfId, Site, Strict, Zone, ZoneId, load_site, load_toml
from broker_config.tls import check_reach
from edge.actuators.printers import check_printer
from edge.actuators.registry import check_relay
from edge.config_parts import Antenna, BrokerAddress, OutboxLimits, ShelfItem, SnapshotSettings
from edge.device_config import ActuatorConfig, PrinterConfig, ReaderConfig, ScaleConfig, SensorConfig
from edge.server_trust import server_trust
from readers.errors import SetupError
from readers.model import ReaderId
from readers.registry import antennas_of, check_reader, check_scale, check_sensor

S = TypeVar("S", bound=Strict)
HOST = r"^(([0-9A-Za-z_-]{1,63}\.)*[0-9A-Za-z_-]{1,63}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$"
"""A name or an address; what else there is ends in an error of the resolver that no retry mends."""


class _ReaderStanza(Strict, frozen=True):
    id: Level
    type: str
    port: str
    antennas: tuple[Antenna, ...]


class _ScaleStanza(Strict, frozen=True):
    id: Level
    type: str
    port: str
    shelf: Level
    items: tuple[ShelfItem, ...]


class _SensorStanza(Strict, frozen=True):
    id: Level
    type: str
    port: str
    zone: Level


class _DeviceStanza(Strict, frozen=True):
    id: Level
    type: str
    port: str


class _EdgeFile(Strict, frozen=True):
    """The file's shape; devices stay raw until their own keys and their driver's are told apart."""

    agent: Level
    site: Path
    credential: Path
    data: Path
    server: str
    broker: BrokerAddress
    server_ca: Path | None = None
    simulated: bool = False
    outbox: OutboxLimits = OutboxLimits()
    snapshot: SnapshotSettings = SnapshotSettings()
    presence: dict[str, Any] = msgspec.field(default_factory=dict)
    readers: tuple[dict[str, Any], ...] = ()
    scales: tuple[dict[str, Any], ...] = ()
    sensors: tuple[dict[str, Any], ...] = ()
    actuators: tuple[dict[str, Any], ...] = ()
    printers: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """Everything an agent is told.  `presence` overrides fields of `edge.presence.PresenceSettings`.

    Args:
        server_trust: what connections to the server are opened with.
    """

    agent: str
    site: Site
    credential: Credential
    data: Path
    server: str
    server_trust: ssl.SSLContext | bool
    broker: BrokerAddress
    simulated: bool
    outbox: OutboxLimits
    snapshot: SnapshotSettings
    presence: Mapping[str, object]
    readers: tuple[ReaderConfig, ...]
    scales: tuple[ScaleConfig, ...]
    sensors: tuple[SensorConfig, ...]
    actuators: tuple[ActuatorConfig, ...]
    printers: tuple[PrinterConfig, ...]


def load_config(path: Path) -> EdgeConfig:
    """Read and check an agent's configuration, its site file and its credential.

    Raises:
        ConfigError: one line that names the file, the stanza and the remedy.
    """
    file = load_toml(path, _EdgeFile)
    folder = path.resolve().parent
    site = load_site(file.site)
    stanzas = _Stanzas(path, folder, file.agent, site)
    server, broker = _server(path, file.server), _broker(path, file.broker)
    config = EdgeConfig(
        agent=file.agent,
        site=site,
        credential=_credential(path, file.credential, file.agent),
        data=file.data,
        server=server,
        server_trust=server_trust(path, server, file.server_ca, broker.tls.ca if broker.tls else None),
        broker=broker,
        simulated=file.simulated,
        outbox=file.outbox,
        snapshot=file.snapshot,
        presence=file.presence,
        readers=tuple(stanzas.reader(raw) for raw in file.readers),
        scales=tuple(stanzas.scale(raw) for raw in file.scales),
        sensors=tuple(stanzas.sensor(raw) for raw in file.sensors),
        actuators=tuple(stanzas.actuator(raw) for raw in file.actuators),
        printers=tuple(stanzas.printer(raw) for raw in file.printers),
    )
    _refuse_doubles(path, config)
    return config


class _Stanzas:
    """Turns raw stanzas into configs, against one site file and one agent."""

    def __init__(self, path: Path, folder: Path, agent: str, site: Site) -> None:
        self._path, self._folder, self._agent, self._site = path, folder, agent, site

    def reader(self, raw: dict[str, object]) -> ReaderConfig:
        own, settings = self._split("readers", raw, _ReaderStanza, check_reader)
        numbers = [antenna.number for antenna in own.antennas]
        if not numbers or len(set(numbers)) < len(numbers):
            raise ConfigError(f"{self._path}: reader {own.id!r}: give each antenna once, by its own number")
        self._check_in_use(own.id, numbers, antennas_of(own.type, settings))
        for antenna in own.antennas:
            zone = self._zone(f"reader {own.id!r}", antenna.zone)
            if antenna.side and zone.kind != "door":
                raise ConfigError(
                    f"{self._path}: reader {own.id!r}: side belongs to antennas of a door; {antenna.zone!r} is a {zone.kind}"
                )
        return ReaderConfig(ReaderId(own.id), own.type, self._folder / own.port, own.antennas, settings)

    def scale(self, raw: dict[str, object]) -> ScaleConfig:
        own, settings = self._split("scales", raw, _ScaleStanza, check_scale)
        shelf = next((shelf for shelf in self._site.shelves if shelf.id == own.shelf), None)
        self._check_owner(f"scale {own.id!r}", f"shelf {own.shelf!r}", shelf)
        if len({item.gtin for item in own.items}) < len(own.items):
            raise ConfigError(f"{self._path}: scale {own.id!r}: an article is listed twice")
        assert shelf is not None
        zone = ZoneId(shelf.zone)
        return ScaleConfig(
            ReaderId(own.id), own.type, self._folder / own.port, ShelfId(own.shelf), zone, own.items, settings
        )

    def sensor(self, raw: dict[str, object]) -> SensorConfig:
        own, settings = self._split("sensors", raw, _SensorStanza, check_sensor)
        zone = self._zone(f"sensor {own.id!r}", own.zone)
        return SensorConfig(ReaderId(own.id), own.type, self._folder / own.port, ZoneId(zone.id), settings)

    def actuator(self, raw: dict[str, object]) -> ActuatorConfig:
        own, settings = self._split("actuators", raw, _DeviceStanza, check_relay)
        known = next((actuator for actuator in self._site.actuators if actuator.id == own.id), None)
        self._check_owner("this file", f"actuator {own.id!r}", known)
        assert known is not None
        return ActuatorConfig(ActuatorId(own.id), own.type, self._folder / own.port, ZoneId(known.zone), settings)

    def printer(self, raw: dict[str, object]) -> PrinterConfig:
        own, settings = self._split("printers", raw, _DeviceStanza, check_printer)
        return PrinterConfig(own.id, own.type, self._folder / own.port, settings)

    def _split(
        self, kind: str, raw: dict[str, object], model: type[S], check: Callable[[str, Mapping[str, object]], None]
    ) -> tuple[S, dict[str, object]]:
        """Our keys as `model`, the others as settings that the driver has accepted."""
        ours = model.__struct_fields__
        where = f"{self._path}: [[{kind}]] {raw.get('id', '(without id)')}"
        try:
            own = msgspec.convert({key: value for key, value in raw.items() if key in ours}, model)
            settings = {key: value for key, value in raw.items() if key not in ours}
            check(str(raw["type"]), settings)
        except (msgspec.ValidationError, SetupError) as error:
            raise ConfigError(f"{where}: {error}") from error
        return own, settings

    def _check_in_use(self, reader_id: str, numbers: Sequence[int], used: Sequence[int]) -> None:
        """Reads of an antenna without a zone would be lost, and a zone whose antenna does not read would seem empty."""
        where, reads_with = f"{self._path}: reader {reader_id!r}", ", ".join(map(str, used))
        for number in used:
            if number not in numbers:
                raise ConfigError(f"{where}: it reads with antenna {number}, to which `antennas` gives no zone")
        for number in numbers:
            if number not in used:
                raise ConfigError(
                    f"{where}: `antennas` has {number}, with which it does not read: it reads with {reads_with}"
                )

    def _zone(self, who: str, zone_id: str) -> Zone:
        """A zone of the site file that is ours."""
        zone = next((zone for zone in self._site.zones if zone.id == zone_id), None)
        self._check_owner(who, f"zone {zone_id!r}", zone)
        assert zone is not None
        return zone

    def _check_owner(self, who: str, what: str, thing: object) -> None:
        """A thing must be in the site file and ours."""
        if thing is None:
            raise ConfigError(f"{self._path}: {who} names {what}, which the site file does not define")
        owner = getattr(thing, "agent", None)
        if owner != self._agent:
            raise ConfigError(
                f"{self._path}: {who} names {what}, which the site file gives to agent {owner!r}, not {self._agent!r}"
            )


def _credential(path: Path, credential_path: Path, agent: str) -> Credential:
    credential = load_credential(credential_path)
    if credential.party != "agent" or credential.id != agent:
        raise ConfigError(
            f"{credential_path}: is the secret of {credential.user!r}; {path} needs that of agent {agent!r}"
        )
    if credential.match_key is None or credential.seal_key is None:
        raise ConfigError(
            f"{credential_path}: lacks match_key or seal_key; make a new one: tacet broker add agent {agent}"
        )
    if credential.command_key is None:
        raise ConfigError(
            f"{credential_path}: lacks command_key, which proves commands; start the broker once, which adds it to its own "
            f"identity/{credential.user}.toml, and copy that file here"
        )
    return credential


def _broker(path: Path, address: BrokerAddress) -> BrokerAddress:
    if not re.match(HOST, address.host):
        raise ConfigError(f"{path}: [broker] host {address.host!r} is no name or address; write it as 127.0.0.1")
    check_reach(path, address.host, address.tls)
    return address


def _server(path: Path, address: str) -> str:
    try:
        parts = urlsplit(address)
        sound = parts.scheme in ("http", "https") and re.match(HOST, parts.hostname or "") and parts.port != 0
    except ValueError:  # brackets or a port that are none
        sound = False
    if not sound:
        raise ConfigError(f"{path}: server {address!r} is no address; write it as http://127.0.0.1:8080")
    return address.rstrip("/")


def _refuse_doubles(path: Path, config: EdgeConfig) -> None:
    devices: Sequence[ReaderConfig | ScaleConfig | SensorConfig | ActuatorConfig | PrinterConfig] = [
        *config.readers,
        *config.scales,
        *config.sensors,
        *config.actuators,
        *config.printers,
    ]
    for twice in _doubles(device.id for device in devices):
        raise ConfigError(f"{path}: device id {twice!r} is used twice; each device needs its own")
    for twice in _doubles(os.path.normpath(device.port) for device in devices):
        raise ConfigError(f"{path}: port {twice} is given to two devices; a serial port serves one")
    for twice in _doubles(scale.shelf for scale in config.scales):
        raise ConfigError(f"{path}: shelf {twice!r} has two scales; one shelf, one scale")


def _doubles(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
