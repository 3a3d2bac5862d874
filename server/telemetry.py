"""Where events and health go as time series, when somebody wants them: a sink that nobody ever waits for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from broker_config.site import Site
from server.config import InfluxTarget
from server.decoding import Heard


@dataclass(slots=True)
class TelemetryCounters:
    """Since start."""

    written: int = 0
    dropped: int = 0
    errors: int = 0


class Telemetry(Protocol):
    """A sink of messages that have been stored."""

    counters: TelemetryCounters

    def take(self, heard: Heard) -> None:
        """Take note of one message, at once and without waiting."""


class NoTelemetry:
    """The sink of a server that has none."""

    def __init__(self) -> None:
        self.counters = TelemetryCounters()

    def take(self, heard: Heard) -> None:
        """Nothing."""


@asynccontextmanager
async def open_telemetry(target: InfluxTarget | None, site: Site) -> AsyncIterator[Telemetry]:
    """The sink that the configuration asks for."""
    if target is None:
        yield NoTelemetry()
        return
    from server.influx import open_influx  # the client takes half a second to import

    async with open_influx(target, site) as sink:
        yield sink
