"""The database: one SQLite file, write-ahead log, every commit on the disk before it counts."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from broker_config.errors import ConfigError
from broker_config.file_traces import DatabaseBytes

TRUNCATE_WITHIN_S = 10.0

MIGRATIONS = Path(__file__).parent / "migrations"
# NORMAL would lose acknowledged rows in a power cut: the agent forgets what we acknowledge.
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000", "secure_delete=ON")


WRITE_SOMETHING = text("UPDATE epoch SET epoch = epoch")


class Database:
    """Sessions on the one file.  Reads run beside each other; writes wait for their turn here, not in SQLite.

    Args:
        bytes: the file as bytes, for whoever looks for what no row holds.
        trouble: why the last write did not reach the disk; empty once one has.
    """

    def __init__(self, engine: AsyncEngine, path: Path) -> None:
        self.bytes = DatabaseBytes(path)
        self.trouble = ""
        self._engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._writer = asyncio.Lock()

    def session(self) -> AsyncSession:
        """A session for reading; use as `async with`."""
        return self._sessions()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end of the block, rolled back where the block raises.

        After one that failed for want of space or of the right to write, the next writes something in any case: else a
        transaction with nothing to say would pass for a disk that works.

        Raises:
            OperationalError: the disk is full, or read-only; it may pass.
        """
        async with self._writer:
            try:
                async with self._sessions.begin() as session:
                    if self.trouble:
                        await session.execute(WRITE_SOMETHING)
                    yield session
            except OperationalError as error:
                self.trouble = str(error.orig)
                raise
            self.trouble = ""

    async def truncate_log(self) -> bool:
        """Bring every page of the write-ahead log home and cut it off, so that nothing older is left in it; false where a
        long read kept it."""
        deadline_s = time.monotonic() + TRUNCATE_WITHIN_S
        while True:
            busy, _, _ = await self._outside_transaction("PRAGMA wal_checkpoint(TRUNCATE)")
            if not busy or time.monotonic() > deadline_s:
                return not busy
            await asyncio.sleep(0.05)

    async def rewrite(self) -> None:
        """Write the whole file anew, from its rows alone."""
        await self._outside_transaction("VACUUM")

    async def _outside_transaction(self, statement: str) -> tuple[int, ...]:
        async with self._writer, self._engine.connect() as connection:
            own = await connection.execution_options(isolation_level="AUTOCOMMIT")
            result = await own.exec_driver_sql(statement)
            return tuple(result.one()) if result.returns_rows else ()


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[Database]:
    """The database at `path`, made or brought up to date first; for its owner's eyes only, as it knows the members."""
    _make_private(path)
    # Errors are logged, and the values of a statement are members.
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", hide_parameters=True)
    database = Database(engine, path)
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    try:
        async with engine.begin() as connection:
            # By itself sqlite3 begins no transaction before DDL: half a schema could stay behind, which no start can mend.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            await connection.run_sync(migrate)
        yield database
    finally:
        await engine.dispose()
        database.bytes.close()


def _make_private(path: Path) -> None:
    """The file, empty, if there is none; SQLite gives the mode of this one to those it puts beside it."""
    if not path.exists():
        path.touch(mode=0o600)


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the schema up to date, or up to a revision."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:  # it knows no such revision
        raise ConfigError(
            f"the database was written by a newer version of Tacet ({error}); install that again, or put a backup from before back"
        ) from error


def _set_pragmas(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
