"""How the agent's devices are, for `$state`, `$description` and the counters of `stats`."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

from msgspec.structs import replace

from broker_config.length_guard import LengthGuard
from broker_config.messages import Device
from edge.clock import to_datetime
from readers.health import ReaderHealth
from readers.model import ClockNs
from readers.port_names import lasting_name

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
ORDERS = "orders.signed"  # a name that no device can have
FORGED = (
    "orders came that the server has not signed for this agent; copy its credential from the broker's identity folder "
    "anew, restart the agent, and if they go on, somebody else sends them"
)
MERE_C = 5.0
"""So much warmer or colder is no news by itself."""


@dataclass(slots=True)
class Tally:
    """What the agent itself counts.

    Args:
        unnamed: readers that have reported a tag on an antenna that nobody configured; `unknown_antenna` counts these reads.
        have_read: readers that have reported a tag at all.
        refused_commands: commands that came while the server's time was not known.
        forged_orders: messages that only the server may send and that it has not signed for this agent.
    """

    dropped_reads: int = 0
    unknown_antenna: int = 0
    unnamed: set[str] = field(default_factory=set)
    have_read: set[str] = field(default_factory=set)
    bad_messages: int = 0
    forged_orders: int = 0
    refused_commands: int = 0
    events: int = 0
    link_losses: int = 0


class Health:
    """The devices and their state.

    Args:
        on_change: called after a device's state changed; the uplink sets it.
    """

    def __init__(self, clock_ns: ClockNs) -> None:
        self.tally = Tally()
        self.outgoing = LengthGuard()
        self.on_change: Callable[[], None] | None = None
        self._clock_ns = clock_ns
        self._devices: dict[str, Device] = {}
        self._open: dict[str, ReaderHealth] = {}
        self._ports: dict[str, Path] = {}  # of the devices that were not open yet
        self._closed = ReaderHealth()

    @property
    def devices(self) -> tuple[Device, ...]:
        """Every device, in the order in which it was added."""
        return tuple(self._devices.values())

    @property
    def state(self) -> str:
        """`alert` when some device is lost, else `ready`."""
        return "alert" if any(device.state == "lost" for device in self._devices.values()) else "ready"

    def add(self, device_id: str, kind: str, zone: str | None, port: Path | None = None) -> None:
        """A device that is about to be opened; once it is, a name of its port that will not last is warned of."""
        if port is not None:
            self._ports[device_id] = port
        since = to_datetime(self._clock_ns())
        self._devices[device_id] = Device(id=device_id, kind=kind, state="starting", since=since, zone=zone)

    def note(self, part_id: str, kind: str, alarm: str | None) -> None:
        """A part of the gateway itself, which works; it is shown only while it warns."""
        before = self._devices.pop(part_id, None)
        if alarm is not None:
            since = to_datetime(self._clock_ns())
            self._devices[part_id] = Device(id=part_id, kind=kind, state="ready", since=since, alarm=alarm)
        if (None if before is None else before.alarm) != alarm:
            self._tell()

    def warn(self, part_id: str, kind: str, alarm: str | None) -> None:
        """As `note`, while running: told where it is news; None takes the alarm back."""
        before = self._devices.get(part_id)
        if (before.alarm if before is not None else None) == alarm:
            return
        self._devices.pop(part_id, None)
        self.note(part_id, kind, alarm)
        self._tell()

    def refuse_order(self, topic: str, why: str) -> None:
        """Count an order that is not the server's, and raise the alarm: somebody tries, or a credential is out of date."""
        self.tally.forged_orders += 1
        if self.tally.forged_orders == 1:
            log.warning("order on %s refused: %s; further ones are only counted", topic, why)
        self.warn(ORDERS, "orders", FORGED)

    def ready(self, device_id: str, counters: ReaderHealth | None = None) -> None:
        """The device works; `counters` are its driver's own."""
        if counters is not None:
            self._open[device_id] = counters
        port = self._ports.pop(device_id, None)
        better = None if port is None else lasting_name(port)
        if better is not None:
            log.warning('%s: %s may be another device after a restart; write port = "%s"', device_id, port, better)
        self._change(device_id, "ready", None)

    def lost(self, device_id: str, reason: str) -> bool:
        """The device does not work; `reason` says what to do.  Whether that is news."""
        counters = self._open.pop(device_id, None)
        if counters is not None:
            _add(self._closed, counters)
            self._devices[device_id] = _warned(self._devices[device_id], counters)  # it may say why
        return self._change(device_id, "lost", " ".join(reason.split()))

    async def run(self) -> None:
        """Notice for ever what the open devices warn of."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.notice()

    def notice(self) -> None:
        """Take up the open devices' warnings and temperatures where there is news."""
        told = {device_id: self._devices[device_id] for device_id in self._open}
        now = {device_id: _warned(told[device_id], counters) for device_id, counters in self._open.items()}
        if now == told:
            return
        self._devices |= now
        self._tell()
        for device_id, device in now.items():
            if device.alarm and not told[device_id].alarm:  # the first since it was opened; the others are counted
                log.warning("%s warns: %s", device_id, device.alarm)

    def totals(self) -> ReaderHealth:
        """The drivers' counters since start, all devices together."""
        total = ReaderHealth()
        for counters in (self._closed, *self._open.values()):
            _add(total, counters)
        return total

    def _change(self, device_id: str, state: str, reason: str | None) -> bool:
        before = self._devices[device_id]
        if (before.state, before.reason) == (state, reason):
            return False
        since = before.since if before.state == state else to_datetime(self._clock_ns())
        self._devices[device_id] = replace(before, state=state, since=since, reason=reason)
        self._tell()
        return True

    def _tell(self) -> None:
        if self.on_change is not None:
            self.on_change()


def _warned(device: Device, counters: ReaderHealth) -> Device:
    """The device with its latest warning; the same where that is no news."""
    alarm, celsius, told_c = counters.alarm or None, counters.temperature_c, device.temperature_c
    is_mere = celsius == told_c or (celsius is not None and told_c is not None and abs(celsius - told_c) < MERE_C)
    return device if alarm == device.alarm and is_mere else replace(device, alarm=alarm, temperature_c=celsius)


def _add(total: ReaderHealth, more: ReaderHealth) -> None:
    for each in fields(ReaderHealth):
        if each.name not in ("temperature_c", "signs_of_life", "alarm"):
            setattr(total, each.name, getattr(total, each.name) + getattr(more, each.name))
