"""How long to wait before the next try: doubling, with jitter, so that those whom one trouble met do not return in step."""

import random
from typing import Self

FIRST_S = 0.25
MAX_S = 5.0
RETURNS_PER_S = 8  # of all gateways of a store together, so that chance makes no more than 20 of it


class Backoff:
    """Delays for one thing that is retried."""

    def __init__(self, first_s: float = FIRST_S, max_s: float = MAX_S, least_share: float = 0.5) -> None:
        self._first_s, self._max_s, self._least_share = first_s, max_s, least_share
        self._next_s = first_s

    @classmethod
    def among(cls, gateways: int) -> Self:
        """For one of so many that lose the same broker in the same instant: the delays are drawn from a time in which all may
        come back at `RETURNS_PER_S`.  A few gateways are back as soon as one alone."""
        all_back_s = gateways / RETURNS_PER_S
        if all_back_s <= FIRST_S:
            return cls()
        return cls(all_back_s, max(MAX_S, 3 * all_back_s), least_share=0.0)

    def reset(self) -> None:
        """It worked: begin again with the shortest delay."""
        self._next_s = self._first_s

    def next_delay_s(self) -> float:
        """Between half (or nothing) and all of a delay that doubles up to its maximum."""
        delay_s = self._next_s
        self._next_s = min(delay_s * 2, self._max_s)
        return delay_s * random.uniform(self._least_share, 1.0)  # noqa: S311 - no secret
