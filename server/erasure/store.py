"""The rows of an erasure: what goes, what is made anonymous, what stays as a tombstone."""

import hmac
from collections.abc import Iterable

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.erasure.journal import Tombstone
from server.tables import (
    BadMessageRow,
    CardRow,
    ErasedCardRow,
    ErasureReceiptRow,
    ErasureRow,
    HandleRow,
    MemberRow,
    SessionRow,
)


class Marks:
    """Keyed hashes by which an erased member is known again.  The key is not in the database."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def member(self, member: str) -> bytes:
        """Of a member's id."""
        return hmac.digest(self._key, b"member:" + member.encode(), "sha256")

    def card(self, epc_hash: bytes) -> bytes:
        """Of a card, by the hash under which it is stored."""
        return hmac.digest(self._key, b"card:" + epc_hash, "sha256")


async def traces_of(session: AsyncSession, member: str) -> list[bytes]:
    """The bytes that only this member's rows have: id, hashes and ciphertexts of cards, handles."""
    cards = list(await session.scalars(select(CardRow).where(CardRow.member == member)))
    handles = list(await session.scalars(select(HandleRow.handle).where(HandleRow.member == member)))
    return [member.encode(), *(card.epc_hash for card in cards), *(card.epc for card in cards), *handles]


async def card_marks(session: AsyncSession, marks: Marks, member: str) -> tuple[bytes, ...]:
    """The marks of a member's cards."""
    hashes = await session.scalars(select(CardRow.epc_hash).where(CardRow.member == member))
    return tuple(marks.card(epc_hash) for epc_hash in hashes)


async def erase_rows(session: AsyncSession, member: str) -> None:
    """Delete the member with all that hangs on the row, and set-aside messages that may speak of a visit."""
    await session.execute(delete(SessionRow).where(SessionRow.kind == "member", SessionRow.principal == member))
    await session.execute(delete(MemberRow).where(MemberRow.id == member))
    await session.execute(delete(BadMessageRow).where(BadMessageRow.topic.like("%/visit/%")))


async def bury(session: AsyncSession, tombstone: Tombstone, agents: Iterable[str]) -> None:
    """Write the tombstone, and whose receipts are awaited."""
    row = ErasureRow(
        version=tombstone.version,
        request=tombstone.request,
        at_ns=tombstone.at_ns,
        asked_by=tombstone.asked_by,
        member_mark=tombstone.member,
        done_ns=None,
        removed_files=0,
    )
    await session.merge(row)
    for mark in tombstone.cards:
        await session.merge(ErasedCardRow(mark=mark, version=tombstone.version))
    for agent in agents:
        if await session.get(ErasureReceiptRow, (tombstone.version, agent)) is None:
            session.add(ErasureReceiptRow(version=tombstone.version, agent=agent, at_ns=None))
    await session.flush()


async def tombstones(session: AsyncSession) -> list[Tombstone]:
    """Those that the database knows, oldest first."""
    cards: dict[int, list[bytes]] = {}
    for card in await session.scalars(select(ErasedCardRow)):
        cards.setdefault(card.version, []).append(card.mark)
    rows = await session.scalars(select(ErasureRow).order_by(ErasureRow.version))
    return [
        Tombstone(
            version=row.version,
            request=row.request,
            at_ns=row.at_ns,
            asked_by=row.asked_by,
            member=row.member_mark,
            cards=tuple(cards.get(row.version, ())),
        )
        for row in rows
    ]


async def newest_version(session: AsyncSession) -> int:
    """The version of the latest erasure; 0 before the first."""
    return await session.scalar(select(func.max(ErasureRow.version))) or 0


async def is_erased_card(session: AsyncSession, mark: bytes) -> bool:
    """Whether a card belonged to somebody who was erased."""
    return await session.get(ErasedCardRow, mark) is not None


async def readmit_card(session: AsyncSession, mark: bytes) -> None:
    """The owner says that this person joined anew."""
    await session.execute(delete(ErasedCardRow).where(ErasedCardRow.mark == mark))
