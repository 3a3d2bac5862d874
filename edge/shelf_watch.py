"""A shelf in the agent: its scale and its zone's tags into the fusion, changes and the retained state out."""

import asyncio
from collections.abc import Callable, Sequence

from broker_config.messages import ShelfState
from edge.device_config import ScaleConfig
from edge.events import Announcer
from edge.outbox_rows import PendingEvent
from edge.presence_model import PresentTag
from edge.shelf import NOISE_G, ShelfFusion
from edge.shelf_fit import Article
from readers.epc import decode
from readers.model import ClockNs, Weight

LOOK_EVERY_S = 0.1
STATE_EVERY_NS = 1_000_000_000


def gtin_of(epc: bytes) -> str | None:
    """The article of an item's EPC, whichever SGTIN scheme it is of; None for what is none."""
    return decode(epc).gtin


class ShelfWatch:
    """One shelf.

    Args:
        tags: who is in the shelf's zone now.
        report: takes durable events over.
        show: publishes the retained state.
    """

    def __init__(
        self,
        config: ScaleConfig,
        announcer: Announcer,
        tags: Callable[[], Sequence[PresentTag]],
        report: Callable[[Sequence[PendingEvent]], None],
        show: Callable[[ShelfState], None],
        clock_ns: ClockNs,
    ) -> None:
        self._config, self._announcer, self._tags = config, announcer, tags
        self._report, self._show, self._clock_ns = report, show, clock_ns
        articles = [Article(item.gtin, item.unit_g, item.tolerance_g) for item in config.items]
        self._fusion = ShelfFusion(articles, gtin_of)
        self._scale_open = False
        self._shown: ShelfState | None = None
        self._shown_ns = 0

    def weigh(self, weight: Weight) -> None:
        """Take in one weight."""
        self._scale_open = True
        self._fusion.weigh(float(weight.grams), weight.weighed_at_ns, stable=weight.stable)

    def scale_lost(self) -> None:
        """No weight can be trusted until the scale is back."""
        self._scale_open = False
        self._fusion.forget_level()

    async def run(self) -> None:
        """Look at the tags and say what happened, for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """One turn of `run`."""
        now_ns = self._clock_ns()
        self._fusion.see(self._tags(), now_ns)
        changes = self._fusion.tick(now_ns)
        self._report([self._announcer.shelf_change(self._config.shelf, change) for change in changes])
        self._show_state(now_ns)

    def _show_state(self, now_ns: int) -> None:
        """At most once a second, and not for noise."""
        sensor = "lost" if not self._scale_open else "moving" if self._fusion.moving else "ok"
        grams = self._fusion.grams if self._scale_open else None
        state = ShelfState(
            shelf=self._config.shelf,
            grams=None if grams is None else round(grams, 1),
            items=self._fusion.items(now_ns),
            sensor=sensor,
        )
        if now_ns - self._shown_ns >= STATE_EVERY_NS and _differs(state, self._shown):
            self._shown, self._shown_ns = state, now_ns
            self._show(state)


def _differs(state: ShelfState, shown: ShelfState | None) -> bool:
    if shown is None or (state.items, state.sensor) != (shown.items, shown.sensor):
        return True
    if state.grams is None or shown.grams is None:
        return state.grams is not shown.grams
    return abs(state.grams - shown.grams) > NOISE_G
