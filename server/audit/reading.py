"""Reading the log from the database's file: while the server runs, after it was stopped, and from a backup."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from broker_config.errors import ConfigError
from server.audit.chain import EMPTY, Anchor, Finding, Link, verify

_NUMBER, _AT = 0, 1
_TEXTS = slice(2, 9)
_COLUMNS = "number, at_ns, actor_kind, actor_id, action, object_kind, object_id, outcome, detail, previous, hash"


def verify_file(path: Path, anchor: Anchor = EMPTY) -> Finding:
    """Look through the log in a database.

    Raises:
        ConfigError: it cannot be read, or has no such log.
    """
    with _opened(path) as db:
        return verify(_links(db), anchor)


def head_of(path: Path) -> Anchor:
    """Number and hash of the newest row.

    Raises:
        ConfigError: as `verify_file`.
    """
    with _opened(path) as db:
        found = db.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    return EMPTY if found is None else Anchor(int(found[0]), bytes(found[1]))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.exists():
        raise ConfigError(f"{path}: there is no database; start the server once: tacet server --config FILE")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            # Bytes that are no text, as a flipped bit makes them, are for the hash to find.
            db.text_factory = lambda data: data.decode(errors="surrogateescape")
            yield db
    except sqlite3.Error as error:
        raise ConfigError(f"{path}: the audit log cannot be read ({error}); is it a server's database?") from error


def _links(db: sqlite3.Connection) -> Iterator[Link]:
    for row in db.execute(f"SELECT {_COLUMNS} FROM audit ORDER BY number"):  # noqa: S608 - names of ours
        at_ns = row[_AT] if isinstance(row[_AT], int) else -1
        texts = tuple(_plain(value) for value in row[_TEXTS])
        yield Link(row[_NUMBER], at_ns, texts, _as_bytes(row[9]), _as_bytes(row[10]))


def _plain(value: object) -> str:
    """What is hashed: a value of another type, as a flipped bit may make it, hashes to something else."""
    return value.encode(errors="surrogateescape").decode(errors="replace") if isinstance(value, str) else repr(value)


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""
