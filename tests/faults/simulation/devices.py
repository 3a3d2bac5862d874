"""Devices of a simulated gateway: readers that report what happens, a relay that remembers when it was told what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from readers.health import ReaderHealth
from readers.model import Epc, Read, ReaderId
from tests.faults.simulation.clockwork import World

ANTENNA = 1
RSSI_DBM = -50.0


class SimulatedReader:
    """A reader; what it reports while nobody has it open is lost."""

    def __init__(self, reader_id: str) -> None:
        self.reader_id, self.health = ReaderId(reader_id), ReaderHealth()
        self._waiting: asyncio.Queue[Read] | None = None

    def say(self, epc: bytes, at_ns: int) -> None:
        """It reads a tag."""
        if self._waiting is not None:
            self._waiting.put_nowait(Read(Epc(epc), self.reader_id, ANTENNA, RSSI_DBM, at_ns, crc_ok=True))

    @asynccontextmanager
    async def open(self) -> AsyncIterator["SimulatedReader"]:
        """As a driver is opened."""
        self._waiting = asyncio.Queue()
        try:
            yield self
        finally:
            self._waiting = None

    async def reads(self) -> AsyncIterator[Read]:
        """What it reports, for ever."""
        waiting = self._waiting
        assert waiting is not None
        while True:
            yield await waiting.get()


class Relay:
    """A relay board; safe is off.

    Args:
        went_on: when, in true UTC ns.
    """

    safe = False

    def __init__(self, world: World) -> None:
        self._world = world
        self.on = False
        self.went_on: list[int] = []

    async def switch(self, *, on: bool) -> None:
        """Obey."""
        if on and not self.on:
            self.went_on.append(self._world.utc_ns)
        if on != self.on:
            self._world.note("relay", on)
        self.on = on

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Relay"]:
        """As a board is opened: in its safe state, and left so."""
        await self.switch(on=self.safe)
        try:
            yield self
        finally:
            await self.switch(on=self.safe)
