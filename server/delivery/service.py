"""What is taken in otherwise than from the broker."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.errors import MessageError
from broker_config.messages import EventPost, PostAnswer
from broker_config.site import AgentId
from server.clock import to_datetime
from server.clones import Clones, Speech
from server.delivery.schemas import BadMessage, ReplayReport
from server.errors import NotFound, TooMany
from server.inbox import Inbox
from server.link import Incoming
from server.marks import Marks
from server.tables import BadMessageRow
from server.work import Ledger

REPLAY_AT_ONCE = 200


class DeliveryService:
    """Events that agents post, and messages that were set aside."""

    def __init__(self, ledger: Ledger, inbox: Inbox, marks: Marks, clones: Clones) -> None:
        self._ledger, self._inbox, self._marks, self._clones = ledger, inbox, marks, clones
        self._posting: set[AgentId] = set()

    async def post(self, agent: AgentId, post: EventPost, received_ns: int) -> PostAnswer:
        """Take in what an agent has posted, as if it had come from the broker; the answer is its acknowledgement.

        Raises:
            TooMany: a post of this agent is being taken in.
            OperationalError: the database cannot be written; nothing was taken in.
        """
        if agent in self._posting:
            raise TooMany("an earlier post of this agent is being taken in; wait for its answer", retry_after_s=1.0)
        self._posting.add(agent)
        try:
            refused = self._inbox.counters.foreign
            batch = [Incoming(row.topic, row.payload.encode(), received_ns, agent) for row in post.rows]
            touched = await self._inbox.take(
                batch, Speech(agent, post.generation, post.session, received_ns, received_ns)
            )
        finally:
            self._posting.remove(agent)
        return PostAnswer(
            acks=tuple(self._marks.ack(key) for key in sorted(touched) if key[0] == agent),
            refused=self._inbox.counters.foreign - refused,
            quarantined=self._clones.quarantined(agent),
        )

    async def list_bad(self, session: AsyncSession) -> list[BadMessage]:
        """What is set aside, newest first."""
        rows = await session.scalars(select(BadMessageRow).order_by(BadMessageRow.received_ns.desc()))
        return [
            BadMessage(
                id=row.digest.hex()[:16],
                topic=row.topic,
                why=row.why,
                size_bytes=len(row.payload),
                received=to_datetime(row.received_ns),
            )
            for row in rows
        ]

    async def replay(self, ids: Collection[str]) -> ReplayReport:
        """Try messages again that were set aside: after an upgrade they may be readable.

        Raises:
            NotFound: one that is named is not there.
        """
        async with self._ledger.transaction() as work:
            digests = (
                await work.session.scalars(select(BadMessageRow.digest).order_by(BadMessageRow.received_ns))
            ).all()
        chosen = [digest for digest in digests if not ids or digest.hex()[:16] in ids]
        if unknown := set(ids) - {digest.hex()[:16] for digest in chosen}:
            raise NotFound(f"nothing is set aside as {', '.join(sorted(unknown))}")
        replayed = 0
        for start in range(0, len(chosen), REPLAY_AT_ONCE):
            for digest in chosen[start : start + REPLAY_AT_ONCE]:
                replayed += await self._replay_one(digest)
        return ReplayReport(replayed=replayed, still_bad=len(chosen) - replayed)

    async def _replay_one(self, digest: bytes) -> bool:
        try:
            async with self._ledger.transaction() as work:
                row = await work.session.get(BadMessageRow, digest)
                if row is None:
                    return False
                await self._inbox.replay(work, Incoming(row.topic, row.payload, row.received_ns))
                await work.session.delete(row)
        except MessageError:
            return False
        return True
