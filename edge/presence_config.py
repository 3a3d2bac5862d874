"""The layout and the presence settings of an agent, from its configuration."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, get_type_hints

import msgspec

from broker_config.errors import ConfigError
from broker_config.site import ZoneId
from edge.config import EdgeConfig
from edge.presence_model import Antenna, Layout, PresenceSettings, ZoneSpec

T = TypeVar("T")


def make_layout(config: EdgeConfig) -> Layout:
    """The agent's own zones, in the order of the site file, and the antennas that cover them."""
    zones = zones_of(config)
    antennas = tuple(
        Antenna(reader.id, antenna.number, zones.index(ZoneId(antenna.zone)), antenna.floor_dbm, antenna.side)
        for reader in config.readers
        for antenna in reader.antennas
    )
    kinds = {zone.id: zone.kind for zone in config.site.zones}
    return Layout(antennas, tuple(ZoneSpec(zone, kinds[zone]) for zone in zones))


def zones_of(config: EdgeConfig) -> tuple[ZoneId, ...]:
    """The ids of the agent's zones, by the layout's index."""
    return tuple(ZoneId(zone.id) for zone in config.site.zones if zone.agent == config.agent)


def make_settings(config: EdgeConfig) -> PresenceSettings:
    """The defaults, with what `[presence]` overrides.  A person is forgotten when the site's visit gap is over.

    Raises:
        ConfigError: an unknown key or a value of the wrong kind; names the key.
    """
    defaults = replace(PresenceSettings(), person_forgotten_s=float(config.site.visit_gap_s))
    return _override(defaults, config.presence, "presence")


def _override(value: T, changes: Mapping[str, object], where: str) -> T:
    """`value`, a frozen dataclass, with `changes` applied at any depth."""
    assert is_dataclass(value)
    hints = get_type_hints(type(value))
    known = {each.name: getattr(value, each.name) for each in fields(value)}
    new: dict[str, object] = {}
    for key, change in changes.items():
        name = key.replace("-", "_")
        if name not in known:
            raise ConfigError(f"[{where}] has no key {key!r}; known: {', '.join(known)}")
        if is_dataclass(known[name]):
            if not isinstance(change, Mapping):
                raise ConfigError(f"[{where}] {key} is a table: write [{where}.{key}]")
            new[name] = _override(known[name], change, f"{where}.{key}")
        elif name == "garment_prefixes":
            new[name] = _prefixes(change, where)
        else:
            new[name] = _convert(change, hints[name], f"[{where}] {key}")
    return replace(value, **new)  # type: ignore[type-var]


def _convert(value: object, kind: object, where: str) -> object:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from error


def _prefixes(value: object, where: str) -> tuple[bytes, ...]:
    try:
        return tuple(bytes.fromhex(text) for text in msgspec.convert(value, list[str]))
    except (ValueError, msgspec.ValidationError) as error:
        raise ConfigError(f"[{where}] garment_prefixes must be a list of hex texts, whole bytes each") from error
