"""Taking the rows of visits out of the outbox whose person is not in the member table any more.

Nobody tells an agent who was erased: that would put a name of sorts on the bus.  It is told only that somebody was, and then
keeps no row of any visit whose owner it cannot find in the present table.  So nothing is left either of one who withdrew
long before, under a handle that no server remembers.

A row that the server had not acknowledged is declared as dropped, which closes its gap.
"""

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from broker_config.errors import MessageError
from broker_config.identity import open_handle
from broker_config.messages import VisitDwelled, VisitEntered, VisitLeft, decode
from edge.outbox_salvage import beside

log = logging.getLogger(__name__)

AT_ONCE = 500
_OWN = "SELECT seq, payload FROM event_a WHERE seq > ? AND topic LIKE '%/visit/%' ORDER BY seq LIMIT ?"
_SALVAGED = "SELECT number, payload FROM salvaged WHERE number > ? AND topic LIKE '%/visit/%' ORDER BY number LIMIT ?"


@dataclass(frozen=True, slots=True)
class VisitRow:
    """A stored event of a visit.

    Args:
        number: its seq; of a salvaged one its number.
        handle: whose the visit is, where the event says so.
    """

    number: int
    token: str
    handle: bytes | None
    salvaged: bool = False


def read_visits(db: sqlite3.Connection, after: int, seal_key: bytes, *, salvaged: bool) -> list[VisitRow]:
    """The next few stored events of visits.  One that cannot be read is of nobody who could be found, and so of no token."""
    found = db.execute(_SALVAGED if salvaged else _OWN, (after, AT_ONCE)).fetchall()
    return [_read(number, payload, seal_key, salvaged=salvaged) for number, payload in found]


def erase_salvaged(db: sqlite3.Connection, numbers: Iterable[int]) -> int:
    """Delete these rows that were saved from a damaged file, and declare them as lost; how many, in the caller's transaction."""
    wanted = [(number,) for number in numbers]
    db.executemany("INSERT INTO salvaged_lost SELECT generation, seq, seq FROM salvaged WHERE number = ?", wanted)
    db.executemany("DELETE FROM salvaged WHERE number = ?", wanted)
    return len(wanted)


def cut_log(db: sqlite3.Connection) -> None:
    """Bring every page of the write-ahead log home and leave none of it."""
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def remove_aside(quarantined: Sequence[Path]) -> list[Path]:
    """Remove damaged files that were set aside: nobody can erase one person from them; none are left."""
    for part in (each for aside in quarantined for each in (aside, *beside(aside))):
        part.unlink(missing_ok=True)
    if quarantined:
        log.warning("%s damaged outboxes that were set aside are removed: an erasure demands it", len(quarantined))
    return []


def _read(number: int, payload: object, seal_key: bytes, *, salvaged: bool) -> VisitRow:
    try:
        envelope = decode(payload if isinstance(payload, bytes) else b"")
        match envelope.data:
            case VisitEntered() as entered:
                handle = open_handle(seal_key, entered.who, envelope.id)
                return VisitRow(number, entered.visit, handle, salvaged)
            case VisitLeft() | VisitDwelled() as other:
                return VisitRow(number, other.visit, None, salvaged)
    except MessageError:
        pass
    return VisitRow(number, "", None, salvaged)
