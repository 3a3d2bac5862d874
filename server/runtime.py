"""The running server without its HTTP side: opens everything in order, and closes it in the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from broker_config.site import DisplayId, load_site
from server.clock import ClockNs
from server.config import ServerConfig
from server.db import open_database
from server.displays.pairing import PairingService
from server.displays.proxy import MqttProxy
from server.displays.store import SqlPairedStore
from server.feed import Feed
from server.fleet import Fleet
from server.identities import Identities
from server.link import Link
from server.secrets import load_secrets
from server.state import ServerState


@asynccontextmanager
async def running(config: ServerConfig, clock_ns: ClockNs) -> AsyncIterator[ServerState]:
    """The state, with its background tasks at work while the block runs.

    Raises:
        ConfigError: a file or credential is missing or wrong.
    """
    site = load_site(Path(config.site))
    secrets = load_secrets(Path(config.data))
    identities = Identities(Path(config.identity), site)
    feed = Feed()
    async with open_database(config.database) as db:
        state = ServerState(
            config=config,
            site=site,
            secrets=secrets,
            identities=identities,
            db=db,
            feed=feed,
            fleet=Fleet(site, feed),
            link=Link(config.broker, identities.own(), site, clock_ns),
            pairing=PairingService(frozenset(DisplayId(d.id) for d in site.displays), SqlPairedStore(db), clock_ns),
            proxy=MqttProxy((config.broker.host, config.broker.port), site.id, identities.folder, clock_ns),
            clock_ns=clock_ns,
            started_ns=clock_ns(),
        )
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(state.link.run(), name="link")]
            yield state
            for task in background:
                task.cancel()
