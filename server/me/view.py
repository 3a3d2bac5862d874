"""What a member's page shows, and what an export holds: one member's rows and nobody else's."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from broker_config.site import Text
from server.clock import to_datetime
from server.decisions.model import DecisionRecord, Fate, fate_of
from server.decisions.store import to_records
from server.members.importer import PURPOSES
from server.members.store import CardVault, latest_consents
from server.tables import (
    AuditRow,
    CardRow,
    ConsentRow,
    DecisionRow,
    HandleRow,
    InterestRow,
    MemberRow,
    PreferenceRow,
    ProofRow,
    SessionRow,
    VisitRow,
    VisitTokenRow,
)

SHOWN = 30


@dataclass(frozen=True, slots=True)
class PurposeView:
    """A purpose as a switch; `since` None: never asked."""

    name: str
    granted: bool
    since: datetime | None


@dataclass(frozen=True, slots=True)
class InterestView:
    """A subject that the store speaks of, or that the member once declared; `liked` None: nothing is said of it."""

    tag: str
    name: Text
    liked: bool | None


@dataclass(frozen=True, slots=True)
class SaidView:
    """Something that was sent to a screen, or left unsaid, and why.

    Args:
        fate: what became of it on the screen; None where nothing was sent.
    """

    at: datetime
    say: Text
    fate: Fate | None
    shown_at: datetime | None


@dataclass(frozen=True, slots=True)
class MeView:
    """All that the page shows."""

    alias: str
    language: str
    joined: datetime
    purposes: tuple[PurposeView, ...]
    interests: tuple[InterestView, ...]
    quiet: str
    cap: int | None
    visits: int
    said: tuple[SaidView, ...]


async def look_at(session: AsyncSession, member: str, subjects: Mapping[str, Text], now: datetime) -> MeView | None:
    """A member's own view; None where there is no such member.

    Args:
        subjects: what the store speaks of, and how it is called.
    """
    row = await session.get(MemberRow, member)
    if row is None:
        return None
    consents = (await latest_consents(session, [member])).get(member, {})
    interests = await session.scalars(select(InterestRow).where(InterestRow.member == member))
    declared = {each.tag: each.liked for each in interests}
    preference = await session.get(PreferenceRow, member)
    visits = list(await session.scalars(select(VisitRow.id).where(VisitRow.member == member)))
    return MeView(
        alias=row.alias,
        language=row.language,
        joined=to_datetime(row.created_ns),
        purposes=tuple(_purpose(name, consents.get(name)) for name in sorted(PURPOSES)),
        interests=tuple(
            InterestView(tag, subjects.get(tag, {"en": tag}), declared.get(tag))
            for tag in sorted(subjects.keys() | declared.keys())
        ),
        quiet=preference.quiet if preference else "",
        cap=preference.cap if preference else None,
        visits=len(visits),
        said=tuple(
            SaidView(each.at, each.say, fate_of(each, now), each.shown_at)
            for each in await _decisions(session, member, SHOWN)
        ),
    )


def _purpose(name: str, consent: ConsentRow | None) -> PurposeView:
    return PurposeView(name, consent is not None and consent.granted, to_datetime(consent.at_ns) if consent else None)


async def _decisions(session: AsyncSession, member: str, limit: int | None = None) -> list[DecisionRecord]:
    theirs = select(VisitRow.id).where(VisitRow.member == member)
    query = select(DecisionRow).where(DecisionRow.visit.in_(theirs)).order_by(DecisionRow.at_ns.desc(), DecisionRow.id)
    return await to_records(session, await session.scalars(query if limit is None else query.limit(limit)))


async def export(session: AsyncSession, vault: CardVault, member: str, audit_id: str) -> dict[str, object]:
    """Everything held of a member, in plain JSON values.

    Args:
        audit_id: under which the access log writes them down.
    """
    visits = select(VisitRow.id).where(VisitRow.member == member)
    decisions = await _decisions(session, member)
    proofs = select(ProofRow).where(ProofRow.decision.in_([each.decision for each in decisions]))
    log = select(AuditRow).where(AuditRow.object_kind == "member", AuditRow.object_id == audit_id)
    cards = list(await session.scalars(select(CardRow).where(CardRow.member == member)))
    return {
        "member": await _rows(session, select(MemberRow).where(MemberRow.id == member)),
        "cards": [vault.open(member, card.nonce, card.epc).hex() for card in cards],
        "consents": await _rows(session, select(ConsentRow).where(ConsentRow.member == member)),
        "interests": await _rows(session, select(InterestRow).where(InterestRow.member == member)),
        "preferences": await _rows(session, select(PreferenceRow).where(PreferenceRow.member == member)),
        "handles": await _rows(session, select(HandleRow).where(HandleRow.member == member)),
        "visits": await _rows(session, select(VisitRow).where(VisitRow.member == member)),
        "visit_tokens": await _rows(session, select(VisitTokenRow).where(VisitTokenRow.visit.in_(visits))),
        "decisions": decisions,
        "proofs": await _rows(session, proofs),
        "sessions": await _rows(session, select(SessionRow).where(SessionRow.principal == member)),
        "access_log": await _rows(session, log),
    }


async def _rows(session: AsyncSession, query: object) -> list[dict[str, object]]:
    return [_plain(row) for row in await session.scalars(query)]  # type: ignore[call-overload]


def _plain(row: DeclarativeBase) -> dict[str, object]:
    """A row by its columns; times as such, bytes as base64."""
    plain: dict[str, object] = {}
    for column in row.__table__.columns:
        value = getattr(row, column.key)
        if column.key.endswith("_ns") and isinstance(value, int):
            plain[column.key.removesuffix("_ns")] = to_datetime(value).isoformat()
        else:
            plain[column.key] = base64.b64encode(value).decode() if isinstance(value, bytes) else value
    return plain
