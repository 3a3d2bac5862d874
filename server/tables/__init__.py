"""What the server keeps.  Times are UTC nanoseconds.

A new table is named here, or Alembic does not see it, and needs a migration beside the others in `migrations/versions`.
"""

from server.tables.access import AuditRow, SessionRow, StaffLinkRow, StaffRow
from server.tables.base import Base
from server.tables.decisions import CommandRow, DecisionRow, EpochRow, PairedDisplayRow, ProofRow
from server.tables.delivery import BadMessageRow, EventRow, GenerationRow, QuarantineRow, SpeakerRow
from server.tables.erasure import ErasedCardRow, ErasureReceiptRow, ErasureRow
from server.tables.floor import ItemRow, VisitRow, VisitTokenRow
from server.tables.members import (
    CardRow,
    ConsentRow,
    HandleRow,
    InterestRow,
    MemberCodeRow,
    MemberRow,
    MemberTableRow,
    PreferenceRow,
)

__all__ = [
    "AuditRow",
    "BadMessageRow",
    "Base",
    "CardRow",
    "CommandRow",
    "ConsentRow",
    "DecisionRow",
    "EpochRow",
    "ErasedCardRow",
    "ErasureReceiptRow",
    "ErasureRow",
    "EventRow",
    "GenerationRow",
    "HandleRow",
    "InterestRow",
    "ItemRow",
    "MemberCodeRow",
    "MemberRow",
    "MemberTableRow",
    "PairedDisplayRow",
    "PreferenceRow",
    "ProofRow",
    "QuarantineRow",
    "SessionRow",
    "SpeakerRow",
    "StaffLinkRow",
    "StaffRow",
    "VisitRow",
    "VisitTokenRow",
]
