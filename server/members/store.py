"""Members in the database.  Card numbers are encrypted, found by keyed hash, and opened only to build an agent's table."""

import hmac
import os
import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.identity import HANDLE_BYTES, NONCE_BYTES
from broker_config.site import AgentId
from server.decisions.gates import MemberFacts
from server.members.importer import MemberRecord
from server.secrets import Secrets
from server.tables import Base, CardRow, ConsentRow, HandleRow, InterestRow, MemberRow, PreferenceRow


@dataclass(frozen=True, slots=True)
class Profile:
    """What decisions need to know of a member."""

    member: str
    language: str
    facts: MemberFacts


class CardVault:
    """Encrypts and finds cards."""

    def __init__(self, keys: Secrets) -> None:
        self._cipher, self._hash_key = AESGCM(keys.card_key), keys.card_hash_key

    def find(self, card: bytes) -> bytes:
        """The keyed hash under which a card is stored."""
        return hmac.digest(self._hash_key, card, "sha256")

    def row(self, member: str, card: bytes) -> CardRow:
        """A card as it is stored; the member's id is bound to it, so that rows cannot be swapped."""
        nonce = os.urandom(NONCE_BYTES)
        epc = self._cipher.encrypt(nonce, card, member.encode())
        return CardRow(epc_hash=self.find(card), member=member, nonce=nonce, epc=epc)

    def open(self, member: str, nonce: bytes, epc: bytes) -> bytes:
        """The card's EPC."""
        return self._cipher.decrypt(nonce, epc, member.encode())


def new_member_id() -> str:
    """Random, so that it says nothing."""
    return f"m-{secrets.token_hex(8)}"


async def find_card_owner(session: AsyncSession, card_hash: bytes) -> str | None:
    """The member whose card this is."""
    return await session.scalar(select(CardRow.member).where(CardRow.epc_hash == card_hash))


async def latest_consents(
    session: AsyncSession, members: Iterable[str] | None = None
) -> dict[str, dict[str, ConsentRow]]:
    """By member and purpose, the row that counts; of all members, or of those named."""
    newest = select(func.max(ConsentRow.id)).group_by(ConsentRow.member, ConsentRow.purpose)
    if members is not None:
        newest = newest.where(ConsentRow.member.in_(members))
    found: dict[str, dict[str, ConsentRow]] = defaultdict(dict)
    for row in await session.scalars(select(ConsentRow).where(ConsentRow.id.in_(newest))):
        found[row.member][row.purpose] = row
    return found


async def granted(session: AsyncSession, member: str) -> frozenset[str]:
    """The purposes that a member has agreed to."""
    rows = (await latest_consents(session, [member])).get(member, {})
    return frozenset(purpose for purpose, row in rows.items() if row.granted)


async def load_profile(session: AsyncSession, member: str) -> Profile | None:
    """A member's profile; None for one who is not there."""
    row = await session.get(MemberRow, member)
    if row is None:
        return None
    preference = await session.get(PreferenceRow, member)
    interests = list(await session.scalars(select(InterestRow).where(InterestRow.member == member)))
    quiet = preference.quiet if preference else ""
    facts = MemberFacts(
        purposes=tuple(sorted(await granted(session, member))),
        interests=tuple(sorted(row.tag for row in interests if row.liked)),
        disinterests=tuple(sorted(row.tag for row in interests if not row.liked)),
        quiet=tuple(part.strip() for part in quiet.split(";") if part.strip()),
        cap=preference.cap if preference else None,
    )
    return Profile(member, row.language, facts)


async def write_wishes(session: AsyncSession, member: str, record: MemberRecord) -> None:
    """Set a member's interests and preferences to what the record says, but for those that the member has set."""
    own = await own_preference(session, member)
    if not own.own_interests:
        await session.execute(delete(InterestRow).where(InterestRow.member == member))
        session.add_all(_interests(member, record))
    if not own.own_wishes:
        own.quiet, own.cap = record.quiet, record.cap


async def own_preference(session: AsyncSession, member: str) -> PreferenceRow:
    """A member's preferences, to be changed in place; made now for one who has none."""
    row = await session.get(PreferenceRow, member)
    if row is None:
        row = PreferenceRow(member=member, quiet="", cap=None, own_wishes=False, own_interests=False)
        session.add(row)
    return row


def wishes(member: str, record: MemberRecord) -> list[Base]:
    """The rows of a new member's interests and preferences."""
    preference = PreferenceRow(member=member, quiet=record.quiet, cap=record.cap, own_wishes=False, own_interests=False)
    return [*_interests(member, record), preference]


def _interests(member: str, record: MemberRecord) -> list[Base]:
    return [
        *(InterestRow(member=member, tag=tag, liked=True) for tag in sorted(record.interests)),
        *(InterestRow(member=member, tag=tag, liked=False) for tag in sorted(record.disinterests)),
    ]


async def member_of_handle(session: AsyncSession, agent: AgentId, handle: bytes) -> str | None:
    """Whom a handle stands for; None once consent is withdrawn."""
    return await session.scalar(select(HandleRow.member).where(HandleRow.agent == agent, HandleRow.handle == handle))


async def handles_for(session: AsyncSession, agent: AgentId, members: Iterable[str]) -> dict[str, bytes]:
    """Every named member's handle at an agent, made now for who has none."""
    known = {row.member: row.handle for row in await session.scalars(select(HandleRow).where(HandleRow.agent == agent))}
    for member in members:
        if member not in known:
            known[member] = os.urandom(HANDLE_BYTES)
            session.add(HandleRow(agent=agent, member=member, handle=known[member]))
    return known


async def forget_handles(session: AsyncSession, member: str) -> None:
    """From now on no handle stands for this member, whatever a stale table still says."""
    await session.execute(delete(HandleRow).where(HandleRow.member == member))
