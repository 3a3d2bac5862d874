"""Messages that cannot be read: set aside once, told on `bad/`, never in the way."""

import base64
import hashlib
import logging

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.messages import Bad
from broker_config.site import is_level
from broker_config.topics import parse_topic
from server.link import Incoming
from server.tables import BadMessageRow
from server.work import Work

log = logging.getLogger(__name__)

KEPT_BYTES = 4096
KEPT_MESSAGES = 10_000


async def set_aside(work: Work, incoming: Incoming, why: str) -> bool:
    """Keep a bad message and tell of it; false when it is an old acquaintance, such as a retained one told again."""
    digest = hashlib.sha256(incoming.topic.encode() + b"\0" + incoming.payload).digest()
    if await work.session.get(BadMessageRow, digest) is not None:
        return False
    row = BadMessageRow(
        digest=digest, topic=incoming.topic, why=why, payload=incoming.payload, received_ns=incoming.received_ns
    )
    work.session.add(row)
    await work.session.flush()
    parsed = parse_topic(incoming.topic)
    source = parsed[2] if parsed is not None and is_level(parsed[2]) else "unknown"
    kept = base64.b64encode(incoming.payload[:KEPT_BYTES]).decode()
    work.send(Bad(came_on=incoming.topic, why=why, payload=kept), source=source)
    log.warning("set aside a message on %s: %s", incoming.topic, why)
    return True


async def trim(work: Work) -> None:
    """Keep the newest only."""
    oldest = select(BadMessageRow.received_ns).order_by(BadMessageRow.received_ns.desc()).offset(KEPT_MESSAGES).limit(1)
    limit_ns = await work.session.scalar(oldest)
    if limit_ns is not None:
        await work.session.execute(delete(BadMessageRow).where(BadMessageRow.received_ns <= limit_ns))


async def count(session: AsyncSession) -> int:
    """How many are set aside."""
    return await session.scalar(select(func.count()).select_from(BadMessageRow)) or 0
