"""How long to wait before the next try: doubling, with jitter, so that a hundred gateways do not return in step."""

import random

FIRST_S = 0.25
MAX_S = 5.0


class Backoff:
    """Delays for one thing that is retried."""

    def __init__(self, first_s: float = FIRST_S, max_s: float = MAX_S) -> None:
        self._first_s, self._max_s = first_s, max_s
        self._next_s = first_s

    def reset(self) -> None:
        """It worked: begin again with the shortest delay."""
        self._next_s = self._first_s

    def next_delay_s(self) -> float:
        """Between half and all of a delay that doubles up to its maximum."""
        delay_s = self._next_s
        self._next_s = min(delay_s * 2, self._max_s)
        return delay_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
