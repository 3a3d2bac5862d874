"""The HTTP side: routers, errors mapped once, and what every answer and request is held to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError

from server import health, metrics, summary
from server.access.gate import Gate
from server.access.table import check_table
from server.checkout import router as checkout
from server.clock import ClockNs, utc_clock
from server.config import ServerConfig
from server.decisions import router as decisions
from server.displays import router as displays
from server.erasure import router as erasure
from server.errors import ServerError
from server.floor import router as floor
from server.guard import RequestGuard
from server.members import router as members
from server.runtime import running
from server.web import router as pages
from server.web.missing import answer_missing
from server.web.static_files import static_files

ROUTERS = (
    health.router,
    metrics.router,
    summary.router,
    members.router,
    erasure.router,
    decisions.router,
    checkout.router,
    displays.router,
    floor.router,
    pages.router,
)


def create_app(config: ServerConfig, *, clock_ns: ClockNs | None = None) -> FastAPI:
    """The application; entering its lifespan opens the database and starts the background tasks."""
    clock = clock_ns or utc_clock()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(config, clock) as state:
            app.state.tacet = state
            yield

    app = FastAPI(title="Tacet", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    routes = [route for router in ROUTERS for route in router.routes]
    check_table(routes)
    app.add_middleware(Gate, routes=routes)
    app.add_middleware(RequestGuard)
    app.add_exception_handler(ServerError, answer_error)
    app.add_exception_handler(OperationalError, answer_unwritable)
    app.add_exception_handler(404, answer_missing)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", static_files())
    return app


async def answer_error(_request: Request, error: Exception) -> JSONResponse:
    """A ServerError as its status and one line."""
    status = error.status_code if isinstance(error, ServerError) else 500
    headers = {"WWW-Authenticate": "Bearer, Basic"} if status == 401 else None
    return JSONResponse({"error": str(error)}, status, headers)


async def answer_unwritable(_request: Request, error: Exception) -> JSONResponse:
    """A database that is full, read-only or busy: nothing was changed, and the caller may ask again."""
    why = error.orig if isinstance(error, OperationalError) else error
    return JSONResponse({"error": f"the database cannot be used ({why}); free some space on its disk"}, 503)
