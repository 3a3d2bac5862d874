"""What is left of an erased member in the bytes of the database, though no row holds it any more.

SQLite with `secure_delete` overwrites what it deletes, but the write-ahead log keeps older pages until it is cut off, and a
page that was split long ago may hold a second copy in space that no row owns.  So we do not trust, we look; and where a
trace is found the whole file is written anew.
"""

import asyncio
import logging
from collections.abc import Sequence

from server.db import Database

log = logging.getLogger(__name__)


async def remove_traces(db: Database, needles: Sequence[bytes]) -> bool:
    """Leave none of these bytes in the database's files; whether that succeeded.

    Args:
        needles: what only the erased member has: ids, hashes, handles.
    """
    await db.truncate_log()
    if not await asyncio.to_thread(db.bytes.holds, needles):
        return True
    log.info("writing the database anew, to leave nothing of an erased member in it")
    await db.rewrite()
    await db.truncate_log()
    if not await asyncio.to_thread(db.bytes.holds, needles):
        return True
    log.error(
        "traces of an erased member are left in the database; stop what else reads it, and start the server again"
    )
    return False
