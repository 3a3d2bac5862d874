"""R2000 class UHF reader: the keys of its stanza, which the driver's docstring shows."""

from typing import Annotated, Literal

import msgspec

from readers.r2000_a0 import commands
from readers.settings import DeviceSettings

PowerDbm = Annotated[int, msgspec.Meta(ge=0, le=33)]
Count = Annotated[int, msgspec.Meta(ge=1, le=255)]
ROUND_S = 0.1
"""The longest an inventory round without a tag may take."""
LONGEST_ORDER_S = 120
Antenna = Annotated[int, msgspec.Meta(ge=1, le=8)]


class R2000Settings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one reader is told."""

    baud: Literal[38400, 115200] = 115200
    address: Annotated[int, msgspec.Meta(ge=0, le=255)] = 255
    region: str
    first_mhz: float | None = None
    last_mhz: float | None = None
    power_dbm: PowerDbm | tuple[PowerDbm, ...]
    ports: Literal[4, 8] = 4
    active_antennas: tuple[Antenna, ...] = (1,)
    session: Annotated[int, msgspec.Meta(ge=0, le=3)] | None = None
    target: Literal["A", "B"] = "A"
    repeat: Count = 1
    stay: Count = 1
    interval_ms: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    beeper: Literal["off", "round", "tag"] | None = None
    detector_db: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    min_return_loss_db: Annotated[int, msgspec.Meta(ge=0, le=60)] = 6
    max_temperature_c: int = 65

    def __post_init__(self) -> None:
        """Check what types cannot."""
        if self.region not in commands.REGIONS:
            raise ValueError(f"region {self.region!r} is none of {', '.join(commands.REGIONS)}")
        antennas = self.active_antennas
        if not antennas or len(set(antennas)) < len(antennas) or max(antennas) > self.ports:
            raise ValueError(f"active_antennas must name one or more of the {self.ports} ports, each once")
        if isinstance(self.power_dbm, tuple) and len(self.power_dbm) != len(antennas):
            raise ValueError("power_dbm must be one number, or a list with one for each of active_antennas")
        self.channels()
        if self.longest_order_s > LONGEST_ORDER_S:
            raise ValueError(
                f"repeat, stay and interval_ms make orders of up to {self.longest_order_s:.0f} s, and a reader that died would not"
                f" be missed for so long; at most {LONGEST_ORDER_S} s"
            )

    @property
    def switches(self) -> bool:
        """Whether several antennas take turns inside one order."""
        return self.session is None and len(self.active_antennas) > 1

    @property
    def longest_order_s(self) -> float:
        """How long an order may take."""
        if not self.switches:
            return self.repeat * ROUND_S
        return self.repeat * len(self.active_antennas) * (self.stay * ROUND_S + self.interval_ms / 1000)

    def channels(self) -> tuple[int, int]:
        """The first and the last channel to hop between.

        Raises:
            ValueError: the region does not allow them.
        """
        first, last = commands.REGION_CHANNELS[self.region]
        allowed = [channel for channel in range(first, last + 1) if self._wants(commands.frequency_mhz(channel))]
        low, high = commands.frequency_mhz(first), commands.frequency_mhz(last)
        for name, limit in (("first_mhz", self.first_mhz), ("last_mhz", self.last_mhz)):
            if limit is not None and not low <= limit <= high:
                raise ValueError(f"{name} = {limit:g} is not in region {self.region}: {low:g} to {high:g} MHz")
        if not allowed:
            raise ValueError("no channel lies between first_mhz and last_mhz; channels are 0.5 MHz apart")
        return allowed[0], allowed[-1]

    def powers_dbm(self) -> dict[int, int]:
        """The transmit power of each antenna in use."""
        powers = self.power_dbm
        each = powers if isinstance(powers, tuple) else (powers,) * len(self.active_antennas)
        return dict(zip(self.active_antennas, each, strict=True))

    def _wants(self, mhz: float) -> bool:
        return (self.first_mhz is None or mhz >= self.first_mhz) and (self.last_mhz is None or mhz <= self.last_mhz)
