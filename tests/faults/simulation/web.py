"""The way of HTTP in the simulation: `httpx` on one side, the server's own application on the other, a network between."""

import asyncio
from typing import Any

import httpx

from tests.faults.simulation.clockwork import ProcessLoop


class SimulatedTransport(httpx.AsyncBaseTransport):
    """In the place of `httpx.AsyncHTTPTransport`."""

    def __init__(self, **_settings: object) -> None:
        """Nothing of a real connection's settings matters here."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the server over the network.

        Raises:
            httpx.TransportError: as over a real network.
        """
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ProcessLoop)
        asker: Any = loop.host
        limit_s = float(request.extensions.get("timeout", {}).get("connect") or 10.0)
        await asyncio.sleep(asker.network.delay())
        server = asker.server
        if not asker.network.reaches(asker.name):
            await asyncio.sleep(limit_s)
            raise httpx.ConnectTimeout("timed out", request=request)
        if server.app is None:
            raise httpx.ConnectError("connection refused", request=request)
        answer: asyncio.Future[httpx.Response] = loop.create_future()
        body = await request.aread()
        server.ask(httpx.Request(request.method, request.url, headers=request.headers, content=body), answer)
        try:
            return await asyncio.wait_for(answer, limit_s)
        except TimeoutError:
            raise httpx.ReadTimeout("timed out", request=request) from None


async def answer_over(app: Any, request: httpx.Request) -> httpx.Response:
    """In the server's process: its answer, whole."""
    answer = await httpx.ASGITransport(app, raise_app_exceptions=False).handle_async_request(request)
    content = await answer.aread()
    return httpx.Response(answer.status_code, headers=answer.headers, content=content)
