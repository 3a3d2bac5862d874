"""Mercury UHF modules: the keys of the stanza, which the driver's docstring shows."""

from typing import Annotated, Literal

import msgspec

from readers.mercury import commands
from readers.settings import DeviceSettings

Antenna = Annotated[int, msgspec.Meta(ge=1, le=16)]
FrequencyKhz = Annotated[int, msgspec.Meta(ge=840_000, le=960_000)]


class MercurySettings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one module is told."""

    baud: Literal[9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600] = 115200
    region: str
    power_dbm: Annotated[float, msgspec.Meta(ge=0, le=33)]
    active_antennas: tuple[Antenna, ...] = (1,)
    session: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    target: Literal["A", "B", "AB", "BA"] = "A"
    q: Annotated[int, msgspec.Meta(ge=0, le=15)] | None = None
    hop_khz: Annotated[tuple[FrequencyKhz, ...], msgspec.Meta(max_length=commands.MAX_HOPS)] = ()

    def __post_init__(self) -> None:
        """Check what types cannot."""
        if self.region not in commands.REGIONS:
            raise ValueError(f"region {self.region!r} is none of {', '.join(commands.REGIONS)}")
        if not self.active_antennas or len(set(self.active_antennas)) < len(self.active_antennas):
            raise ValueError("active_antennas must name one or more ports, each once")
