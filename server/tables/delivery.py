"""What came in from the agents: events, how far each outbox is stored, who spoke twice, what could not be read."""

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from server.tables.base import Base


class EventRow(Base):
    """The inbox: each durable edge event, once.  `stale`: it came after its expiry and decided nothing."""

    __tablename__ = "event"
    id: Mapped[str] = mapped_column(primary_key=True)
    gateway: Mapped[str]
    generation: Mapped[str]
    seq: Mapped[int]
    type: Mapped[str]
    topic: Mapped[str]
    at_ns: Mapped[int] = mapped_column(index=True)
    received_ns: Mapped[int]
    stale: Mapped[bool]
    payload: Mapped[bytes]


Index("event_seq", EventRow.gateway, EventRow.generation, EventRow.seq, unique=True)


class GenerationRow(Base):
    """How far one outbox generation has come in: the contiguous mark, and the ranges seen above it as `from-to,from-to`."""

    __tablename__ = "generation"
    gateway: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[str] = mapped_column(primary_key=True)
    upto: Mapped[int]
    above: Mapped[str]
    stored: Mapped[int]
    dropped: Mapped[int]


class SpeakerRow(Base):
    """A process that has spoken for an agent, by the generation of its start; see `server.clones`."""

    __tablename__ = "speaker"
    agent: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[str] = mapped_column(primary_key=True)
    session: Mapped[str]
    first_ns: Mapped[int]


class QuarantineRow(Base):
    """An agent that is there twice."""

    __tablename__ = "quarantine"
    agent: Mapped[str] = mapped_column(primary_key=True)
    since_ns: Mapped[int]
    why: Mapped[str]


class BadMessageRow(Base):
    """A message that could not be read, once however often it came."""

    __tablename__ = "bad_message"
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    topic: Mapped[str]
    why: Mapped[str]
    payload: Mapped[bytes]
    received_ns: Mapped[int] = mapped_column(index=True)
