"""Keeps devices open: a device that is lost is opened again, for ever."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from broker_config.backoff import Backoff
from broker_config.heartbeats import Heartbeat, Heartbeats
from edge.health import Health
from readers.errors import ReaderError

log = logging.getLogger(__name__)
OPENING_STUCK_S = 60.0  # to open a device, set it up or let it go; each wait in it is bounded by its driver
MAX_REOPEN_S = 2.0  # a device that is plugged in again is back within this
Take = Callable[[Backoff, Heartbeat], Awaitable[None]]
"""Opens a device and takes what it says; resets the delay once there is something, and rests the heartbeat while it waits."""


class Pump:
    """Runs one `Take` after the other for each device.

    Args:
        heartbeats: where the opening of each device shows that it goes on.
    """

    def __init__(self, health: Health, heartbeats: Heartbeats) -> None:
        self._health, self._heartbeats = health, heartbeats

    async def run(self, device_id: str, take: Take, on_lost: Callable[[], None]) -> None:
        """Keep one device open for ever; its trouble is weather: reported, and tried again with growing delays."""
        backoff = Backoff(max_s=MAX_REOPEN_S)
        heartbeat = self._heartbeats.add(f"device {device_id}", OPENING_STUCK_S)
        while True:
            heartbeat.beat()
            try:
                await take(backoff, heartbeat)
                reason = "the driver's stream ended; opening it again"
            except ReaderError as error:
                reason = str(error)
            on_lost()
            if self._health.lost(device_id, reason):
                log.warning("%s lost: %s", device_id, reason)
            heartbeat.rest()
            await asyncio.sleep(backoff.next_delay_s())
