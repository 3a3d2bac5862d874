"""What every kind of message is made of."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time.  One without a time zone is refused, so that receivers can compare what they get."""
Version = tuple[int, int]
"""[server epoch, counter]: a fence per target.  A receiver refuses what is not newer than the last it applied."""
EpcHex = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2}){1,62}$")]
"""An item's EPC: lower-case hex, at most 496 bits."""
Direction = Literal["in", "out"]
"""Which way a door was passed, by the order of the antennas on its two sides."""
MIN_GROUP = 5
"""Fewer people than this are never told apart."""


def group_safe(people: int) -> str:
    """A count of people as it may be shown: below `MIN_GROUP`, none included, only that it is below.

    Nobody is shown as the same as one to four: a text that changes when the first comes would be a sensor for that person.
    """
    return str(people) if people >= MIN_GROUP else f"<{MIN_GROUP}"


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The `data` of an envelope.  `type_name` is the envelope's `type`; `topic` the row of `broker_config.topics`."""

    type_name: ClassVar[str] = ""
    topic: ClassVar[str] = ""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Why the agent believes it.

    Args:
        reads: how many reads stand behind it.
        rssi_dbm: their mean signal at the place.
        margin_db: by how much the place won over the next best; None when there was no other.
    """

    reads: int
    rssi_dbm: float
    margin_db: float | None = None
