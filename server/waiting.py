"""A start before the clock is set waits.

One on a full disk: answer what can be answered without the database, and begin as soon as there is room.

Nothing is taken in meanwhile, so nothing is acknowledged: agents keep their events, and open screens their base content.
"""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import uvicorn
from sqlalchemy.exc import OperationalError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from broker_config.errors import ConfigError
from broker_config.service_notify import ServiceNotifier
from broker_config.site import load_site
from server.clock import ClockNs, check_clock
from server.config import ServerConfig
from server.guard import RequestGuard
from server.room import give_reserve, has_room
from server.web.pages import Pages, make_pages
from server.web.static_files import static_files

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
PATIENCE_S = 60.0
"""What the service manager is asked for at each look: far more than a look takes."""
RETRY_AFTER_S = 5
TRY_AGAIN_LATER = 1013
WORDS = "the disk of {} is full, so the server cannot start; free some space, it goes on by itself; agents keep their events"
Server = Callable[[ASGIApp], uvicorn.Server]


@asynccontextmanager
async def started_with_room(
    opening: Callable[[], AbstractAsyncContextManager[object]],
    config: ServerConfig,
    listener: socket.socket,
    make_server: Server,
    notifier: ServiceNotifier,
) -> AsyncIterator[None]:
    """The application, entered; where the disk is full, entered once it is not.

    Args:
        opening: makes the application's lifespan; one for each try.
        listener: who calls before the application can answer is answered from here.
        make_server: a server for what answers meanwhile.
    """
    folder = Path(config.data)
    async with AsyncExitStack() as stack:
        while True:
            try:
                await stack.enter_async_context(opening())
                break
            except (ConfigError, OperationalError, OSError) as error:
                if await asyncio.to_thread(has_room, folder):
                    raise
                why = str(error)
            if await asyncio.to_thread(give_reserve, folder):
                log.error("the disk of %s is full; its reserve is used for this start: free some space", folder)
                continue
            log.error("%s (%s)", WORDS.format(folder), why)
            async with _answering(WaitingRoom(config), config, listener, make_server):
                await _room(folder, notifier)
            log.warning("there is room again on the disk of %s", folder)
        yield


async def _room(folder: Path, notifier: ServiceNotifier) -> None:
    while not await asyncio.to_thread(has_room, folder):
        notifier.starting(WORDS.format(folder), PATIENCE_S)
        await asyncio.sleep(LOOK_EVERY_S)


async def clock_is_set(notifier: ServiceNotifier, now_ns: ClockNs = time.time_ns) -> None:
    """Return once the host's clock can be believed: one without a battery shows 1970 until the network has set it.

    Nothing is taken in meanwhile, so nothing is acknowledged.
    """
    told = False
    while True:
        try:
            check_clock(now_ns())
        except ConfigError as error:
            if not told:
                log.error("%s", error)  # noqa: TRY400 - one line
            told = True
            notifier.starting(str(error), PATIENCE_S)
            await asyncio.sleep(LOOK_EVERY_S)
        else:
            return


@asynccontextmanager
async def _answering(
    app: ASGIApp, config: ServerConfig, listener: socket.socket, make_server: Server
) -> AsyncIterator[None]:
    routes = Router([Mount("/static", static_files())], redirect_slashes=False, default=app)
    server = make_server(RequestGuard(routes, config))
    with listener.dup() as own:  # the server closes what it was given; who calls in between waits at the other
        answering = asyncio.create_task(server.serve(sockets=[own]), name="waiting room")
        try:
            yield
        finally:
            server.should_exit = True
            await answering


class WaitingRoom:
    """ASGI application: it lives, it is not ready, and everything else comes later."""

    def __init__(self, config: ServerConfig) -> None:
        self._pages: Pages = make_pages(load_site(Path(config.site)))
        self._words = WORDS.format(config.data)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "http":
            await self._answer(Request(scope))(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})

    def _answer(self, request: Request) -> Response:
        if request.url.path == "/healthz":
            return JSONResponse({"status": self._words})
        if request.url.path == "/readyz":
            return JSONResponse({"status": self._words}, 503)
        if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/"):
            is_screen = request.url.path.startswith("/display/")
            catalogue = self._pages.language_of(request)
            page: Response = self._pages.render(
                "waiting.html", catalogue, 503, is_screen=is_screen, retry_s=RETRY_AFTER_S
            )
        else:
            page = JSONResponse({"error": self._words}, 503)
        page.headers["Retry-After"] = str(RETRY_AFTER_S)
        return page
