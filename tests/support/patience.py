"""How long a test waits for what must come: long, for it costs nothing, and a machine may stand still in between."""

import asyncio
from collections.abc import Callable

WAIT_S = 60.0
STANDSTILL_S = 15.0
"""What is added where the seconds themselves are promised."""
STOP_S = 5.0 + STANDSTILL_S
"""A stop of any of our programs takes at most 5 s."""


async def eventually(condition: Callable[[], object], within_s: float = WAIT_S) -> None:
    """Return once the condition holds.

    Raises:
        TimeoutError: it does not within `within_s`.
    """
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)
