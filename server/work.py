"""One transaction and what follows it: rows are written together, and only then do messages leave and pages hear of it."""

import functools
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

import aiosqlite
from sqlalchemy import Dialect, Table
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.messages import Data
from server.clock import ClockNs, to_datetime
from server.db import Database
from server.feed import Feed, Happening
from server.link import Link
from server.tables import Base

Loader = Callable[[AsyncSession], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ToSend:
    """A message that leaves after the commit."""

    data: Data
    levels: dict[str, str]


@dataclass(slots=True)
class Work:
    """What one transaction has to write and, once that is on the disk, to tell.

    Args:
        session: for reading inside the transaction.
        now: when it began.
    """

    session: AsyncSession
    now: datetime
    sends: list[ToSend] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    _rows: dict[type[Base], dict[object, Mapping[str, object]]] = field(default_factory=lambda: defaultdict(dict))

    def write(self, kind: type[Base], **values: object) -> None:
        """Write a row, given all its columns; a later one of the same key replaces an earlier one.

        They are no objects of SQLAlchemy's: making one takes longer than storing it, and an event means three of them.
        """
        key = _key(kind)(values)
        self._rows[kind][key] = values

    def write_all(self, rows: Iterable[Base]) -> None:
        """The same for rows that are at hand as objects; a column that has no value yet gets its number from the database."""
        for row in rows:
            table = _table(type(row))
            self._rows[type(row)][object()] = {column: getattr(row, column) for column in table.columns.keys()}  # noqa: SIM118

    def send(self, data: Data, **levels: str) -> None:
        """Send a message after the commit."""
        self.sends.append(ToSend(data, levels))

    async def flush(self) -> None:
        """Write the rows, a statement per table, parents first."""
        rows, self._rows = self._rows, defaultdict(dict)
        for kind in sorted(rows, key=_rank):
            await _upsert(self.session, _table(kind), rows[kind].values())


class Ledger:
    """Opens transactions and keeps memory and database in step.

    What the services hold in memory changes while a transaction is open.  Where one fails, memory is not to be believed,
    so the next one first loads it again.
    """

    def __init__(self, db: Database, link: Link, feed: Feed, clock_ns: ClockNs) -> None:
        self._db, self._link, self._feed, self._clock_ns = db, link, feed, clock_ns
        self._loaders: list[Loader] = []
        self._doubtful = True

    def loads(self, loader: Loader) -> None:
        """Register what reads a service's memory from the database; called in this order."""
        self._loaders.append(loader)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Work]:
        """One transaction; its messages leave once it is committed, and never when the block raises."""
        async with self._db.write() as session:
            if self._doubtful:
                for load in self._loaders:
                    await load(session)
            self._doubtful = True
            work = Work(session, to_datetime(self._clock_ns()))
            yield work
            await work.flush()
        self._doubtful = False
        for out in work.sends:
            self._link.send(out.data, **out.levels)
        for happening in work.happenings:
            self._feed.publish(happening)


def _table(kind: type[Base]) -> Table:
    table = kind.__table__
    assert isinstance(table, Table)
    return table


@functools.cache
def _key(kind: type[Base]) -> Callable[[Mapping[str, object]], object]:
    """What makes two rows of a table the same one."""
    return itemgetter(*(column.name for column in _table(kind).primary_key))


@functools.cache
def _rank(kind: type[Base]) -> int:
    """Parents have a lower one than their children."""
    return Base.metadata.sorted_tables.index(_table(kind))


async def _upsert(session: AsyncSession, table: Table, rows: Iterable[Mapping[str, object]]) -> None:
    """Hand the rows to the driver itself, inside the session's transaction.

    SQLAlchemy's own way makes four round trips to the driver's thread per statement, this makes one: a third of the time.
    It holds for aiosqlite, which begins the transaction with the first write on the connection, whoever makes it.
    """
    connection = await session.connection()
    sql, columns = _upsert_statement(table, connection.dialect)
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, aiosqlite.Connection)
    try:
        await driver.executemany(sql, [columns(row) for row in rows])
    except (
        sqlite3.OperationalError
    ) as error:  # as SQLAlchemy would have it: those who wait a full disk out look for that
        raise OperationalError(sql, None, error) from error


@functools.cache
def _upsert_statement(
    table: Table, dialect: Dialect
) -> tuple[str, Callable[[Mapping[str, object]], tuple[object, ...]]]:
    """The statement, and what puts a row's values in its order.

    SQLAlchemy would compile it anew each time: half a millisecond per table.
    """
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    rest = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    compiled = statement.on_conflict_do_update(index_elements=keys, set_=rest).compile(dialect=dialect)
    return compiled.string, itemgetter(*(compiled.positiontup or ()))
