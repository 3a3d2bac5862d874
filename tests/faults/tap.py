"""What crosses the wires of a run: every packet that a client of MQTT sends or gets, and what agents say by HTTP.

Taken where the bytes are still, or again, in the clear: below is TLS.  Each process writes to a file of its own, at once,
so that what it said before it was killed is there, too.  The processes that the rig starts find the folder in their
environment, and `tap_site/sitecustomize.py` taps those that know nothing of the rig.
"""

import atexit
import gzip
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import paho.mqtt.client as mqtt

FOLDER = "TACET_FAULTS_TRAFFIC"
SITE = Path(__file__).parent / "tap_site"
ROOT = Path(__file__).parents[2]
AGENTS_API = "/api/edge/"


@contextmanager
def tapped(folder: Path) -> Iterator[None]:
    """The traffic of this process and of all that it starts goes to files in this folder, too."""
    path = os.pathsep.join([str(SITE), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with patch.dict(os.environ, {FOLDER: str(folder), "PYTHONPATH": path}), tap(folder):
        yield


@contextmanager
def tap(folder: Path) -> Iterator[None]:
    """The traffic of this process alone."""
    # One descriptor for all connections: rows count what is left open.
    file = os.open(folder / f"{os.getpid()}.traffic", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with ExitStack() as patches:
        patches.callback(os.close, file)
        patches.enter_context(patch.object(mqtt.Client, "_sock_send", _noting_sent(file)))
        patches.enter_context(patch.object(mqtt.Client, "_packet_handle", _noting_received(file)))
        patches.enter_context(patch.object(httpx.AsyncHTTPTransport, "handle_async_request", _noting_http(file)))
        yield


def tap_for_good(folder: str | None) -> None:
    """The traffic of this process for the rest of its life, if it is wanted."""
    if folder is not None:
        patches = ExitStack()
        patches.enter_context(tap(Path(folder)))
        atexit.register(patches.close)  # held until then: what nobody holds ends at once


def _noting_sent(file: int) -> Any:
    send = mqtt.Client._sock_send

    def noted(client: mqtt.Client, data: bytes) -> int:
        count = send(client, data)
        os.write(file, memoryview(data)[:count])
        return count

    return noted


def _noting_received(file: int) -> Any:
    handle = mqtt.Client._packet_handle

    def noted(client: mqtt.Client) -> mqtt.MQTTErrorCode:
        os.write(file, client._in_packet["packet"])
        return handle(client)

    return noted


def _noting_http(file: int) -> Any:
    handle = httpx.AsyncHTTPTransport.handle_async_request

    async def noted(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        answer = await handle(transport, request)
        if request.url.path.startswith(AGENTS_API):
            packed = request.headers.get("content-encoding") == "gzip"
            os.write(
                file, str(request.url).encode() + (gzip.decompress(request.content) if packed else request.content)
            )
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            answer.stream = _Noting(answer.stream, file)
        return answer

    return noted


class _Noting(httpx.AsyncByteStream):
    """An answer's body, noted as it is read."""

    def __init__(self, stream: httpx.AsyncByteStream, file: int) -> None:
        self._stream, self._file = stream, file

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            os.write(self._file, part)
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
