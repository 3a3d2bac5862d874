"""What was decided and commanded, what came of it, and the displays that show it."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from server.tables.base import Base


class DecisionRow(Base):
    """A decision.  `body` is the rest of the DecisionRecord as JSON; the columns are what is searched by or cleared."""

    __tablename__ = "decision"
    id: Mapped[str] = mapped_column(primary_key=True)
    at_ns: Mapped[int] = mapped_column(index=True)
    rule: Mapped[str]
    outcome: Mapped[str] = mapped_column(index=True)
    visit: Mapped[str | None] = mapped_column(index=True)
    body: Mapped[bytes]


class ProofRow(Base):
    """Proof of play: a moment appeared on a display, or ended there."""

    __tablename__ = "proof"
    decision: Mapped[str] = mapped_column(ForeignKey("decision.id", ondelete="CASCADE"), primary_key=True)
    phase: Mapped[str] = mapped_column(primary_key=True)
    display: Mapped[str]
    content: Mapped[str]
    at_ns: Mapped[int] = mapped_column(index=True)
    cause_ns: Mapped[int]
    ended_by: Mapped[str | None]


class CommandRow(Base):
    """A command sent, and what came of it."""

    __tablename__ = "command"
    target: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    counter: Mapped[int] = mapped_column(primary_key=True)
    decision: Mapped[str | None] = mapped_column(index=True)
    issued_ns: Mapped[int]
    on: Mapped[bool]
    result: Mapped[str | None]


class EpochRow(Base):
    """The server's start count: the first half of every command's version.  One row."""

    __tablename__ = "epoch"
    only: Mapped[bool] = mapped_column(primary_key=True)
    epoch: Mapped[int]


class PairedDisplayRow(Base):
    """A browser that is a display: the SHA-256 of the secret in its cookie."""

    __tablename__ = "paired_display"
    display: Mapped[str] = mapped_column(primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(primary_key=True)
    paired_ns: Mapped[int]
