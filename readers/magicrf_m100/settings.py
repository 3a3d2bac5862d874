"""MagicRF M100 UHF module: the keys of its stanza, which the driver's docstring shows."""

from typing import Annotated, Literal

import msgspec

from readers.magicrf_m100 import commands
from readers.settings import DeviceSettings

Channel = Annotated[int, msgspec.Meta(ge=0, le=255)]


class M100Settings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one module is told."""

    baud: Literal[9600, 19200, 28800, 38400, 57600, 115200] = 115200
    region: str
    power_dbm: Annotated[float, msgspec.Meta(ge=0, le=33)]
    hopping: bool = True
    channel: Channel | None = None
    hop_channels: tuple[Channel, ...] = ()
    q: Annotated[int, msgspec.Meta(ge=0, le=15)] = 4
    session: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    target: Literal["A", "B"] = "A"
    select: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-fA-F]{2}){1,12}$")] | None = None
    select_bits: Annotated[int, msgspec.Meta(ge=1)] | None = None
    poll_count: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 10000

    def __post_init__(self) -> None:
        """Check what types cannot."""
        if self.region not in commands.REGIONS:
            raise ValueError(f"region {self.region!r} is none of {', '.join(commands.REGIONS)}")
        if self.hopping == (self.channel is not None):
            raise ValueError("`channel` goes with `hopping = false`, and only with it")
        if self.hop_channels and not self.hopping:
            raise ValueError("`hop_channels` goes with `hopping = true` only")
        count = commands.CHANNEL_COUNTS[self.region]
        for channel in (*self.hop_channels, self.channel or 0):
            if channel >= count:
                raise ValueError(f"region {self.region} has channels 0 to {count - 1}, no {channel}")
        for place, channel in enumerate(self.hop_channels):
            if channel in self.hop_channels[:place]:
                raise ValueError(f"hop_channels names {channel} twice")
        if self.select_bits is not None and self.select_bits > len(self.select or "") * 4:
            raise ValueError("select_bits is more than `select` has")
