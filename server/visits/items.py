"""Where the site's own goods are now."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.messages import ItemArrived, ItemDeparted, ItemMoved
from broker_config.site import AgentId, Site
from server.clock import ClockNs, to_ns
from server.feed import Happening
from server.tables import ItemRow
from server.visits.model import Place, Restarts
from server.work import Work


class ItemService:
    """The place of each item, by its latest event."""

    def __init__(self, site: Site, clock_ns: ClockNs) -> None:
        self._restarts, self._clock_ns = Restarts(site), clock_ns
        self._places: dict[str, Place] = {}

    async def load(self, session: AsyncSession) -> None:
        """Read where everything was.  What is dated later than now, a clock that was ahead has dated: it counts as of now."""
        now_ns = self._clock_ns()
        rows = await session.scalars(select(ItemRow))
        self._places = {row.epc: Place(row.zone, min(row.as_of_ns, now_ns)) for row in rows}

    def counts(self) -> dict[str, int]:
        """Items in each zone now."""
        found: dict[str, int] = {}
        for place in self._places.values():
            if place.zone is not None:
                found[place.zone] = found.get(place.zone, 0) + 1
        return found

    def agent_started(self, work: Work, agent: AgentId, started_ns: int) -> None:
        """What an agent's earlier process had seen is nowhere until its new one sees it."""
        self._restarts.take(agent, started_ns)
        for epc, place in self._places.items():
            if place.zone is not None and self._restarts.forgotten(place.zone, place.as_of_ns):
                self._places[epc] = Place(None, place.as_of_ns)
                work.write(ItemRow, epc=epc, zone=None, as_of_ns=place.as_of_ns)

    def apply(self, work: Work, data: ItemArrived | ItemMoved | ItemDeparted) -> None:
        """Take note of an event; one that is older than what we know changes nothing."""
        at_ns = to_ns(data.detected_at)
        known = self._places.get(data.epc)
        if known is not None and known.as_of_ns > at_ns:
            return
        gone = isinstance(data, ItemDeparted) or self._restarts.forgotten(data.zone, at_ns)
        place = Place(None if gone else data.zone, at_ns)
        self._places[data.epc] = place
        work.write(ItemRow, epc=data.epc, zone=place.zone, as_of_ns=at_ns)
        facts: dict[str, object] = {"epc": data.epc}
        if isinstance(data, ItemMoved):
            facts["from_zone"] = data.from_zone
        work.happenings.append(Happening("item", data.type_name.split(".")[2], data.detected_at, data.zone, facts))
