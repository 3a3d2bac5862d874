"""The events that were saved from a damaged outbox, held to their checksums once more before each is sent."""

import logging
import sqlite3
from collections.abc import Sequence

from edge.outbox_salvage import GENERATION, place_of
from edge.outbox_sql import SALVAGED_AFTER
from edge.outbox_sums import SALVAGED, row_sum

log = logging.getLogger(__name__)
Damaged = tuple[int, object, object]
"""The number of one that is damaged, and whose it was as far as can be told: generation and seq."""


def read_saved(db: sqlite3.Connection, number: int, limit: int) -> tuple[list[tuple[int, str, bytes]], list[Damaged]]:
    """The next few above that number: number, topic and payload; and those of them that are damaged."""
    rows: list[tuple[int, str, bytes]] = []
    bad: list[Damaged] = []
    for found in db.execute(SALVAGED_AFTER, (number, limit)).fetchall():
        if _is_right(*found):
            rows.append(found[:3])
        else:
            bad.append((found[0], *found[4:]))
    return rows, bad


def saved_generations(db: sqlite3.Connection) -> tuple[str, ...]:
    """Those of which something was saved, or is to be declared as lost."""
    found = db.execute("SELECT generation FROM salvaged UNION SELECT generation FROM salvaged_lost")
    return tuple(each for (each,) in found if GENERATION.fullmatch(str(each)))


def lose_saved(db: sqlite3.Connection, bad: Sequence[Damaged]) -> None:
    """Delete damaged ones, and declare them as lost; in the caller's transaction."""
    log.error("outbox: %s events that were saved are damaged now, and declared as lost", len(bad))
    for number, generation, seq in bad:
        db.execute("DELETE FROM salvaged WHERE number = ?", (number,))
        if isinstance(seq, int) and seq > 0 and GENERATION.fullmatch(str(generation)):
            db.execute("INSERT INTO salvaged_lost VALUES (?, ?, ?)", (generation, seq, seq))


def _is_right(number: int, topic: object, payload: object, kept_sum: object, generation: str, seq: int) -> bool:
    """Whether it is as it was saved, and stands under its own id."""
    if type(topic) is not str or type(payload) is not bytes or place_of(payload) != (generation, seq):
        return False
    return kept_sum == row_sum(number, SALVAGED, topic, payload)
