"""Who left which zone when: a leaving counts also for an entry that comes after it."""

from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.errors import MessageError
from broker_config.messages import VisitLeft, decode
from server.clock import to_ns
from server.tables import EventRow
from server.times import put_right

MAX_LEAVINGS = 4000
"""The newest: about the hundred last ones of each zone of a store."""


class Leavings:
    """The last leaving of each zone by each token.

    A network may turn messages round, and an entry that was lost is sent again; so a leaving, whenever it came, ends every
    entry into its zone up to its time, and only those.  It says nothing of another zone: one token may have a card in each
    of two, and an entry into the other that comes late still counts.
    """

    def __init__(self) -> None:
        self._at_ns: dict[tuple[str, str], int] = {}

    async def load(self, session: AsyncSession, since_ns: int, until_ns: int) -> None:
        """Read the leavings between then and then, of the events taken in; nothing else is known afterwards."""
        wanted = EventRow.type == VisitLeft.type_name, EventRow.at_ns.between(since_ns, until_ns)
        newest = (
            select(EventRow.payload, EventRow.received_ns)
            .where(*wanted)
            .order_by(EventRow.at_ns.desc())
            .limit(MAX_LEAVINGS)
        )
        self._at_ns = {}
        for payload, received_ns in reversed((await session.execute(newest)).all()):
            with suppress(MessageError):  # of an earlier version: too old for an entry to come after it
                data = put_right(decode(payload), received_ns).data
                assert isinstance(data, VisitLeft), "the row says so"
                self.note(data)

    def note(self, data: VisitLeft) -> None:
        """A visit left a zone, whether it is known to have been there or not."""
        key = data.visit, data.zone
        self._at_ns[key] = max(to_ns(data.detected_at), self._at_ns.pop(key, 0))
        if len(self._at_ns) > MAX_LEAVINGS:
            del self._at_ns[next(iter(self._at_ns))]

    def ended(self, token: str, zone: str, entered_ns: int) -> bool:
        """Whether the token has left the zone that it entered then."""
        return self._at_ns.get((token, zone), -1) >= entered_ns
