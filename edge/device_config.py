"""What an agent is told of each of its devices.  `settings` are the keys that only the device's driver understands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from broker_config.site import ActuatorId, ShelfId, ZoneId
from edge.config_parts import Antenna, ShelfItem
from readers.model import ReaderId


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """A reader and the zones its antennas cover."""

    id: ReaderId
    type: str
    port: Path
    antennas: tuple[Antenna, ...]
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScaleConfig:
    """A scale under a shelf.  `zone` is the shelf's, from the site file."""

    id: ReaderId
    type: str
    port: Path
    shelf: ShelfId
    zone: ZoneId
    items: tuple[ShelfItem, ...]
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SensorConfig:
    """A presence sensor and the zone in which it looks."""

    id: ReaderId
    type: str
    port: Path
    zone: ZoneId
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActuatorConfig:
    """An actuator.  `zone` is from the site file."""

    id: ActuatorId
    type: str
    port: Path
    zone: ZoneId
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PrinterConfig:
    """A receipt printer.  It belongs to no zone, and nothing orders a label of it yet: the doctor asks how it is."""

    id: str
    type: str
    port: Path
    settings: Mapping[str, object] = field(default_factory=dict)


AnyDeviceConfig = ReaderConfig | ScaleConfig | SensorConfig | ActuatorConfig | PrinterConfig
