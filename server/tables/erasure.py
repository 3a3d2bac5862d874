"""Who is to be forgotten, and who has done it."""

from sqlalchemy import Integer
from sqlalchemy.orm import Mapped, mapped_column

from server.tables.base import Base


class ErasureRow(Base):
    """A tombstone; see `server.erasure`.  `done_ns` None: the server's own files have not been looked through yet.

    `removed_files`: of databases that were set aside, since the member may have been in them.
    """

    __tablename__ = "erasure"
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    request: Mapped[str] = mapped_column(unique=True)
    at_ns: Mapped[int]
    asked_by: Mapped[str]
    member_mark: Mapped[bytes]
    done_ns: Mapped[int | None]
    removed_files: Mapped[int]


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
