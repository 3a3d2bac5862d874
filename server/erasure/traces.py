"""What is left of an erased member in the bytes of the database, though no row holds it any more.

SQLite with `secure_delete` overwrites what it deletes, but the write-ahead log keeps older pages until it is cut off, and a
page that was split long ago may hold a second copy in space that no row owns.  So we do not trust, we look; and where a
trace is found the whole file is written anew.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from server.db import Database
from server.salvage import set_aside_of

log = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
ENDS = ("", "-wal", "-journal")


async def remove_traces(db: Database, path: Path, needles: Sequence[bytes]) -> bool:
    """Leave none of these bytes in the database's files; whether that succeeded.

    Args:
        needles: what only the erased member has: ids, hashes, handles.
    """
    await db.truncate_log()
    if not await asyncio.to_thread(has_traces, path, needles):
        return True
    log.info("writing the database anew, to leave nothing of an erased member in it")
    await db.rewrite()
    await db.truncate_log()
    clean = not await asyncio.to_thread(has_traces, path, needles)
    if not clean:
        log.error("traces of an erased member are left in %s; stop what else reads it, then erase again", path)
    return clean


def has_traces(path: Path, needles: Sequence[bytes]) -> bool:
    """Whether any of them is in the database, its write-ahead log or its rollback journal.

    Reads in pieces: each look keeps the interpreter for a moment only.
    """
    overlap = max((len(needle) for needle in needles), default=1) - 1
    for end in ENDS:
        with suppress(FileNotFoundError), path.with_name(path.name + end).open("rb") as file:
            tail = b""
            while chunk := file.read(CHUNK_BYTES):
                piece = tail + chunk
                if any(needle in piece for needle in needles):
                    return True
                tail = piece[-overlap:] if overlap else b""
    return False


def remove_set_aside(path: Path) -> int:
    """Remove the damaged databases that were set aside: nobody can erase one member from them; how many there were."""
    found = set_aside_of(path)
    for part in found:
        part.unlink(missing_ok=True)
    if found:
        log.warning("%s files of damaged databases were removed: an erased member may be in them", len(found))
    return len(found)
