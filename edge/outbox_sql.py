"""The outbox's statements: a table per class, so that dropping a class's oldest rows frees whole pages."""

from edge.outbox_rows import CLASSES, EventClass

TABLE: dict[EventClass, str] = {"A": "event_a", "B": "event_b", "C": "event_c"}


def _per_class(sql: str) -> dict[EventClass, str]:
    return {event_class: sql.replace("{table}", table) for event_class, table in TABLE.items()}


def _of_all(sql: str) -> str:
    """SQLite merges the branches, each of which comes in the order of its key: nothing is sorted, and no row read too many."""
    branches = (sql.replace("{table}", TABLE[each]).replace("{class}", each) for each in CLASSES)
    return " UNION ALL ".join(branches)


INSERT = _per_class("INSERT INTO {table} (seq, topic, payload, crc) VALUES (?, ?, ?, ?)")
DELETE = _per_class("DELETE FROM {table} WHERE seq = ?")
OLDEST = _per_class("SELECT min(seq) FROM {table}")
NEWEST = _per_class("SELECT max(seq) FROM {table}")
NTH_OLDEST = _per_class("SELECT seq FROM {table} ORDER BY seq LIMIT 1 OFFSET ? - 1")
SEQS_UPTO = _per_class("SELECT seq FROM {table} WHERE seq <= ? ORDER BY seq")
DELETE_UPTO = _per_class("DELETE FROM {table} WHERE seq <= ?")
SIZE_UPTO = _per_class("SELECT count(*), total(length(payload) + length(topic)) FROM {table} WHERE seq <= ?")
SIZE_OF = _per_class("SELECT length(payload) + length(topic) FROM {table} WHERE seq = ?")
SIZE = _per_class("SELECT count(*), total(length(payload) + length(topic)), total(seq > ?) FROM {table}")
COUNT_AFTER = _per_class("SELECT count(*) FROM {table} WHERE seq > ?")
AFTER = _of_all("SELECT seq, '{class}', topic, payload, crc FROM {table} WHERE seq > ?1") + " ORDER BY 1 LIMIT ?2"  # noqa: S608 - ours
SALVAGED_AFTER = (
    "SELECT number, topic, payload, crc, generation, seq FROM salvaged WHERE number > ? ORDER BY number LIMIT ?"
)
LOST_AFTER = "SELECT generation, first, last FROM salvaged_lost WHERE first > ? LIMIT ?"
COVERED = (
    _of_all("SELECT seq AS first, seq AS last FROM {table} WHERE seq > ?1")  # noqa: S608 - ours
    + " UNION ALL SELECT first, last FROM dropped WHERE last > ?1 ORDER BY 1"
)
"""Every number above one that is a row or a declared drop, in order."""
