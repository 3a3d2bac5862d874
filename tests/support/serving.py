"""The server's own HTTP side on a free port, in this process, as `tacet server` sets it up."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from server.app import create_app
from server.config import ServerConfig
from server.serving import QuietServer, _settings, take_port
from server.tls import open_tls
from tests.support.patience import WAIT_S


@asynccontextmanager
async def serving(config: ServerConfig) -> AsyncIterator[tuple[int, ssl.SSLContext | None]]:
    """Its port, and what its connections are opened with."""
    app = create_app(config)
    context = None if config.tls is None else open_tls(config.tls)
    ready = asyncio.Event()
    async with app.router.lifespan_context(app):
        with closing(take_port("127.0.0.1", 0)) as listener:
            server = QuietServer(_settings(app, config, context), ready.set)
            running = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                async with asyncio.timeout(WAIT_S):
                    await ready.wait()
                yield listener.getsockname()[1], context
            finally:
                server.should_exit = True
                await running
