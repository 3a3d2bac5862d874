"""What waits behind the live events: sent in order and paced, and many in a message where the server takes that.

A message of the broker's costs either side many times what an event in it does.  Whether the whole way is open to messages
of many, the server must have said: an older one, or a broker whose access list was made before, would lose them without a
word.  So each connection, and each new session of the server's, begins with an empty one, and the server's
acknowledgements say whether it came.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from broker_config.messages import MAX_PAYLOAD_BYTES, EdgeBacklog, PostedRow
from edge.delivery import Delivery
from edge.events import Announcer
from edge.outbox import Outbox
from edge.outbox_rows import Row

ROWS, ROWS_TOGETHER = 50, 80  # looked through at a time: one by one, and many in a message
EVERY_S = 0.025  # 2 000 and 3 200 events/s at most, so that live ones pass
Message = tuple[str, bytes]
Publish = Callable[[Message | Row], Awaitable[None]]


class Backlog:
    """The lane beside the live events, over one connection after another.

    Args:
        wake: set when there may be something to do.
    """

    def __init__(self, outbox: Outbox, announcer: Announcer, delivery: Delivery) -> None:
        self.wake = asyncio.Event()
        self.together = False
        """Whether the server takes many in a message, by its last word."""
        self._outbox, self._announcer, self._delivery = outbox, announcer, delivery
        self._must_ask = True
        self._now_s = asyncio.get_running_loop().time

    def begin_anew(self) -> None:
        """A new connection, or a new session of the server's: nothing is known of the way."""
        self.together, self._must_ask = False, True
        self.wake.set()

    def heard(self, *, together: bool) -> None:
        """The server has acknowledged something, and said whether messages of many come to it."""
        self.together = together
        self.wake.set()

    async def send(self, publish: Publish) -> None:
        """Go on for as long as the connection stands.

        Args:
            publish: hands over a message of many, or one event, once there is room for it on the way.
        """
        while True:
            await self._ask(publish)
            while self._delivery.may_send_backlog():
                await self._ask(publish)
                await self._send_some(publish)
                await asyncio.sleep(EVERY_S)
            self.wake.clear()
            if not self._delivery.may_send_backlog() and not self._must_ask:
                await self.wake.wait()

    async def _ask(self, publish: Publish) -> None:
        if self._must_ask:
            self._must_ask = False
            await publish(self._message(()))

    async def _send_some(self, publish: Publish) -> None:
        after, asked = self._delivery.cursor, ROWS_TOGETHER if self.together else ROWS
        rows = await self._outbox.rows_after(after, asked)
        due = self._delivery.take_backlog(after, rows, asked, self._now_s())
        for each in self._groups(due) if self.together else due:
            await publish(each)

    def _groups(self, rows: Sequence[Row]) -> Iterator[Message | Row]:
        """As few messages as hold them; one that is too long for company goes as it is."""
        if len(rows) > 1:
            message = self._message(rows)
            if len(message[1]) <= MAX_PAYLOAD_BYTES:
                yield message
            else:
                half = len(rows) // 2
                yield from self._groups(rows[:half])
                yield from self._groups(rows[half:])
        else:
            yield from rows

    def _message(self, rows: Sequence[Row]) -> Message:
        # What is no text is nothing that the server could read either: it sets it aside.
        posted = tuple(PostedRow(row.topic, self.as_sent(row).decode(errors="replace")) for row in rows)
        data, agent = EdgeBacklog(generation=self._outbox.generation, rows=posted), self._announcer.agent
        return self._announcer.passing(data, agent, agent=agent)

    def as_sent(self, row: Row) -> bytes:
        """An event with what the server must know of the clock of its time."""
        return self._announcer.put_right(row.payload, self._outbox.places(row.seq, row.seq)[0].generation)
