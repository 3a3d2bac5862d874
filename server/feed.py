"""Happenings inside the server, for the live pages: fan-out to bounded queues, the slowest listener loses its oldest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

HappeningKind = Literal["visit", "item", "shelf", "decision", "shown", "actuator", "agent", "display"]
MAX_WAITING = 256


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the running story.

    Args:
        what: the verb, e.g. `entered`, `left`, `arrived`, `pick`, `made`, `started`, `ended`, `ready`, `lost`.
        place: zone, shelf, display or actuator id; empty where none applies.
        facts: plain JSON values for the page; never a name, a member id or a card.
    """

    kind: HappeningKind
    what: str
    at: datetime
    place: str = ""
    facts: dict[str, object] = field(default_factory=dict)


class Feed:
    """Publish to whoever listens now; nothing is kept for who comes later."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Happening]] = set()
        self.closed = False

    def close(self, at: datetime) -> None:
        """The server is about to stop: wake every listener, who then finds `closed` and leaves."""
        self.closed = True
        self.publish(Happening("agent", "closed", at))

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def publish(self, happening: Happening) -> None:
        """Hand it to every listener, dropping a full listener's oldest."""
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(happening)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[asyncio.Queue[Happening]]:
        """A queue that receives every happening while the block runs."""
        queue: asyncio.Queue[Happening] = asyncio.Queue(MAX_WAITING)
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)
