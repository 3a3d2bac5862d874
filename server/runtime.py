"""The running server without its HTTP side: opens everything in order, and closes it in the other."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from sqlalchemy.exc import DatabaseError, OperationalError

from broker_config.errors import ConfigError
from broker_config.heartbeats import Heartbeats
from broker_config.site import DisplayId, Site, load_site
from server.access.start import make_access
from server.audit.service import Audit
from server.catalog import load_catalog
from server.checkout.service import CheckoutService
from server.clock import ClockNs, check_clock
from server.clones import Clones
from server.commands.keys import CommandKeys
from server.commands.retries import keep_retrying
from server.commands.service import CommandService
from server.config import ServerConfig
from server.db import Database, open_database
from server.decisions.service import DecisionService
from server.decoding import MessageReader
from server.delivery.service import DeliveryService
from server.displays.pairing import PairingService
from server.displays.proxy import MqttProxy
from server.displays.store import SqlPairedStore
from server.effects import Effects
from server.erasure.journal import Journal
from server.erasure.service import ErasureService
from server.erasure.store import Marks as ErasureMarks
from server.feed import Feed
from server.fleet import Fleet
from server.housekeeping import STUCK_S, keep_house
from server.identities import Identities
from server.inbox import Inbox
from server.link import Link
from server.marks import Marks
from server.me.codes import MemberCodes
from server.members.service import MemberService
from server.members.store import CardVault
from server.members.tables import MemberTables
from server.room import keep_reserve
from server.salvage import made, mend
from server.secrets import Secrets, load_secrets
from server.state import ServerState
from server.telemetry import Telemetry, open_telemetry
from server.visits.items import ItemService
from server.visits.service import VisitService
from server.web.pages import make_pages
from server.work import Ledger

CANCEL_AGAIN_S = 1.0


@asynccontextmanager
async def running(config: ServerConfig, clock_ns: ClockNs) -> AsyncIterator[ServerState]:
    """The state, with its background tasks at work while the block runs.

    Raises:
        ConfigError: a file or credential is missing or wrong.
    """
    site = load_site(Path(config.site))
    async with opened(config, site, clock_ns) as state, asyncio.TaskGroup() as tasks:
        link = tasks.create_task(state.link.run(), name="link")
        others = [
            tasks.create_task(state.inbox.run(), name="inbox"),
            tasks.create_task(state.marks.run(), name="acknowledgements"),
            tasks.create_task(keep_retrying(state.ledger, state.commands), name="retries"),
            tasks.create_task(
                keep_house(
                    state.ledger,
                    state.visits,
                    state.member_tables,
                    state.audit,
                    state.erasure,
                    state.renew_base,
                    partial(keep_reserve, Path(config.data)),
                    state.heartbeats.add("database", STUCK_S),
                ),
                name="housekeeping",
            ),
        ]
        yield state
        for task in others:
            task.cancel()  # just once: aiosqlite waits for ever if the closing of its connection is cancelled
        await end(link)


async def end(link: asyncio.Task[None]) -> None:
    """Cancel until it has ended.

    Once is not enough: aiomqtt waits by `asyncio.wait_for`, which in Python 3.11 swallows a cancellation that comes in the
    same instant as what it waits for.
    """
    while not link.done():
        link.cancel()
        await asyncio.wait([link], timeout=CANCEL_AGAIN_S)


@asynccontextmanager
async def opened(config: ServerConfig, site: Site, clock_ns: ClockNs) -> AsyncIterator[ServerState]:
    """The state with nothing at work yet.

    Raises:
        ConfigError: a file, credential or the database cannot be used, or the host's clock was never set.
    """
    check_clock(clock_ns())
    folder = Path(config.data)
    secrets = load_secrets(folder)
    async with AsyncExitStack() as stack:
        try:
            await asyncio.to_thread(mend, config.database)
            db = await stack.enter_async_context(open_database(config.database))
            made(config.database).touch(mode=0o600)
        except (sqlite3.OperationalError, OSError) as error:
            raise ConfigError(f"{config.database}: cannot be used ({error}); does another server use it?") from error
        except DatabaseError as error:
            why = f"{config.database}: cannot be used ({error.orig}); restore it from its backup, or move it away"
            raise ConfigError(why) from error
        telemetry = await stack.enter_async_context(open_telemetry(config.influx, site))
        state = _assemble(config, site, db, telemetry, clock_ns, secrets)
        try:
            async with db.write() as session:
                await state.commands.start_epoch(session)
            state.access.first_link = await state.access.staff.prepare()
            async with state.ledger.transaction():
                pass  # the services' first load
            await state.erasure.reapply()  # before anything is heard, answered or matched
            await state.members.forget_withdrawn()
        except OperationalError as error:
            why = f"{config.database}: cannot be written ({error.orig}); free some space on its disk"
            raise ConfigError(why) from error
        await asyncio.to_thread(keep_reserve, folder)
        state.link.on_connect += [state.send_base, state.owe_acks]
        yield state


def _assemble(
    config: ServerConfig, site: Site, db: Database, telemetry: Telemetry, clock_ns: ClockNs, keys: Secrets
) -> ServerState:
    """Wire the services.  Long, but straight: a line for each, and most are given to several others."""
    identities = Identities(Path(config.identity), site)
    feed = Feed()
    command_keys = CommandKeys(identities.folder, site)
    link = Link(config.broker, identities.own(), site, command_keys, clock_ns)
    ledger = Ledger(db, link, feed, clock_ns)
    vault = CardVault(keys)
    audit = Audit(keys.audit_key, db, clock_ns)
    commands = CommandService(site, clock_ns)
    marks, clones, items = Marks(link), Clones(link), ItemService(site, clock_ns)
    visits = VisitService(site, identities, commands, clock_ns)
    tables = MemberTables(site, identities, vault, db, link, clock_ns)
    decisions = DecisionService(site, Path(config.rules), commands, db, clock_ns)
    fleet = Fleet(site, feed)
    catalog = load_catalog(Path(config.catalog))
    access = make_access(config, site, keys, identities, db, clock_ns)
    buried = ErasureMarks(keys.erasure_key)
    journal = Journal(Path(config.data))
    erasure = ErasureService(ledger, db, config.database, journal, buried, tables, visits, audit, site, clock_ns)
    effects = Effects(marks, clones, visits, items, decisions, commands, tables, erasure, telemetry, catalog)
    for loader in (marks.load, clones.load, visits.load, items.load, commands.load):
        ledger.loads(loader)
    inbox = Inbox(link, MessageReader(site), ledger, fleet, effects)
    return ServerState(
        config=config,
        site=site,
        secrets=keys,
        identities=identities,
        db=db,
        access=access,
        ledger=ledger,
        audit=audit,
        erasure=erasure,
        codes=MemberCodes(ledger, access.sessions, audit, keys.code_key, clock_ns),
        vault=vault,
        feed=feed,
        fleet=fleet,
        link=link,
        catalog=catalog,
        decisions=decisions,
        checkout=CheckoutService(link, site.own_goods, clock_ns),
        commands=commands,
        command_keys=command_keys,
        visits=visits,
        items=items,
        members=MemberService(ledger, db, vault, tables, visits, audit, buried, site.own_goods, clock_ns),
        member_tables=tables,
        marks=marks,
        clones=clones,
        telemetry=telemetry,
        heartbeats=Heartbeats(),
        inbox=inbox,
        delivery=DeliveryService(ledger, inbox, marks, clones),
        pairing=PairingService(frozenset(DisplayId(d.id) for d in site.displays), SqlPairedStore(db), clock_ns),
        proxy=MqttProxy(config.broker, site.id, identities.folder, clock_ns),
        pages=make_pages(site),
        clock_ns=clock_ns,
        started_ns=clock_ns(),
    )
