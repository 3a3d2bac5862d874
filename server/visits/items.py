"""Where the site's own goods are now."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.messages import ItemArrived, ItemDeparted, ItemMoved
from server.clock import to_ns
from server.feed import Happening
from server.tables import ItemRow
from server.visits.model import Place
from server.work import Work


class ItemService:
    """The place of each item, by its latest event."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}

    async def load(self, session: AsyncSession) -> None:
        """Read where everything was."""
        self._places = {row.epc: Place(row.zone, row.as_of_ns) for row in await session.scalars(select(ItemRow))}

    def counts(self) -> dict[str, int]:
        """Items in each zone now."""
        found: dict[str, int] = {}
        for place in self._places.values():
            if place.zone is not None:
                found[place.zone] = found.get(place.zone, 0) + 1
        return found

    def apply(self, work: Work, data: ItemArrived | ItemMoved | ItemDeparted) -> None:
        """Take note of an event; one that is older than what we know changes nothing."""
        at_ns = to_ns(data.detected_at)
        known = self._places.get(data.epc)
        if known is not None and known.as_of_ns > at_ns:
            return
        place = Place(None if isinstance(data, ItemDeparted) else data.zone, at_ns)
        self._places[data.epc] = place
        work.rows.append(ItemRow(epc=data.epc, zone=place.zone, as_of_ns=at_ns))
        facts: dict[str, object] = {"epc": data.epc}
        if isinstance(data, ItemMoved):
            facts["from_zone"] = data.from_zone
        work.happenings.append(Happening("item", data.type_name.split(".")[2], data.detected_at, data.zone, facts))
