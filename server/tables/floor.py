"""Who and what is on the floor."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from server.tables.base import Base


class VisitRow(Base):
    """A member's stay.  `member` is None once the link is forgotten; `closed_ns` None while it lasts."""

    __tablename__ = "visit"
    id: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"), index=True)
    opened_ns: Mapped[int]
    seen_ns: Mapped[int]
    closed_ns: Mapped[int | None]
    cause: Mapped[str | None]
    shown: Mapped[int]


class VisitTokenRow(Base):
    """An agent's token for a visit, and the zone it is in now."""

    __tablename__ = "visit_token"
    token: Mapped[str] = mapped_column(primary_key=True)
    visit: Mapped[str] = mapped_column(ForeignKey("visit.id", ondelete="CASCADE"), index=True)
    zone: Mapped[str | None]
    as_of_ns: Mapped[int]


class ItemRow(Base):
    """Where one of the site's own goods is; `zone` None: gone."""

    __tablename__ = "item"
    epc: Mapped[str] = mapped_column(primary_key=True)
    zone: Mapped[str | None]
    as_of_ns: Mapped[int]
