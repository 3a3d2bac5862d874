"""Everything that product code takes from outside, taken from the seed while a simulation runs.

Clocks are passed in by whoever starts a process.  Keys, tokens and nonces come from the operating system, on purpose
without a way to replace them in a store; here they are replaced from below, and so are the client of MQTT, the way of HTTP
and the threads of SQLite.
"""

import asyncio
import functools
import gc
import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import aiomqtt
import aiosqlite.core
import httpx._client
from aiomqtt import Client as RealClient

from edge import broker_link, timebase
from server import db
from server.decisions import rules
from tests.faults.simulation import files, mqtt, web
from tests.faults.simulation.clockwork import ProcessLoop, World


@contextmanager
def simulated(world: World) -> Iterator[None]:
    """While the block runs, nothing comes from outside."""
    dice, state = world.dice("entropy"), random.getstate()
    random.seed(f"{world.seed} jitter")
    with ExitStack() as stack:
        for target, name, new in (
            (os, "urandom", dice.randbytes),
            (random, "_urandom", dice.randbytes),
            (time, "time_ns", lambda: world.utc_ns),
            (db, "time", SimpleNamespace(monotonic=lambda: world.now_s)),
            (timebase, "boot_id", _boot_of_this_machine),
            (RealClient, "__init__", _to_the_outside),
            (aiomqtt, "Client", mqtt.SimulatedClient),
            (broker_link, "GuardedClient", mqtt.SimulatedGuardedClient),
            (httpx._client, "AsyncHTTPTransport", web.SimulatedTransport),
            (aiosqlite.core, "SimpleQueue", files.InlineQueue),
            (aiosqlite.core, "Thread", files.NoThread),
            (rules, "_read_yaml", functools.cache(rules._read_yaml)),  # they never change here
            (sqlite3, "connect", functools.partial(files.connect, world.disks)),
        ):
            stack.enter_context(patch.object(target, name, new))
        collecting = gc.isenabled()
        gc.disable()  # what is collected when differs from run to run
        try:
            yield
        finally:
            random.setstate(state)
            if collecting:
                gc.enable()


def _to_the_outside(*_: object, **_others: object) -> None:
    raise AssertionError("a real client of MQTT in a simulated store: replace its class above")


def _boot_of_this_machine() -> str:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ProcessLoop)
    return loop.host.boot
