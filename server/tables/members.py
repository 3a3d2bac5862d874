"""Who joined, with what consent, and under which handle each agent knows them."""

from sqlalchemy import ForeignKey, Integer
from sqlalchemy.orm import Mapped, mapped_column

from server.tables.base import Base


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


SALVAGE = "salvage"
"""The source of a consent that ended with a damaged database, and by nobody's word."""


class ConsentRow(Base):
    """Append-only: the newest row of a member and purpose counts.  `source`: `import`, SALVAGE, or the kind of who said it."""

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
    """How a member wants to be spoken to.  `cap` None: not set; 0: never.

    `own_wishes`, `own_interests`: the member has set quiet hours and cap, or interests; no list overrules that.
    """

    __tablename__ = "preference"
    member: Mapped[str] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True)
    quiet: Mapped[str]
    cap: Mapped[int | None]
    own_wishes: Mapped[bool] = mapped_column(default=False)
    own_interests: Mapped[bool] = mapped_column(default=False)


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


class MemberCodeRow(Base):
    """A member's one-time code, as a keyed hash."""

    __tablename__ = "member_code"
    member: Mapped[str] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True)
    hash: Mapped[bytes] = mapped_column(unique=True)
    expires_ns: Mapped[int]
