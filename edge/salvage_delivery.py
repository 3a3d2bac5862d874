"""Sends what was saved from a damaged outbox, under the ids it had, until the server says that it holds all of it."""

import asyncio
from collections.abc import Awaitable, Callable

from broker_config.messages import EdgeDropped
from edge.broker_link import heeded
from edge.outbox import Outbox

AT_ONCE, PAUSE_S = 50, 0.1  # behind everything else
FIRST_WORD_S = 5.0
"""The server says at our birth how far it is with every generation; what it holds need not be sent."""
AGAIN_S = 30.0


async def deliver_salvaged(
    outbox: Outbox,
    publish: Callable[[str, bytes], Awaitable[object]],
    declare: Callable[[EdgeDropped], Awaitable[object]],
    wait_s: float = FIRST_WORD_S,
    again_s: float = AGAIN_S,
) -> None:
    """Return once nothing is left to send; acknowledgements take it away meanwhile."""
    await asyncio.sleep(wait_s)
    while True:
        lost, rows = await outbox.salvaged_lost(), await outbox.salvaged_after(0, AT_ONCE)
        if not rows and not lost:
            return
        while rows:
            for _, topic, payload in rows:
                await heeded(publish(topic, payload))
            await asyncio.sleep(PAUSE_S)
            rows = await outbox.salvaged_after(rows[-1][0], AT_ONCE)
        for each in lost:
            await declare(EdgeDropped(generation=each.generation, first=each.first, last=each.last, event_class="A"))
        await asyncio.sleep(again_s)
