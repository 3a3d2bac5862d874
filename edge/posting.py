"""Events by HTTP when the broker is away, or does not pass them on: the same rows, the same acknowledgement.

What happens now goes first, what waits behind it follows in order, a post at a time; each answer comes after the server's
commit.  MQTT goes on trying meanwhile, and what both have sent counts once.
"""

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable, Sequence

import httpx
import msgspec

from broker_config.backoff import Backoff
from broker_config.messages import EdgeDropped, EdgeQuarantined, EventPost, PostAnswer, PostedRow
from edge.config import EdgeConfig
from edge.events import Announcer
from edge.outbox import Outbox
from edge.outbox_rows import Row
from edge.runs import index_of
from edge.uplink import Uplink
from edge.uplink_handlers import at_once

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.25
STALLED_S = 60.0  # connected, and the server still lacks the same event
TIMEOUT_S = 15.0
MAX_BACKOFF_S = 30.0
LIVE_ROWS, ROWS, DROPS, SALVAGED = 100, 500, 100, 100  # of a post at most
MAX_BYTES = 512 * 1024  # of payloads in a post
Message = tuple[str, bytes]

_answer = msgspec.json.Decoder(PostAnswer)


class Poster:
    """Posts what the server lacks, for as long as the uplink cannot bring it there.

    Args:
        may_send: as in `Handlers`.
        transport: tests put their own server here.
    """

    def __init__(
        self,
        config: EdgeConfig,
        announcer: Announcer,
        outbox: Outbox,
        uplink: Uplink,
        may_send: Callable[[], Awaitable[None]] = at_once,
        transport: httpx.AsyncBaseTransport | None = None,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self.posted = 0
        """Rows that were answered for."""
        self._announcer, self._outbox, self._uplink = announcer, outbox, uplink
        self._may_send = may_send
        self._agent, self._patience_s = config.agent, config.outbox.post_after_s
        self._url = f"{config.server}/api/edge/{config.agent}/events"
        self._auth, self._trust = (
            httpx.BasicAuth(config.credential.user, config.credential.password),
            config.server_trust,
        )
        self._transport, self._look_every_s = transport, look_every_s
        self._now_s = asyncio.get_running_loop().time
        self._progress = outbox.acked_upto, self._now_s()
        self._live = self._backlog = 0  # posted up to here
        self._trouble = ""

    async def run(self) -> None:
        """Look now and then whether it is needed, for ever; a server that is away is retried with growing delays."""
        while True:
            self._live, self._backlog = self._outbox.last_seq, self._outbox.acked_upto
            if self.is_needed():
                await self._post_while_needed()
            await asyncio.sleep(self._look_every_s)

    async def _post_while_needed(self) -> None:
        """With a connection that is closed at the end: one that nobody uses stays open on this side long after the server's."""
        await self._may_send()
        backoff = Backoff(max_s=MAX_BACKOFF_S)
        async with self._client() as client:
            while self.is_needed():
                if await self._post_some(client):
                    backoff.reset()
                else:
                    await asyncio.sleep(backoff.next_delay_s())

    def is_needed(self) -> bool:
        """Whether something waits that the broker has not brought there for too long."""
        if self._outbox.acked_upto != self._progress[0] or not self._outbox.waiting:
            self._progress = self._outbox.acked_upto, self._now_s()
        away = self._patience_s > 0 and self._uplink.away_s >= self._patience_s
        return away or (self._patience_s > 0 and self._now_s() - self._progress[1] >= STALLED_S)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            auth=self._auth, timeout=TIMEOUT_S, transport=self._transport, trust_env=False, verify=self._trust
        )

    async def _post_some(self, client: httpx.AsyncClient) -> bool:
        """One post; false where it came to nothing."""
        messages, live, backlog = await self._gather()
        if not messages:
            self._backlog = self._outbox.acked_upto  # what was posted and not acknowledged is due again
            await asyncio.sleep(self._look_every_s)
            return True
        answer = await self._post(client, messages)
        if answer is None:
            return False
        self._live, self._backlog = live, backlog
        self.posted += len(messages)
        for ack in answer.acks:
            await self._uplink.acknowledge(ack)
        self._uplink.hear_quarantine(EdgeQuarantined(quarantined=answer.quarantined))
        return True

    async def _gather(self) -> tuple[list[Message], int, int]:
        """The next post, and how far it goes in the live rows and in the backlog."""
        messages = [await self._declared(drop.first, drop.last) for drop in (await self._outbox.drops())[:DROPS]]
        found = [each for some in messages for each in some]
        acked = self._outbox.acked_upto
        live, backlog, size = max(self._live, acked), max(self._backlog, acked), 0
        for row in await self._outbox.rows_after(live, LIVE_ROWS):
            found.append(self._as_sent(row))
            live, size = row.seq, size + len(row.payload)
        for row in await self._outbox.rows_after(backlog, ROWS):
            if row.seq > self._live or size + len(row.payload) > MAX_BYTES:
                break
            if index_of(row.seq, self._uplink.delivery.held) is None:
                found.append(self._as_sent(row))
                size += len(row.payload)
            backlog = row.seq
        if not found:
            found = [(topic, payload) for _, topic, payload in await self._outbox.salvaged_after(0, SALVAGED)]
        return found, live, backlog

    def _as_sent(self, row: Row) -> Message:
        generation = self._outbox.places(row.seq, row.seq)[0].generation
        return row.topic, self._announcer.put_right(row.payload, generation)

    async def _declared(self, first: int, last: int) -> list[Message]:
        places = self._outbox.places(first, last)
        data = (EdgeDropped(generation=p.generation, first=p.first, last=p.last, event_class="A") for p in places)
        return [self._announcer.passing(each, self._agent, agent=self._agent) for each in data]

    async def _post(self, client: httpx.AsyncClient, messages: Sequence[Message]) -> PostAnswer | None:
        # What is no text is nothing that the server could read either: it sets it aside.
        rows = tuple(PostedRow(topic, payload.decode(errors="replace")) for topic, payload in messages)
        session = self._uplink.states.next_session()
        post = EventPost(generation=self._outbox.generation, session=session, rows=rows)
        content = await asyncio.to_thread(gzip.compress, msgspec.json.encode(post), 6)
        try:
            answer = await client.post(self._url, content=content, headers={"content-encoding": "gzip"})
            answer.raise_for_status()
            said = _answer.decode(answer.content)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            trouble = f"{self._url}: {error or type(error).__name__}"
            log.log(logging.DEBUG if trouble == self._trouble else logging.WARNING, "events not posted: %s", trouble)
            self._trouble = trouble
            return None
        if self._trouble or not self.posted:
            log.warning("events go to the server by HTTP until the broker takes them")
        self._trouble = ""
        return said
