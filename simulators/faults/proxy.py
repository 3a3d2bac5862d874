"""Trouble on a network, seeded: a TCP proxy that delays, throttles, slices, swallows, resets and half-closes what passes it.

async with FaultyProxy(broker_port, seed=7) as proxy:
    ...                                        # connect to proxy.port
    proxy.trouble(down=Toxics(latency_s=2.0))  # at once, also for what is connected
    proxy.reset()                              # every connection, by RST
"""

import asyncio
import random
import socket
import struct
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Self

CHUNK_BYTES = 16_384
MAX_WAITING = 64  # chunks on their way in one direction; beyond it the sender has to wait, as on a real link
CONNECT_S = 5.0
NO_LINGER = struct.pack("ii", 1, 0)  # close() then says RST


@dataclass(frozen=True, slots=True)
class Toxics:
    """What happens to the bytes of one direction.

    Args:
        latency_s, jitter_s: how long each chunk is on its way; order is kept.
        bytes_per_s: how much passes at most.
        slice_bytes: chunks are cut into pieces of one to so many bytes.
        hole: nothing passes, and nobody is told; what waits goes on when it is lifted, as TCP sends it again.
        reset_after: a connection is reset after so many bytes in this direction.
        close_after: this direction ends after so many bytes, the other goes on.
    """

    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float | None = None
    slice_bytes: int | None = None
    hole: bool = False
    reset_after: int | None = None
    close_after: int | None = None


CLEAN = Toxics()


@dataclass(slots=True)
class _Way:
    """One direction of all connections: its toxics, and a bell that rings when they change."""

    toxics: Toxics = CLEAN
    passed_bytes: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def change(self, toxics: Toxics) -> None:
        self.toxics = toxics
        self._changed.set()
        self._changed = asyncio.Event()

    async def until_open(self) -> None:
        while self.toxics.hole:
            await self._changed.wait()


class FaultyProxy:
    """A port of this machine in front of another.

    Args:
        seed: of the slices and the jitter; one seed is one series of each for one series of connections.
    """

    def __init__(self, target_port: int, *, target_host: str = "127.0.0.1", seed: int = 0) -> None:
        self._target, self._seed = (target_host, target_port), seed
        self._up, self._down = _Way(), _Way()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._open: dict[int, tuple[asyncio.StreamWriter, ...]] = {}
        self._server: asyncio.Server | None = None
        self.port = 0
        self.accepted_s: list[float] = []
        """When each connection came, by the monotonic clock."""

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        """How many stand now."""
        return len(self._open)

    @property
    def passed_bytes(self) -> tuple[int, int]:
        """To the target, and back."""
        return self._up.passed_bytes, self._down.passed_bytes

    def trouble(self, *, up: Toxics = CLEAN, down: Toxics = CLEAN) -> None:
        """What happens from now on to the bytes for the target, and to those that come back."""
        self._up.change(up)
        self._down.change(down)

    def hole(self) -> None:
        """Swallow everything, both ways, without a word: a cable that is cut far away."""
        self.trouble(up=Toxics(hole=True), down=Toxics(hole=True))

    def clear(self) -> None:
        """No trouble any more."""
        self.trouble()

    def reset(self) -> None:
        """Break every connection by RST."""
        for writers in [*self._open.values()]:
            _reset(*writers)

    async def refuse(self) -> None:
        """No longer listen: whoever connects is refused.  What stands stays."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def listen(self) -> None:
        """Listen (again), on the same port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted_s.append(time.monotonic())
        number = len(self.accepted_s)
        self._open[number] = (writer,)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._connect(reader, writer, number)
        finally:
            _reset(*self._open.pop(number))
            self._tasks.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        """One connection's life, both ways.  A reset of either side is one of the other."""
        writers: tuple[asyncio.StreamWriter, ...] = (writer,)
        try:
            async with asyncio.timeout(CONNECT_S):
                far_reader, far_writer = await asyncio.open_connection(*self._target)
            self._open[number] = writers = (writer, far_writer)
            for each in writers:
                each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            up = self._carry(self._up, reader, far_writer, random.Random(f"{self._seed} {number} up"))
            down = self._carry(self._down, far_reader, writer, random.Random(f"{self._seed} {number} down"))
            await _both(up, down)
            for each in writers:
                each.close()  # with what it still has to say
        except (OSError, TimeoutError):
            _reset(*writers)

    async def _carry(
        self, way: _Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter, rng: random.Random
    ) -> None:
        """One direction of one connection, until its source ends."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MAX_WAITING)

        async def take() -> None:
            due_s = 0.0
            while True:
                data = await source.read(CHUNK_BYTES)
                toxics = way.toxics
                due_s = max(due_s, time.monotonic() + toxics.latency_s + rng.uniform(0, toxics.jitter_s))
                await waiting.put((due_s, data))
                if not data:
                    return

        await _both(take(), _give(way, waiting, sink, rng))


async def _give(
    way: _Way, waiting: "asyncio.Queue[tuple[float, bytes]]", sink: asyncio.StreamWriter, rng: random.Random
) -> None:
    """Hand on what waits when it is due; then the end.

    Raises:
        ConnectionResetError: the toxics want the connection broken here.
    """
    passed = 0
    while True:
        due_s, data = await waiting.get()
        await asyncio.sleep(due_s - time.monotonic())
        await way.until_open()
        if not data:
            break
        for piece in _slices(data, way.toxics.slice_bytes, rng):
            await way.until_open()
            toxics, part = way.toxics, piece
            limits = [limit for limit in (toxics.reset_after, toxics.close_after) if limit is not None]
            if limits:
                part = piece[: max(0, min(limits) - passed)]
            sink.write(part)
            await sink.drain()
            passed += len(part)
            way.passed_bytes += len(part)
            if toxics.reset_after is not None and passed >= toxics.reset_after:
                raise ConnectionResetError
            if toxics.close_after is not None and passed >= toxics.close_after:
                sink.write_eof()
                await _swallow(waiting)
                return
            if toxics.bytes_per_s is not None:
                await asyncio.sleep(len(part) / toxics.bytes_per_s)
    if sink.can_write_eof():
        sink.write_eof()


async def _swallow(waiting: "asyncio.Queue[tuple[float, bytes]]") -> None:
    while (await waiting.get())[1]:
        pass


def _slices(data: bytes, most: int | None, rng: random.Random) -> list[bytes]:
    """Pieces of one to `most` bytes."""
    if most is None:
        return [data]
    pieces = []
    while data:
        size = rng.randint(1, most)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


async def _both(*works: Coroutine[Any, Any, None]) -> None:
    """Until both are done; the failure of one ends the other."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reset(*writers: asyncio.StreamWriter) -> None:
    """Close at once, without a farewell."""
    for writer in writers:
        if not writer.transport.is_closing():
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            writer.transport.abort()
