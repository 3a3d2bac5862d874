"""A damaged database at the start: set aside, and what is readable of it goes on in a new one.

What cannot be proved is not taken over.  How far each agent has come in is worked out from the events that are there, so
that agents send again what is gone and they still keep.  Consent is not guessed: a withdrawal may be what was lost, so
nobody is recognised until consent is given, or imported, again.
"""

import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Table, create_engine

from server.db import migrate
from server.seqset import SeqSet
from server.set_aside import CORRUPT
from server.tables import Base
from server.tables.members import SALVAGE

log = logging.getLogger(__name__)
NOT_TAKEN_OVER = ("generation", "member_handle", "member_table", "epoch", "session", "staff_link")
MAX_QUERIES = 4_000  # for one table
ROWS_AT_ONCE = 1000
TEXT, NULL = "'text'", "'null'"
_KINDS = {
    "VARCHAR": TEXT, "TEXT": TEXT, "INTEGER": "'integer'", "BIGINT": "'integer'", "BOOLEAN": "'integer'",
    "BLOB": "'blob'", "FLOAT": "'real', 'integer'",
}  # fmt: skip
"""What SQLite calls the values of a column that is declared so."""
Row = tuple[object, ...]
_PYTHON_TYPES: dict[type, tuple[type, ...]] = {bool: (int,), int: (int,), str: (str,), bytes: (bytes,)}


def mend(path: Path) -> None:
    """Leave a sound database at `path`, or none where there was none."""
    new = path.with_name(path.name + ".new")
    if new.exists() and not path.exists():
        # A crash came between the moves below.  A log that still lies there is the damaged file's: SQLite would put its pages
        # into the new one.
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        new.rename(path)
    for part in path.parent.glob(new.name + "*"):
        part.unlink()
    if not path.exists() or not _was_used(path) or is_sound(path):
        return
    new.touch(mode=0o600)
    saved = _save(path, new)
    aside = path.with_name(f"{path.name}{CORRUPT}{time.time_ns()}")
    for end in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    new.rename(path)
    said = (
        "database %s is damaged: set aside as %s; %s rows were saved; nobody is recognised until consent is given again"
    )
    log.error(said, path, aside, saved)


def made(path: Path) -> Path:
    """A file beside the database that says that there was one: an empty one is then no new one."""
    return path.with_name(path.name + ".made")


def _was_used(path: Path) -> bool:
    return path.stat().st_size > 0 or made(path).exists()


def alarm(path: Path) -> str | None:
    """That a damaged database was set aside, for as long as it lies there."""
    aside = sorted(each.name for each in path.parent.glob(f"{path.name}{CORRUPT}*") if each.name[-1].isdecimal())
    if not aside:
        return None
    return f"a damaged database was set aside as {aside[-1]}; import the members again, check the disk, then remove that file"


def is_sound(path: Path) -> bool:
    """Whether SQLite finds nothing wrong, and each value is of its column's type, each text one; an empty file is none.

    Raises:
        sqlite3.OperationalError: it cannot be looked at: locked, or no permission.
    """
    if path.stat().st_size == 0:
        return False
    with closing(sqlite3.connect(path)) as db:
        try:
            return db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok" and _has_sound_values(db)
        except sqlite3.OperationalError:
            raise
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return False


def _has_sound_values(db: sqlite3.Connection) -> bool:
    """A flipped byte can leave the trees as they are and a value that no query survives.

    Raises:
        UnicodeDecodeError: a text is none.
    """
    db.text_factory = bytes
    tables = [name.decode() for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        columns = db.execute('SELECT name, type, "notnull" FROM pragma_table_info(?)', (table,)).fetchall()
        kinds = [
            (name.decode(), _KINDS.get(declared.decode().partition("(")[0]), no_null)
            for name, declared, no_null in columns
        ]
        wrong = [
            f'typeof("{name}") NOT IN ({kind}{"" if no_null else ", " + NULL})'
            for name, kind, no_null in kinds
            if kind is not None
        ]
        texts = [f'"{name}"' for name, kind, _ in kinds if kind == TEXT]
        if wrong and db.execute(f'SELECT 1 FROM "{table}" WHERE {" OR ".join(wrong)} LIMIT 1').fetchone():  # noqa: S608
            return False
        if texts:
            rows = db.execute(f'SELECT {", ".join(texts)} FROM "{table}"')  # noqa: S608
            while some := rows.fetchmany(ROWS_AT_ONCE):
                b"\0".join([value for row in some for value in row if value is not None]).decode()
    return True


def _save(path: Path, new: Path) -> int:
    """Make `new` from what is readable; how many rows that is."""
    engine = create_engine(f"sqlite:///{new}")
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # else each table waits for the disk by itself
        migrate(connection)
    engine.dispose()
    now_ns, saved = time.time_ns(), 0
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(new)) as db:
        old.text_factory = bytes
        old.execute("PRAGMA writable_schema = ON")  # one table's damaged definition must not hide all the others
        for table in Base.metadata.sorted_tables:
            if table.name in NOT_TAKEN_OVER:
                continue
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            marks = ", ".join("?" * len(table.columns))
            for row in _rows(old, table, names):
                sql = f"INSERT OR IGNORE INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - names of ours
                saved += db.execute(sql, row).rowcount
        _remove_orphans(db)
        _suspend_consent(db, now_ns)
        _work_out_marks(db)
        # The next start counts on from here, also by a clock that was set back: else the fences of screens and lamps refuse us.
        db.execute("INSERT INTO epoch SELECT 1, epoch FROM command ORDER BY epoch DESC LIMIT 1")
        db.commit()
    return saved


def _rows(db: sqlite3.Connection, table: Table, names: str) -> Iterator[Row]:
    """The readable rows of a table whose values are of its columns' types."""
    sql = f"SELECT {names} FROM {table.name} NOT INDEXED WHERE rowid BETWEEN ? AND ?"  # noqa: S608 - names of ours
    try:
        db.execute(f"SELECT {names} FROM {table.name} LIMIT 0")  # noqa: S608 - names of ours
    except sqlite3.Error:
        return  # SQLite knows no such table any more: no question about it has an answer
    try:
        highest = db.execute(f"SELECT max(rowid) FROM {table.name}").fetchone()[0] or 0  # noqa: S608
    except sqlite3.Error:
        highest = 1 << 32
    ranges, queries = [(1, highest)], 0
    while ranges and queries < MAX_QUERIES:
        first, last = ranges.pop()
        queries += 1
        try:
            found = db.execute(sql, (first, last)).fetchall()
        except sqlite3.Error:
            if first < last:
                middle = (first + last) // 2
                ranges += [(middle + 1, last), (first, middle)]
            continue
        for raw in found:
            if (row := _checked(table, raw)) is not None:
                yield row


def _checked(table: Table, raw: Row) -> Row | None:
    """The row with its texts decoded; None where a value is not of its column's type."""
    row: list[object] = []
    for column, value in zip(table.columns, raw, strict=True):
        wanted = column.type.python_type
        if isinstance(value, bytes) and wanted is str:
            try:
                value = value.decode()
            except UnicodeDecodeError:
                return None
        if not (value is None and column.nullable) and not isinstance(value, _PYTHON_TYPES[wanted]):
            return None
        row.append(value)
    return tuple(row)


def _remove_orphans(db: sqlite3.Connection) -> None:
    while orphans := db.execute("PRAGMA foreign_key_check").fetchall():
        for table, rowid, *_ in orphans:
            db.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (rowid,))  # noqa: S608 - names of ours


def _suspend_consent(db: sqlite3.Connection, now_ns: int) -> None:
    """Nobody has agreed any more.  A member's own "no" stays the last word, since a list gives back only what we suspended."""
    newest = "SELECT max(id) FROM consent GROUP BY member, purpose"
    agreed = f"SELECT member, purpose FROM consent WHERE granted AND id IN ({newest})"  # noqa: S608 - words of ours
    for member, purpose in db.execute(agreed).fetchall():
        values = (member, purpose, 0, now_ns, SALVAGE)
        db.execute("INSERT INTO consent (member, purpose, granted, at_ns, source) VALUES (?, ?, ?, ?, ?)", values)


def _work_out_marks(db: sqlite3.Connection) -> None:
    seqs: dict[tuple[str, str], SeqSet] = defaultdict(SeqSet)
    stored: dict[tuple[str, str], int] = defaultdict(int)
    for gateway, generation, seq in db.execute("SELECT gateway, generation, seq FROM event ORDER BY seq"):
        stored[gateway, generation] += seqs[gateway, generation].add(seq, seq)
    for key, mark in seqs.items():
        values = (*key, mark.upto, mark.to_text(), stored[key], 0)
        sql = "INSERT INTO generation (gateway, generation, upto, above, stored, dropped) VALUES (?, ?, ?, ?, ?, ?)"
        db.execute(sql, values)
