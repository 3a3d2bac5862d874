"""Who may come in, and who did what."""

from sqlalchemy import ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from server.tables.base import Base


class StaffRow(Base):
    """An account of somebody who works here.  `password` None: its set-up link has not been used yet."""

    __tablename__ = "staff"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    password: Mapped[str | None]
    created_ns: Mapped[int]


class StaffLinkRow(Base):
    """A one-time link: the SHA-256 of its secret, and what it is for (`password`, `sign-in`)."""

    __tablename__ = "staff_link"
    id: Mapped[bytes] = mapped_column(primary_key=True)
    staff: Mapped[str] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str]
    expires_ns: Mapped[int]


class SessionRow(Base):
    """A signed-in browser: the SHA-256 of its cookie's value.  `kind`: `staff` or `member`; `principal`: which one."""

    __tablename__ = "session"
    id: Mapped[bytes] = mapped_column(primary_key=True)
    kind: Mapped[str]
    principal: Mapped[str]
    created_ns: Mapped[int]
    seen_ns: Mapped[int]
    expires_ns: Mapped[int]
    idle_ns: Mapped[int]


Index("session_principal", SessionRow.kind, SessionRow.principal)


class AuditRow(Base):
    """One access or change: see `server.audit`.  The database refuses to alter or delete a row."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    at_ns: Mapped[int]
    actor_kind: Mapped[str]
    actor_id: Mapped[str]
    action: Mapped[str]
    object_kind: Mapped[str]
    object_id: Mapped[str]
    outcome: Mapped[str]
    detail: Mapped[str]
    previous: Mapped[bytes]
    hash: Mapped[bytes]
