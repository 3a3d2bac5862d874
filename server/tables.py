"""What the server keeps.  Times are UTC nanoseconds.  A new table needs a migration beside the others in `migrations/versions`."""

from sqlalchemy import BigInteger, ForeignKey, Index, Integer
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Root of all tables."""

    type_annotation_map = {int: BigInteger()}  # noqa: RUF012  (read by SQLAlchemy as it stands)


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


class MemberRow(Base):
    """A person who joined.  The id is random and stays on the server."""

    __tablename__ = "member"
    id: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str]
    language: Mapped[str]
    created_ns: Mapped[int]


class CardRow(Base):
    """A member's card: its EPC encrypted, and a keyed hash to find it again."""

    __tablename__ = "card"
    epc_hash: Mapped[bytes] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    nonce: Mapped[bytes]
    epc: Mapped[bytes]


class ConsentRow(Base):
    """Append-only: the newest row of a member and purpose counts.  `source`: `import` or `owner`."""

    __tablename__ = "consent"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)  # SQLite counts up only in a plain INTEGER
    member: Mapped[str] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str]
    granted: Mapped[bool]
    at_ns: Mapped[int]
    source: Mapped[str]


class InterestRow(Base):
    """A declared interest, or a declared dis-interest where `liked` is false."""

    __tablename__ = "interest"
    member: Mapped[str] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)
    liked: Mapped[bool]


class PreferenceRow(Base):
    """How a member wants to be spoken to.  `cap` None: not set; 0: never."""

    __tablename__ = "preference"
    member: Mapped[str] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True)
    quiet: Mapped[str]
    cap: Mapped[int | None]


class HandleRow(Base):
    """The random handle that stands for a member at one agent; gone when consent is."""

    __tablename__ = "member_handle"
    agent: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True)
    handle: Mapped[bytes] = mapped_column(unique=True)


class MemberTableRow(Base):
    """The version and lease of the table an agent is offered."""

    __tablename__ = "member_table"
    agent: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    leased_from_ns: Mapped[int]


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


class MemberCodeRow(Base):
    """A member's one-time code, as a keyed hash."""

    __tablename__ = "member_code"
    member: Mapped[str] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True)
    hash: Mapped[bytes] = mapped_column(unique=True)
    expires_ns: Mapped[int]


class ErasureRow(Base):
    """A tombstone; see `server.erasure`.  `done_ns` None: the server's own files have not been looked through yet."""

    __tablename__ = "erasure"
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    request: Mapped[str] = mapped_column(unique=True)
    at_ns: Mapped[int]
    asked_by: Mapped[str]
    member_mark: Mapped[bytes]
    done_ns: Mapped[int | None]


class ErasedCardRow(Base):
    """Keyed hash of a card whose member was erased: a list that still has it must not bring the member back unasked."""

    __tablename__ = "erased_card"
    mark: Mapped[bytes] = mapped_column(primary_key=True)
    version: Mapped[int]


class ErasureReceiptRow(Base):
    """Whether an agent has applied an erasure; `at_ns` None: not yet."""

    __tablename__ = "erasure_receipt"
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    agent: Mapped[str] = mapped_column(primary_key=True)
    at_ns: Mapped[int | None]


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
Index("event_seq", EventRow.gateway, EventRow.generation, EventRow.seq, unique=True)
