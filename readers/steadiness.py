"""Whether a weight is at rest, for scales that do not say so themselves."""

from collections import deque
from decimal import Decimal


class Steadiness:
    """The last `count` weights lie within `spread_g` of each other.

    So a pan that creeps slower than `spread_g` per `count` weights counts as at rest, and a single wild value as motion
    until it has left the window.

    Args:
        count: at least 2.
    """

    def __init__(self, count: int, spread_g: Decimal) -> None:
        self._last: deque[Decimal] = deque(maxlen=count)
        self._spread_g = spread_g

    def is_stable_with(self, grams: Decimal) -> bool:
        """Take in one weight; whether the pan is now at rest."""
        self._last.append(grams)
        return len(self._last) == self._last.maxlen and max(self._last) - min(self._last) <= self._spread_g

    def forget(self) -> None:
        """Weights were missed, so those to come do not continue these."""
        self._last.clear()
