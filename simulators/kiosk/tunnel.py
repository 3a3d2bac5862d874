"""MQTT's bytes over the server's WebSocket, offered to the MQTT client as a private Unix socket.

paho's own WebSocket answers the server's pings with unmasked frames, which servers must refuse, and hides the close code.
"""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

TAKEN_OVER = 4009
OPEN_WITHIN_S = 10.0
CLOSE_WITHIN_S = 2.0
MAX_MESSAGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Tunnel:
    """An open tunnel; `path` is the Unix socket to connect to, once."""

    path: str
    websocket: ClientConnection

    @property
    def was_taken_over(self) -> bool:
        """Whether the server closed it because another window shows the display."""
        return self.websocket.close_code == TAKEN_OVER


@asynccontextmanager
async def tunnel(origin: str, cookie: str, tls: ssl.SSLContext | None) -> AsyncIterator[Tunnel]:
    """Open the tunnel; it closes when either end does.

    Args:
        origin: the server's address, `http` or `https` and no path.
        tls: for `https`.

    Raises:
        OSError: the server cannot be reached.
        websockets.WebSocketException: it refuses.
    """
    opening = connect(
        f"ws{origin.removeprefix('http')}/mqtt",
        ssl=tls,
        origin=Origin(origin),
        subprotocols=[Subprotocol("mqtt")],
        additional_headers={"Cookie": cookie},
        compression=None,
        proxy=None,
        open_timeout=OPEN_WITHIN_S,
        close_timeout=CLOSE_WITHIN_S,
        max_size=MAX_MESSAGE_BYTES,
    )
    with tempfile.TemporaryDirectory(prefix="tacet-") as folder:
        async with opening as websocket:
            ended = asyncio.Event()

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                try:
                    await _carry(websocket, reader, writer)
                finally:
                    ended.set()

            server = await asyncio.start_unix_server(serve, f"{folder}/mqtt")
            try:
                yield Tunnel(f"{folder}/mqtt", websocket)
            finally:
                server.close()
                with suppress(TimeoutError):  # so that the client's last words still pass
                    async with asyncio.timeout(CLOSE_WITHIN_S):
                        await ended.wait()


async def _carry(websocket: ClientConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Both ways until one ends."""
    ways = [asyncio.create_task(_up(websocket, reader)), asyncio.create_task(_down(websocket, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        writer.close()
        await websocket.close()


async def _up(websocket: ClientConnection, reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionClosed, ConnectionError):
        while data := await reader.read(MAX_MESSAGE_BYTES):
            await websocket.send(data)


async def _down(websocket: ClientConnection, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionClosed, ConnectionError):
        async for message in websocket:
            if isinstance(message, bytes):
                writer.write(message)
                await writer.drain()
