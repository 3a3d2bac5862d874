"""Accounts of the people who work here: made by the owner, entered by a one-time link, guarded against guessers."""

import secrets
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.access.limits import Patience
from server.access.passwords import Passwords, check_password
from server.access.principal import StaffRole
from server.access.schemas import StaffView
from server.access.sessions import Sessions, hash_secret
from server.clock import NS_PER_S, ClockNs
from server.db import Database
from server.errors import Conflict, NotFound, Unauthenticated
from server.tables import SessionRow, StaffLinkRow, StaffRow

FIRST_OWNER = "owner"
LINK_BYTES = 16
"""More than anybody guesses in a day, and short enough for a line of a terminal."""
LINK_LIFE_S = 24 * 3600.0
SESSION_LIFE_S = 7 * 24 * 3600.0
SESSION_IDLE_S = 12 * 3600.0
LONGEST_WAIT_ACCOUNT_S = 60.0
LONGEST_WAIT_ADDRESS_S = 900.0
WRONG = "name or password is wrong"


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link that is still good: whose, and whether it sets a password or just signs in."""

    staff: str
    name: str
    role: str
    purpose: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session begun.

    Args:
        secret: its cookie's value.
    """

    secret: str
    staff: str
    role: StaffRole


class StaffService:
    """Accounts, links and sign-in.

    Args:
        site_name: what a password may not be.
    """

    def __init__(
        self, db: Database, sessions: Sessions, passwords: Passwords, site_name: str, clock_ns: ClockNs
    ) -> None:
        self._db, self._sessions, self._passwords = db, sessions, passwords
        self._site_name, self._clock_ns = site_name, clock_ns
        # Names that nobody has are counted like those that somebody has, but cannot push these out.
        self._accounts, self._strangers, self._addresses = (
            Patience(longest_s, clock_ns)
            for longest_s in (LONGEST_WAIT_ACCOUNT_S, LONGEST_WAIT_ACCOUNT_S, LONGEST_WAIT_ADDRESS_S)
        )

    async def prepare(self) -> str | None:
        """Make the owner's account at the first start; the secret of its set-up link, told this once."""
        async with self._db.write() as session:
            if await session.scalar(select(func.count()).select_from(StaffRow)):
                return None
            row = self._new_row(FIRST_OWNER, "owner")
            session.add(row)
            await session.flush()
            return await self._new_link(session, row, "password")

    async def lacks_owner(self) -> bool:
        """Whether no owner has set a password yet."""
        query = select(func.count()).where(StaffRow.role == "owner", StaffRow.password.is_not(None))
        async with self._db.session() as session:
            return not await session.scalar(query)

    async def role_of(self, staff: str) -> StaffRole | None:
        """The role of an account by its id; None of one that is gone."""
        async with self._db.session() as session:
            row = await session.get(StaffRow, staff)
        return None if row is None else _role(row.role)

    async def id_of(self, name: str) -> str:
        """The id of an account; empty where there is none of the name."""
        async with self._db.session() as session:
            return await session.scalar(select(StaffRow.id).where(StaffRow.name == name)) or ""

    async def name_of(self, staff: str) -> str:
        """The account's name; empty of one that is gone."""
        async with self._db.session() as session:
            return await session.scalar(select(StaffRow.name).where(StaffRow.id == staff)) or ""

    async def list_all(self) -> list[StaffView]:
        """Every account, by name."""
        now_ns = self._clock_ns()
        alive = select(SessionRow.principal, func.count()).where(SessionRow.kind == "staff")
        alive = alive.where(SessionRow.expires_ns > now_ns, SessionRow.seen_ns + SessionRow.idle_ns > now_ns)
        async with self._db.session() as session:
            counts = {row[0]: row[1] for row in await session.execute(alive.group_by(SessionRow.principal))}
            rows = list(await session.scalars(select(StaffRow).order_by(StaffRow.name)))
        return [
            StaffView(name=row.name, role=row.role, ready=row.password is not None, sessions=counts.get(row.id, 0))
            for row in rows
        ]

    async def add(self, name: str, role: StaffRole) -> str:
        """Make an account; the secret of its set-up link.

        Raises:
            Conflict: the name is taken.
        """
        async with self._db.write() as session:
            if await session.scalar(select(StaffRow.id).where(StaffRow.name == name)):
                raise Conflict(
                    f"there is an account {name!r} already; for another link: tacet server staff link {name}",
                    code="name_taken",
                )
            row = self._new_row(name, role)
            session.add(row)
            await session.flush()
            return await self._new_link(session, row, "password")

    async def remove(self, name: str) -> None:
        """Close an account and sign it out everywhere.

        Raises:
            NotFound: no such account.
            Conflict: it is the only owner.
        """
        async with self._db.write() as session:
            row = await self._row(session, name)
            owners = await session.scalar(select(func.count()).where(StaffRow.role == "owner"))
            if row.role == "owner" and owners == 1:
                raise Conflict(f"{name} is the only owner; make another one first", code="last_owner")
            await session.execute(delete(SessionRow).where(SessionRow.kind == "staff", SessionRow.principal == row.id))
            await session.delete(row)

    async def make_link(self, name: str, purpose: str) -> tuple[str, str]:
        """A fresh one-time link: its secret, and the account's role.  The account's older link is void.

        Raises:
            NotFound: no such account.
        """
        async with self._db.write() as session:
            row = await self._row(session, name)
            return await self._new_link(session, row, purpose), row.role

    async def find_link(self, secret: str) -> Link:
        """What a link is for; looking at it does not use it up.

        Raises:
            NotFound: no link, or no longer.
        """
        async with self._db.session() as session:
            return (await self._find_link(session, secret))[0]

    async def use_link(self, secret: str, password: str) -> SignedIn:
        """Use a link up: set the password where it is for that, and sign in.

        Setting a password ends all sessions of the account: whoever has lost control of it gets it back alone.

        Raises:
            NotFound: no link, or no longer.
            Unprocessable: a password that is none.
        """
        link = await self.find_link(secret)
        digest = None
        if link.purpose == "password":
            check_password(password, link.name, self._site_name)
            digest = await self._passwords.digest(password)
        async with self._db.write() as session:
            _, row = await self._find_link(session, secret)  # once more: two may try it in the same moment
            await session.execute(delete(StaffLinkRow).where(StaffLinkRow.id == hash_secret(secret)))
            if digest is not None:
                row.password = digest
                await session.execute(
                    delete(SessionRow).where(SessionRow.kind == "staff", SessionRow.principal == row.id)
                )
        if digest is not None:
            self._accounts.forgive(link.name)
        return await self._open(row, row.password)

    async def sign_in(self, name: str, password: str, address: str) -> SignedIn:
        """A new session.

        Args:
            address: where the guess comes from, as `address_key` writes it.
        Raises:
            Unauthenticated: wrong; never says whether it was the name or the password.
            TooMany: too many wrong ones, for this account or from this address.
        """
        async with self._db.session() as session:
            row = await session.scalar(select(StaffRow).where(StaffRow.name == name))
        tries = self._strangers if row is None else self._accounts
        for table, key in ((tries, name), (self._addresses, address)):
            table.check(key)
        for table, key in ((tries, name), (self._addresses, address)):
            table.count(key)
        if not await self._passwords.matches(password, None if row is None else row.password) or row is None:
            raise Unauthenticated(WRONG, code="wrong")
        self._accounts.forgive(name)
        self._addresses.forgive(address)
        return await self._open(row, row.password)

    async def change_password(self, staff: str, old: str, new: str) -> SignedIn:
        """Set another password and begin a session with it, the only one left.

        Raises:
            Unauthenticated: the old one is wrong.
            Unprocessable: the new one is none.
            TooMany: too many wrong old ones.
        """
        async with self._db.session() as session:
            row = await session.get(StaffRow, staff)
        if row is None:
            raise Unauthenticated("this account is gone")
        check_password(new, row.name, self._site_name)
        self._accounts.check(row.name)
        self._accounts.count(row.name)
        if not await self._passwords.matches(old, row.password):
            raise Unauthenticated("the old password is wrong", code="old_wrong")
        self._accounts.forgive(row.name)
        digest = await self._passwords.digest(new)
        async with self._db.write() as session:
            found = await session.get(StaffRow, staff)
            if found is None or found.password != row.password:  # a link set another one meanwhile
                raise Unauthenticated("the old password is wrong", code="old_wrong")
            found.password = digest
            await session.execute(delete(SessionRow).where(SessionRow.kind == "staff", SessionRow.principal == staff))
        return await self._open(row, digest)

    async def _open(self, row: StaffRow, kept: str | None) -> SignedIn:
        """Begin a session, unless the password was set anew since it was looked at: the owner may just have shut somebody out."""
        secret = await self._sessions.open("staff", row.id, life_s=SESSION_LIFE_S, idle_s=SESSION_IDLE_S)
        async with self._db.session() as session:
            password = await session.scalar(select(StaffRow.password).where(StaffRow.id == row.id))
        if password != kept:
            await self._sessions.end(hash_secret(secret))
            raise Unauthenticated(WRONG, code="wrong")
        return SignedIn(secret, row.id, _role(row.role))

    def _new_row(self, name: str, role: StaffRole) -> StaffRow:
        return StaffRow(
            id=f"s-{secrets.token_hex(8)}", name=name, role=role, password=None, created_ns=self._clock_ns()
        )

    async def _new_link(self, session: AsyncSession, row: StaffRow, purpose: str) -> str:
        secret, now_ns = secrets.token_urlsafe(LINK_BYTES), self._clock_ns()
        await session.execute(
            delete(StaffLinkRow).where((StaffLinkRow.expires_ns <= now_ns) | (StaffLinkRow.staff == row.id))
        )
        expires_ns = now_ns + round(LINK_LIFE_S * NS_PER_S)
        session.add(StaffLinkRow(id=hash_secret(secret), staff=row.id, purpose=purpose, expires_ns=expires_ns))
        return secret

    async def _find_link(self, session: AsyncSession, secret: str) -> tuple[Link, StaffRow]:
        link = await session.get(StaffLinkRow, hash_secret(secret))
        row = None if link is None else await session.get(StaffRow, link.staff)
        if link is None or row is None or link.expires_ns <= self._clock_ns():
            raise NotFound("this link was used, or is too old")
        return Link(row.id, row.name, row.role, link.purpose), row

    async def _row(self, session: AsyncSession, name: str) -> StaffRow:
        row = await session.scalar(select(StaffRow).where(StaffRow.name == name))
        if row is None:
            raise NotFound(f"there is no account {name[:40]!r}")
        return row


def _role(text: str) -> StaffRole:
    """A role as the database holds it.

    Raises:
        ValueError: the database holds something else.
    """
    for role in ("owner", "staff", "partner"):
        if role == text:
            return role
    raise ValueError(f"{text!r} is no role")
