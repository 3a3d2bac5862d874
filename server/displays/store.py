"""The valid secrets of paired browsers, in the database."""

from sqlalchemy import select

from broker_config.site import DisplayId
from server.db import Database
from server.tables import PairedDisplayRow


class SqlPairedStore:
    """`pairing.PairedStore` on the one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, display: DisplayId, secret_hash: bytes, at_ns: int) -> None:
        """Make one secret valid for a display; again for the same one changes nothing but the time."""
        async with self._database.write() as session:
            await session.merge(PairedDisplayRow(display=display, secret_hash=secret_hash, paired_ns=at_ns))

    async def holds(self, display: DisplayId, secret_hash: bytes) -> bool:
        """Whether that secret is valid for the display."""
        query = select(PairedDisplayRow.paired_ns).where(
            PairedDisplayRow.display == display, PairedDisplayRow.secret_hash == secret_hash
        )
        async with self._database.session() as session:
            return await session.scalar(query) is not None
