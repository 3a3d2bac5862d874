"""What time does by itself: visits end, leases are renewed half-way, old bad messages go."""

import asyncio
import logging

from sqlalchemy.exc import OperationalError

from server import quarantine
from server.members.tables import MemberTables
from server.visits.service import VisitService
from server.work import Ledger

log = logging.getLogger(__name__)

PERIOD_S = 5.0


async def keep_house(ledger: Ledger, visits: VisitService, tables: MemberTables) -> None:
    """Go round until cancelled."""
    while True:
        try:
            async with ledger.transaction() as work:
                visits.close_overdue(work)
                await tables.renew_aged(work)
                await quarantine.trim(work)
        except OperationalError as error:
            log.warning("the database cannot be written: %s", error.orig)
        await asyncio.sleep(PERIOD_S)
