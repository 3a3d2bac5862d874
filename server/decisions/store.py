"""Stored decisions."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import to_datetime, to_ns
from server.decisions.explain import FORGOTTEN
from server.decisions.model import DecisionRecord
from server.tables import DecisionRow, ProofRow, VisitRow

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(DecisionRecord)


def to_row(record: DecisionRecord) -> DecisionRow:
    """The row of a decision.  The visit is a column only, so that it can be cleared; that it was shown is the receipt's to say."""
    return DecisionRow(
        id=record.decision,
        at_ns=to_ns(record.at),
        rule=record.rule,
        outcome=record.outcome,
        visit=record.visit,
        body=_encode(replace(record, visit=None, shown_at=None)),
    )


async def to_records(session: AsyncSession, rows: Iterable[DecisionRow]) -> list[DecisionRecord]:
    """The decisions in these rows, each with its screen's receipt."""
    rows = list(rows)
    receipts = select(ProofRow.decision, ProofRow.at_ns).where(
        ProofRow.phase == "started", ProofRow.decision.in_([row.id for row in rows])
    )
    shown_ns = {row.decision: row.at_ns for row in await session.execute(receipts)}
    return [_to_record(row, shown_ns.get(row.id)) for row in rows]


def _to_record(row: DecisionRow, shown_ns: int | None) -> DecisionRecord:
    shown_at = None if shown_ns is None else to_datetime(shown_ns)
    return replace(_decoder.decode(row.body), visit=row.visit, shown_at=shown_at)


async def forget_member(session: AsyncSession, member: str) -> None:
    """Take out of a member's decisions whose they were and what was personal in them; that they were made, and how they came
    out, stays.  Without it somebody's interests, caps and quiet hours would outlive the link by which they could be erased."""
    theirs = select(VisitRow.id).where(VisitRow.member == member)
    for row in await session.scalars(select(DecisionRow).where(DecisionRow.visit.in_(theirs))):
        row.body, row.visit = _encode(without_member(_decoder.decode(row.body))), None
    await session.flush()


def without_member(record: DecisionRecord) -> DecisionRecord:
    """The decision with nothing of the member in it."""
    gates = tuple(replace(gate, facts={}) for gate in record.gates)
    data = record.data | {"member": None, "shown": 0}
    return replace(record, visit=None, data=data, gates=gates, say=FORGOTTEN)


async def latest(session: AsyncSession, limit: int) -> list[DecisionRecord]:
    """The newest decisions, newest first."""
    rows = await session.scalars(select(DecisionRow).order_by(DecisionRow.at_ns.desc(), DecisionRow.id).limit(limit))
    return await to_records(session, rows)


async def find(session: AsyncSession, decision: str) -> DecisionRecord | None:
    """One decision."""
    row = await session.get(DecisionRow, decision)
    return None if row is None else (await to_records(session, [row]))[0]


async def count_by_outcome(session: AsyncSession) -> dict[str, int]:
    """How many decisions came out how."""
    rows = await session.execute(select(DecisionRow.outcome, func.count()).group_by(DecisionRow.outcome))
    return {row[0]: row[1] for row in rows}
