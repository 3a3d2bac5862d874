"""A copy of the server's database while it runs, and putting one back.

The copy is one moment's: it is read through SQLite, so that what is only in the write-ahead log is in it.  The keys of the
card numbers and the journal of erasures are files of their own, and are kept apart from it: without the keys a copy that is
lost tells nobody's card, and with the journal a copy that is put back brings no erased member back.
"""

import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from broker_config.errors import ConfigError
from broker_config.private_files import sync
from server.salvage import is_sound
from server.set_aside import PART, REPLACED

_NEWER_WITHDRAWALS = """
INSERT INTO consent (member, purpose, granted, at_ns, source)
SELECT member, purpose, granted, at_ns, source FROM replaced.consent
WHERE NOT granted AND (
    at_ns > (SELECT coalesce(max(at_ns), 0) FROM main.consent) OR id > (SELECT coalesce(max(id), 0) FROM main.consent)
) AND member IN (SELECT id FROM main.member)
ORDER BY id
"""


def back_up(database: Path, target: Path) -> int:
    """Copy the database, also while the server writes to it; how many bytes the copy has.

    Raises:
        ConfigError: there is no database, the target is there already, or it cannot be written.
    """
    if not database.exists():
        raise ConfigError(f"{database}: no database yet; start the server once")
    if target.exists():
        raise ConfigError(f"{target} is there already; name a file that is not")
    part = target.with_name(target.name + PART)
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        with closing(_read_only(database)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, whole by itself
        if not is_sound(part):
            raise ConfigError(f"{database} is damaged, and so would be its copy; restart the server, which mends it")
        sync(part)
        part.rename(target)
        sync(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise ConfigError(f"{target}: cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def restore(database: Path, backup: Path) -> tuple[Path | None, int | None]:
    """Put a copy in the place of the database; the server must be stopped.

    A withdrawal of consent that is newer than the copy is taken over from what it replaces, where that can be read.

    Returns:
        Where the replaced one lies now, if there was one, and how many withdrawals were taken over; None: it could not be read.

    Raises:
        ConfigError: the copy is missing or damaged, or the server runs.
    """
    if not backup.exists() or not _holds_tables(backup):
        raise ConfigError(f"{backup}: no sound copy of a server's database")
    _refuse_running(database)
    part = database.with_name(database.name + PART)
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    with closing(_read_only(backup)) as source, closing(sqlite3.connect(part)) as copy:
        source.backup(copy)
    taken_over: int | None = 0
    replaced: Path | None = None
    if database.exists():
        taken_over = _take_withdrawals(part, database)
        replaced = database.with_name(f"{database.name}{REPLACED}{time.time_ns()}")
        for end in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                database.with_name(database.name + end).rename(replaced.with_name(replaced.name + end))
    sync(part)
    part.rename(database)
    sync(database.parent)
    return replaced, taken_over


def _take_withdrawals(part: Path, replaced: Path) -> int | None:
    with closing(sqlite3.connect(part)) as db:
        try:
            db.execute("ATTACH ? AS replaced", (str(replaced),))
            count = db.execute(_NEWER_WITHDRAWALS).rowcount
            db.commit()
        except sqlite3.DatabaseError:
            db.rollback()
            return None
    return count


def _refuse_running(database: Path) -> None:
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(database, timeout=0)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        raise ConfigError(f"{database}: in use ({error}); stop the server first") from error
    except sqlite3.DatabaseError:
        pass  # damaged, which is why it is to be replaced


def _holds_tables(path: Path) -> bool:
    try:
        with closing(_read_only(path)) as db:
            db.execute("SELECT count(*) FROM alembic_version").fetchone()
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.Error:
        return False


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
