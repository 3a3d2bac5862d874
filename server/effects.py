"""What follows from an event: visits, goods, decisions, results."""

from dataclasses import dataclass

from broker_config.messages import (
    ActuatorResult,
    ItemArrived,
    ItemDeparted,
    ItemMoved,
    ShelfAnomaly,
    ShelfPick,
    ShelfPutback,
    VisitDwelled,
    VisitEntered,
    VisitLeft,
)
from server.catalog import Catalog, gtin_of
from server.clones import Clones
from server.commands.service import CommandService
from server.decisions.rules import Trigger
from server.decisions.service import DecisionService
from server.decoding import EventRef, Heard
from server.erasure.service import ErasureService
from server.feed import Happening
from server.marks import Marks
from server.members.tables import MemberTables
from server.telemetry import Telemetry
from server.visits.items import ItemService
from server.visits.model import Visit
from server.visits.service import VisitService
from server.work import Work


@dataclass(frozen=True, slots=True)
class Effects:
    """The services that events act on."""

    marks: Marks
    clones: Clones
    visits: VisitService
    items: ItemService
    decisions: DecisionService
    commands: CommandService
    tables: MemberTables
    erasure: ErasureService
    telemetry: Telemetry
    catalog: Catalog

    async def apply(self, work: Work, heard: Heard, ref: EventRef, *, stale: bool) -> None:
        """Let an event act.  A stale one is history: it moves presence where it is newer than what is known, and no more."""
        told = len(work.happenings)
        await self._act(work, heard, ref, stale=stale)
        if stale:  # a page that shows what happens now has no use for it, but must learn of a visit's end
            work.happenings[told:] = [each for each in work.happenings[told:] if each.what == "ended"]

    async def _act(self, work: Work, heard: Heard, ref: EventRef, *, stale: bool) -> None:
        match heard.envelope.data:
            case VisitEntered() as data:
                visit = await self.visits.enter(work, ref.gateway, ref.id, data)
                if visit is not None and not stale:
                    await self._decide(work, ref, data, visit)
            case VisitDwelled() as data:
                visit = self.visits.dwell(work, data)
                if visit is not None and not stale:
                    await self._decide(work, ref, data, visit)
            case VisitLeft() as data:
                self.visits.leave(work, data)
            case ItemArrived() | ItemMoved() | ItemDeparted() as data:
                self.items.apply(work, data)
            case ShelfPick() as data:
                self._apply_shelf(work, ref, data, stale=stale)
            case ActuatorResult() as data:
                await self.commands.take_result(work, data)

    async def _decide(self, work: Work, ref: EventRef, data: VisitEntered | VisitDwelled, visit: Visit) -> None:
        profile = await self.visits.profile(work, visit)
        self.decisions.on_visit(work, ref.id, data, visit, profile)
        self.visits.save(work, visit)

    def _apply_shelf(self, work: Work, ref: EventRef, data: ShelfPick, *, stale: bool) -> None:
        what = data.type_name.split(".")[2]
        gtin = gtin_of(data)
        article = self.catalog.find(gtin)
        facts: dict[str, object] = {
            "epc": data.epc,
            "gtin": gtin,
            "article": article.name if article is not None else None,
            "quantity": data.quantity,
            "confidence": data.confidence,
        }
        work.happenings.append(Happening("shelf", what, data.detected_at, data.shelf, facts))
        if stale or isinstance(data, ShelfAnomaly):
            return
        trigger: Trigger = "shelf.putback" if isinstance(data, ShelfPutback) else "shelf.pick"
        self.decisions.on_shelf(work, ref.id, trigger, data, gtin)
