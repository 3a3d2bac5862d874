"""The latest word of every presence sensor, for `stats`: whether somebody is there, never who, and never how many."""

from collections.abc import Iterable

from msgspec.structs import replace

from broker_config.messages import SensorReport
from edge.clock import to_datetime
from edge.device_config import SensorConfig
from readers.model import ClockNs, Proximity


class SensorStates:
    """What each sensor senses.  Only the latest is kept, nothing is derived from it, and nothing is stored."""

    def __init__(self, sensors: Iterable[SensorConfig], clock_ns: ClockNs) -> None:
        self._clock_ns = clock_ns
        began = to_datetime(clock_ns())
        self._states: dict[str, SensorReport] = {
            sensor.id: SensorReport(id=sensor.id, zone=sensor.zone, occupied=None, since=began) for sensor in sensors
        }

    def sensed(self, proximity: Proximity) -> None:
        """A sensor's report."""
        self._put(proximity.sensor_id, proximity.occupied, proximity.distance_cm, proximity.sensed_at_ns)

    def lost(self, sensor_id: str) -> None:
        """Nobody knows any more what this one would sense."""
        self._put(sensor_id, None, None, self._clock_ns())

    def now(self) -> tuple[SensorReport, ...]:
        """Every sensor's state, in the order of the configuration."""
        return tuple(self._states.values())

    def _put(self, sensor_id: str, occupied: bool | None, distance_cm: int | None, at_ns: int) -> None:
        before = self._states[sensor_id]
        since = before.since if occupied == before.occupied else to_datetime(at_ns)
        self._states[sensor_id] = replace(before, occupied=occupied, distance_cm=distance_cm, since=since)
