"""A TCP proxy that keeps every byte: what a listener on the shop's network would have."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CHUNK_BYTES = 65_536


@dataclass(slots=True)
class Recorder:
    """`port` to connect to, and what crossed it so far: a stream for each direction of each connection."""

    port: int = 0
    streams: list[bytearray] = field(default_factory=list)

    @property
    def crossed(self) -> bytes:
        """All streams, one after the other."""
        return b"".join(self.streams)


@asynccontextmanager
async def recording_proxy(target_port: int) -> AsyncIterator[Recorder]:
    """Pass connections on to a port of this machine and record them."""
    recorder = Recorder()
    pipes: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target_port)
        except ConnectionError:
            writer.close()
            return
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            recorder.streams.append(bytearray())
            pipe = asyncio.create_task(carry(source, sink, recorder.streams[-1]))
            pipes.add(pipe)
            pipe.add_done_callback(pipes.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    recorder.port = server.sockets[0].getsockname()[1]
    try:
        yield recorder
    finally:
        server.close()
        for pipe in pipes:
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)


async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter, stream: bytearray) -> None:
    """One direction of one connection, until either side ends."""
    try:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(CHUNK_BYTES):
                stream += data
                sink.write(data)
                await sink.drain()
    finally:
        sink.close()
