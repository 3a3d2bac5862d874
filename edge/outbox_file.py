"""The outbox's file: opened, made, or made anew from what is readable of a damaged one."""

import logging
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from broker_config.errors import ConfigError
from edge.outbox_index import SalvagedEvent
from edge.outbox_mark import Mark, mark_path, read_mark
from edge.outbox_room import PAGE_BYTES, wal_pages
from edge.outbox_rows import CLASSES
from edge.outbox_salvage import GENERATION, Salvage, beside, kept_log, salvage, set_aside
from edge.outbox_sql import AFTER, COUNT_AFTER, LOST_AFTER, NEWEST, SALVAGED_AFTER, TABLE
from edge.outbox_sums import SALVAGED, row_sum, state_sum

log = logging.getLogger(__name__)
SET_STATE = "INSERT OR REPLACE INTO state (key, value, crc) VALUES (?, ?, ?)"
_NOT_ITS_FAULT = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_INTERRUPT,
)
"""Another process, the disk, or a permission: the file itself may be sound."""
FORMAT = 1
"""To be raised, in both places where the file tells it, by a change that the version before could not go on with."""
SAVED_AT_ONCE = 500
COUNT = re.compile(r"0|[1-9][0-9]{0,15}")
_SCHEMA = """
BEGIN;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value BLOB NOT NULL, crc INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_a
    (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, crc INTEGER);
CREATE TABLE IF NOT EXISTS event_b
    (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, crc INTEGER);
CREATE TABLE IF NOT EXISTS event_c
    (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, crc INTEGER);
CREATE TABLE IF NOT EXISTS dropped (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, class TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS dropped_last ON dropped (last);
CREATE TABLE IF NOT EXISTS run (base INTEGER PRIMARY KEY, generation TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ack_mark (at_ns INTEGER PRIMARY KEY, upto INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS salvaged
    (number INTEGER PRIMARY KEY, topic TEXT, payload BLOB, crc INTEGER, generation TEXT, seq INTEGER);
CREATE TABLE IF NOT EXISTS salvaged_lost (generation TEXT, first INTEGER, last INTEGER);
COMMIT;
"""


def open_outbox(path: Path, quota_pages: int, lock_wait_s: float) -> sqlite3.Connection:
    """The opened file, made where missing.

    A damaged one is set aside, and what is readable of it goes on in a new one, of a new generation.  The new one is whole
    before the old one moves, so that a crash or a full disk in between loses nothing.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    if new.exists() and not path.exists():
        # A crash came between the moves.  A log that still lies there is the damaged file's, and has been read: SQLite would
        # put its pages into the new one.
        for part in (*beside(path), kept_log(path), mark_path(path)):
            part.unlink(missing_ok=True)
        new.rename(path)
    for part in path.parent.glob(new.name + "*"):
        part.unlink()
    mark = read_mark(path)
    if mark is not None and not path.exists():
        log.warning("outbox %s is gone, with the events that waited in it; a new one is made", path)
        mark_path(path).unlink()
        mark = None
    try:
        _refuse_empty(path, mark)
        db = _connect(path, quota_pages, lock_wait_s)
        _hold_to_mark(db, mark)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter of a name in a damaged schema
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _NOT_ITS_FAULT:
            raise
        _save(path, new, mark, quota_pages, lock_wait_s, str(error))
        db = _connect(path, quota_pages, lock_wait_s)
    kept_log(path).unlink(missing_ok=True)
    return db


def _refuse_empty(path: Path, mark: Mark | None) -> None:
    """SQLite would take it for a new database, and delete its log.

    Raises:
        sqlite3.DatabaseError: it was no new one.
    """
    log_file = beside(path)[0]
    had_events = mark is not None or (log_file.exists() and log_file.stat().st_size > 0)
    if had_events and path.exists() and path.stat().st_size == 0:
        raise sqlite3.DatabaseError("it is empty")


def _hold_to_mark(db: sqlite3.Connection, mark: Mark | None) -> None:
    """Refuse a file that has gone back behind its mark: a part of its log is lost, which SQLite takes for the log's end.

    Raises:
        sqlite3.DatabaseError: it has; it is closed.
    """
    if mark is None:
        return
    meta = dict(db.execute("SELECT key, value FROM meta"))
    if meta["generation"] != mark.file_id or int(meta["commits"]) < mark.commits:
        db.close()
        raise sqlite3.DatabaseError("it lacks the last that was committed")


def _save(path: Path, new: Path, mark: Mark | None, quota_pages: int, lock_wait_s: float, why: str) -> None:
    """Put a new file in the place of a damaged one, with all of that one's events that have room in half of it."""
    log_file = next((each for each in (kept_log(path), beside(path)[0]) if each.exists()), kept_log(path))
    room_bytes = quota_pages * PAGE_BYTES // 2
    with (
        salvage(path, log_file, PAGE_BYTES, mark, room_bytes) as saved,
        closing(_connect(new, quota_pages, lock_wait_s)) as db,
    ):
        _put_salvaged(db, saved)
    aside = set_aside(path, log_file, time.time_ns())
    new.rename(path)
    said = "outbox %s is damaged (%s): set aside as %s; %s events were saved, and a new generation begins"
    log.error(said, path, why, aside, saved.count)


def _put_salvaged(db: sqlite3.Connection, saved: Salvage) -> None:
    """In many transactions, so that the log stays small: a file that is not whole is not used."""
    for numbered in _in_pieces(enumerate(saved.events, 1)):
        db.execute("BEGIN")
        for number, event in numbered:
            kept_sum = row_sum(number, SALVAGED, event.topic, event.payload)
            values = (number, event.topic, event.payload, kept_sum, event.generation, event.seq)
            db.execute("INSERT INTO salvaged VALUES (?, ?, ?, ?, ?, ?)", values)
        db.execute("COMMIT")
    db.execute("BEGIN")
    lost = [(each.generation, each.first, each.last) for each in saved.lost]
    db.executemany("INSERT INTO salvaged_lost VALUES (?, ?, ?)", lost)
    db.executemany(SET_STATE, [(key, value, state_sum(key, value)) for key, value in saved.state])
    db.execute("COMMIT")


def _in_pieces(events: Iterator[tuple[int, SalvagedEvent]]) -> Iterator[list[tuple[int, SalvagedEvent]]]:
    while piece := list(islice(events, SAVED_AT_ONCE)):
        yield piece


def _connect(path: Path, quota_pages: int, lock_wait_s: float) -> sqlite3.Connection:
    path.touch(mode=0o600)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=lock_wait_s)
    db.text_factory = _decode  # bytes that are no text are for the checksum to find, and no reason to fail
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")  # before the log is looked at: then its index needs no file
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")  # an erasure reaches what was deleted long before it
        db.execute("BEGIN IMMEDIATE")  # the file is ours
        db.execute("COMMIT")
        _keep_log(path)
        most_in_log = wal_pages(quota_pages, path.parent)
        db.execute(f"PRAGMA wal_autocheckpoint = {most_in_log}")
        db.execute(f"PRAGMA journal_size_limit = {2 * most_in_log * PAGE_BYTES}")
        if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it fails its integrity check")
        _refuse_newer(db, path)
        db.executescript(_SCHEMA)
        for table in (*TABLE.values(), "state"):
            if "crc" not in {row[1] for row in db.execute(f"PRAGMA table_info({table})")}:
                db.execute(f"ALTER TABLE {table} ADD COLUMN crc INTEGER")
        _add_meta(db)
        if db.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
            db.execute(f"PRAGMA user_version = {FORMAT}")
        _check_meta(db)
        db.execute(f"PRAGMA max_page_count = {quota_pages}")
    except (sqlite3.Error, UnicodeDecodeError, ConfigError):
        db.close()
        raise
    return db


def _refuse_newer(db: sqlite3.Connection, path: Path) -> None:
    """Leave a file alone that a later version has changed so that this one would break it.

    Both places say so, or it is damage: one flipped bit must not keep an agent down.

    Raises:
        ConfigError: it is one.
        sqlite3.DatabaseError: it is damaged.
    """
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version <= FORMAT:
        return
    said = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if said != (str(version),):
        raise sqlite3.DatabaseError("its header is damaged")
    raise ConfigError(
        f"{path}: a newer version of Tacet wrote it, in a form that this one cannot go on with; install that one again, "
        "let `tacet doctor` show that no event waits, and then remove the file"
    )


def _keep_log(path: Path) -> None:
    """Copy the log that a crash left: closing a database that turns out to be damaged deletes it, and it may hold more."""
    log_file = beside(path)[0]
    if not log_file.exists() or log_file.stat().st_size == 0:
        return
    kept = kept_log(path)
    kept.touch(mode=0o600)
    try:
        shutil.copyfile(log_file, kept)
    except OSError as error:
        log.warning(
            "%s cannot be copied (%s); if the outbox is damaged, less of it can be saved", log_file, error.strerror
        )
        kept.unlink(missing_ok=True)


def _add_meta(db: sqlite3.Connection) -> None:
    """The file's account of itself, and what later versions added to it."""
    zeros = ("last_seq", "acked_upto", "dropped_events", "starts", "commits", "dropped_a", "dropped_b", "dropped_c")
    for key, value in (("generation", secrets.token_hex(8)), *((key, "0") for key in zeros)):
        db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value))
    db.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (str(FORMAT),))
    for key, origin in (("generation_again", "generation"), ("sums_from", "last_seq")):
        db.execute("INSERT OR IGNORE INTO meta SELECT ?, value FROM meta WHERE key = ?", (key, origin))


def _decode(text: bytes) -> str:
    return text.decode(errors="replace")


def _check_meta(db: sqlite3.Connection) -> None:
    """Refuse a file whose account of itself cannot be right.

    Raises:
        sqlite3.DatabaseError: it is damaged.
    """
    meta = {key: str(value) for key, value in db.execute("SELECT key, value FROM meta")}
    counts = [key for key in meta if key not in ("generation", "generation_again")]
    newest = [db.execute(NEWEST[each]).fetchone()[0] or 0 for each in CLASSES]
    is_sound = (
        GENERATION.fullmatch(meta.get("generation", ""))
        and meta["generation"] == meta["generation_again"]
        and all(COUNT.fullmatch(meta[key]) for key in counts)
        and int(meta["last_seq"]) >= max(newest)
    )
    if not is_sound:
        raise sqlite3.DatabaseError("its account of itself is damaged")
    last_seq, acked_upto = int(meta["last_seq"]), int(meta["acked_upto"])
    covered = sum(db.execute(COUNT_AFTER[each], (acked_upto,)).fetchone()[0] for each in CLASSES)
    dropped = "SELECT total(last - max(first - 1, ?1)) FROM dropped WHERE last > ?1"
    covered += int(db.execute(dropped, (acked_upto,)).fetchone()[0])
    if covered != max(last_seq - acked_upto, 0):
        raise sqlite3.DatabaseError("there are holes in it")
    for statement in (AFTER, SALVAGED_AFTER, LOST_AFTER):  # a damaged schema lacks a column
        db.execute(statement, (0, 1)).fetchall()
    for key, value, kept_sum in db.execute("SELECT key, value, crc FROM state"):
        if not isinstance(value, bytes) or kept_sum not in (None, state_sum(key, value)):
            raise sqlite3.DatabaseError("a state is damaged")
