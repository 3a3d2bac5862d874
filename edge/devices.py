"""How the agent opens its devices."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from edge.actuators.manager import Relay
from edge.actuators.registry import open_relay
from edge.clock import Clock
from edge.device_config import ActuatorConfig, ReaderConfig, ScaleConfig, SensorConfig
from readers.registry import Reader, Scale, Sensor, open_reader, open_scale, open_sensor


def open_serial_sensor(config: SensorConfig, clock: Clock) -> AbstractAsyncContextManager[Sensor]:
    """The presence sensor at its serial port."""
    return open_sensor(config.type, config.id, str(config.port), config.settings, clock)


@dataclass(frozen=True, slots=True)
class Devices:
    """How devices are opened; tests put scripted ones here."""

    reader: Callable[[ReaderConfig, Clock], AbstractAsyncContextManager[Reader]]
    scale: Callable[[ScaleConfig, Clock], AbstractAsyncContextManager[Scale]]
    relay: Callable[[ActuatorConfig], AbstractAsyncContextManager[Relay]]
    sensor: Callable[[SensorConfig, Clock], AbstractAsyncContextManager[Sensor]] = open_serial_sensor


SERIAL = Devices(
    reader=lambda config, clock: open_reader(config.type, config.id, str(config.port), config.settings, clock),
    scale=lambda config, clock: open_scale(config.type, config.id, str(config.port), config.settings, clock),
    relay=lambda config: open_relay(config.type, str(config.port), config.settings),
)
