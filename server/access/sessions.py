"""Sessions in the database: opened at sign-in, found by a cookie's value, ended by the person, by time or by their owner."""

import base64
import hashlib
import hmac
import logging
import secrets

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.exc import OperationalError

from server.access.principal import Session, SessionKind
from server.clock import NS_PER_S, ClockNs
from server.db import Database
from server.tables import SessionRow

log = logging.getLogger(__name__)

SECRET_BYTES = 32
SEEN_EVERY_NS = 60 * NS_PER_S
"""A commit for each request would wear the disk; a minute is exact enough for an idle limit."""


class Sessions:
    """Of staff and of members; a session names its principal and knows nothing else of it."""

    def __init__(self, db: Database, clock_ns: ClockNs) -> None:
        self._db, self._clock_ns = db, clock_ns

    async def open(self, kind: SessionKind, principal: str, *, life_s: float, idle_s: float) -> str:
        """Begin a session; the value for its cookie, which is kept nowhere else.

        Args:
            life_s: it ends then, used or not.
            idle_s: it ends when it was not used for so long.
        """
        secret, now_ns = secrets.token_urlsafe(SECRET_BYTES), self._clock_ns()
        row = SessionRow(
            id=hash_secret(secret),
            kind=kind,
            principal=principal,
            created_ns=now_ns,
            seen_ns=now_ns,
            expires_ns=now_ns + round(life_s * NS_PER_S),
            idle_ns=round(idle_s * NS_PER_S),
        )
        async with self._db.write() as session:
            await session.execute(delete(SessionRow).where(_is_over(now_ns)))
            session.add(row)
        return secret

    async def find(self, secret: str) -> Session | None:
        """The session of a cookie's value; None where there is none, or no longer."""
        key, now_ns = hash_secret(secret), self._clock_ns()
        async with self._db.session() as session:
            row = await session.scalar(select(SessionRow).where(SessionRow.id == key, ~_is_over(now_ns)))
        if row is None:
            return None
        if now_ns - row.seen_ns >= SEEN_EVERY_NS:
            await self._note_seen(key, now_ns)
        return _session(row)

    async def of(self, kind: SessionKind, principal: str) -> list[Session]:
        """A principal's sessions, the last used first."""
        query = select(SessionRow).where(
            SessionRow.kind == kind, SessionRow.principal == principal, ~_is_over(self._clock_ns())
        )
        async with self._db.session() as session:
            return [_session(row) for row in await session.scalars(query.order_by(SessionRow.seen_ns.desc()))]

    async def end(self, session_id: bytes) -> None:
        """Sign out; of none it is nothing."""
        async with self._db.write() as session:
            await session.execute(delete(SessionRow).where(SessionRow.id == session_id))

    async def end_all(self, kind: SessionKind, principal: str, *, but: bytes | None = None) -> None:
        """Sign a principal out everywhere, or everywhere but in one session."""
        query = delete(SessionRow).where(SessionRow.kind == kind, SessionRow.principal == principal)
        async with self._db.write() as session:
            await session.execute(query if but is None else query.where(SessionRow.id != but))

    async def _note_seen(self, key: bytes, now_ns: int) -> None:
        try:
            async with self._db.write() as session:
                if (row := await session.get(SessionRow, key)) is not None:
                    row.seen_ns = now_ns
        except OperationalError as error:  # a full disk is no reason to sign the owner out
            log.warning("a session's last use could not be noted: %s", error.orig)


def hash_secret(secret: str) -> bytes:
    """What is kept of a cookie's value or a link's: so many random bits need no salt."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def form_token(secret: str) -> str:
    """What the forms of a session carry: only a page that this server gave to this very browser can know it."""
    digest = hmac.digest(secret.encode("utf-8", "replace"), b"tacet form token", "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _is_over(now_ns: int) -> ColumnElement[bool]:
    return or_(SessionRow.expires_ns <= now_ns, SessionRow.seen_ns + SessionRow.idle_ns <= now_ns)


def _session(row: SessionRow) -> Session:
    return Session(
        id=row.id,
        kind="staff" if row.kind == "staff" else "member",
        principal=row.principal,
        created_ns=row.created_ns,
        seen_ns=row.seen_ns,
        expires_ns=row.expires_ns,
        idle_ns=row.idle_ns,
    )
