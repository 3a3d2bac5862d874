"""What time does by itself: visits end, leases are renewed half-way, old bad messages go, the head of the audit is told.

Here it is also noticed that a receiver has been given another key, and that the disk has room again for the reserve.
"""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy.exc import OperationalError

from broker_config.heartbeats import Heartbeat
from server import quarantine
from server.audit.service import Audit
from server.erasure.service import ErasureService
from server.members.tables import MemberTables
from server.visits.service import VisitService
from server.work import Ledger

log = logging.getLogger(__name__)

PERIOD_S = 5.0
STUCK_S = (
    60.0  # it shares the one writer with the inbox: what holds that up shows here; a busy disk may for half a minute
)


async def keep_house(
    ledger: Ledger,
    visits: VisitService,
    tables: MemberTables,
    audit: Audit,
    erasure: ErasureService,
    renew_base: Callable[[], None],
    keep_reserve: Callable[[], None],
    heartbeat: Heartbeat,
) -> None:
    """Go round until cancelled."""
    while True:
        heartbeat.beat()
        renew_base()
        await asyncio.to_thread(keep_reserve)
        try:
            async with ledger.transaction() as work:
                visits.close_overdue(work)
                await tables.renew_aged(work)
                await quarantine.trim(work)
            await audit.anchor_daily()
            await erasure.finish_unfinished()
            await erasure.remove_outlived()
        except OperationalError as error:
            log.warning("the database cannot be written: %s", error.orig)
        await asyncio.sleep(PERIOD_S)
