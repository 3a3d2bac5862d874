"""How much is in each zone: the retained `count`, in which few people are never told apart."""

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from broker_config.messages import ZoneCount, group_safe
from broker_config.site import ZoneId

LOOK_EVERY_S = 1.0


class CountWatch:
    """The zones of an agent.

    Args:
        zones: by the layout's index.
        counts: items and people present, int64[zones, 2].
        show: publishes a retained state.
    """

    def __init__(
        self, zones: Sequence[ZoneId], counts: Callable[[], NDArray[np.int64]], show: Callable[[ZoneCount], None]
    ) -> None:
        self._zones, self._counts, self._show = tuple(zones), counts, show
        self._shown: dict[ZoneId, ZoneCount] = {}

    async def run(self) -> None:
        """Say what has changed, once a second at most, for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """One turn of `run`."""
        for zone, (items, people) in zip(self._zones, self._counts().tolist(), strict=True):
            count = ZoneCount(zone=zone, people=group_safe(people), items=items)
            if count != self._shown.get(zone):
                self._shown[zone] = count
                self._show(count)
