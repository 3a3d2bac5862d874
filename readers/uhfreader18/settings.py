"""UHFReader18 / UHFReader288: the keys of their stanzas, which `reader.py` shows."""

from typing import Annotated, Literal

import msgspec

from readers.settings import Baud, DeviceSettings
from readers.uhfreader18.commands import BANDS, Band

LEAST_SCAN_MS, MOST_SCAN_MS, SCAN_STEP_MS = 300, 25_500, 100
Antenna = Annotated[int, msgspec.Meta(ge=1, le=8)]


class UhfSettings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What both families are told."""

    baud: Baud = 57600
    address: Annotated[int, msgspec.Meta(ge=0, le=255)] = 255
    region: str
    channel: Annotated[int, msgspec.Meta(ge=0, le=63)] | None = None
    power_dbm: Annotated[int, msgspec.Meta(ge=0, le=33)]
    mode: Literal["poll", "active"] = "poll"
    scan_time_ms: Annotated[int, msgspec.Meta(ge=LEAST_SCAN_MS, le=MOST_SCAN_MS, multiple_of=SCAN_STEP_MS)] = 300

    def __post_init__(self) -> None:
        """Check what types cannot."""
        if self.region not in BANDS:
            raise ValueError(f"region {self.region!r} is none of {', '.join(BANDS)}")
        if self.channel is not None and self.channel >= self.band.channels:
            raise ValueError(f"channel {self.channel} is beyond {self.region}, which has 0 to {self.band.channels - 1}")

    @property
    def band(self) -> Band:
        """The region's band."""
        return BANDS[self.region]

    @property
    def scan_time_100ms(self) -> int:
        """The scan time as the reader counts it."""
        return self.scan_time_ms // SCAN_STEP_MS


class Settings18(UhfSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an UHFReader18 is told besides."""

    assumed_dbm: Annotated[float, msgspec.Meta(ge=-120, le=0)] = -60.0


class Settings288(UhfSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an UHFReader288 is told besides."""

    active_antennas: tuple[Antenna, ...] = (1,)
    q: Annotated[int, msgspec.Meta(ge=0, le=15)] = 4
    session: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    target: Literal["A", "B"] = "A"

    def __post_init__(self) -> None:
        """Check what types cannot."""
        super().__post_init__()
        if not self.active_antennas or len(set(self.active_antennas)) < len(self.active_antennas):
            raise ValueError("active_antennas must name one or more antennas, each once")
