"""What every kind of message is made of."""

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time.  One without a time zone is refused, so that receivers can compare what they get."""
Version = tuple[int, int]
"""[server epoch, counter]: a fence per target.  A receiver refuses what is not newer than the last it applied."""


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
