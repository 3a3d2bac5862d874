"""The tables of an agent's configuration that are all ours: no driver has keys in them."""

from typing import Annotated, Literal

import msgspec

from broker_config.site import Level, Strict
from broker_config.tls import BrokerTls
from readers.epc import require_check_digit

Grams = Annotated[float, msgspec.Meta(gt=0, le=1_000_000)]
Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class BrokerAddress(Strict, frozen=True):
    """Where the broker listens, and what a broker on another machine asks for."""

    host: str
    port: Port
    tls: BrokerTls | None = None


class Antenna(Strict, frozen=True):
    """One antenna of a reader.

    Args:
        number: as the reader counts it, from 1.
        zone: the place it covers; several antennas may cover one.
        floor_dbm: reads weaker than this do not begin a presence.
        side: at a door with antennas on both sides: which one this is on; their order tells who comes in and who goes out.
    """

    number: Annotated[int, msgspec.Meta(ge=1, le=255)]
    zone: Level
    floor_dbm: Annotated[float, msgspec.Meta(ge=-200, le=100)] = -128.0
    side: Literal["", "inside", "outside"] = ""


class ShelfItem(Strict, frozen=True):
    """An article a shelf holds.

    Args:
        gtin: GTIN-14.
        unit_g: what one weighs.
        tolerance_g: by how much one may differ from it, either way.
    """

    gtin: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{14}$")]
    unit_g: Grams
    tolerance_g: Grams

    def __post_init__(self) -> None:
        """Refuse a number that no tag can carry."""
        require_check_digit(self.gtin)


class OutboxLimits(Strict, frozen=True):
    """How much disk the outbox may take, and how long it waits for the broker.

    Args:
        quota_mb: its file, at most; what does not fit is dropped, the least class first, and counted.
        goods_percent: of it, the events of goods and shelves at most; members' events may take all.
        health_percent: of it, the events of health at most.
        alarm_percent: how full the outbox or the disk may be before the agent warns.
        post_after_s: without a broker for so long, its events go to the server by HTTP; 0: never.
    """

    quota_mb: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 256
    goods_percent: Percent = 60
    health_percent: Percent = 10
    alarm_percent: Percent = 90
    post_after_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 20.0


class SnapshotSettings(Strict, frozen=True):
    """What a restart begins with.

    Args:
        every_s: how often what is present is written to the disk; what changed since is found out anew.
        max_age_s: an older snapshot is refused: who was there then has gone.
    """

    every_s: Annotated[float, msgspec.Meta(ge=0.5, le=3600)] = 5.0
    max_age_s: Annotated[float, msgspec.Meta(gt=0, le=1_209_600)] = 86_400.0
