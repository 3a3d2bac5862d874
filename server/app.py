"""The HTTP side: routers, errors mapped once, and what every answer and request is held to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from server import health, metrics, summary
from server.access import api as staff_api
from server.access import pages as access_pages
from server.access import staff_pages
from server.access.gate import Gate
from server.access.table import check_table
from server.answers import ErrorBody, answer_error, answer_http, answer_invalid, answer_unwritable
from server.checkout import router as checkout
from server.clock import ClockNs, utc_clock
from server.config import ServerConfig
from server.decisions import router as decisions
from server.delivery import router as delivery
from server.displays import router as displays
from server.erasure import router as erasure
from server.errors import ServerError
from server.floor import router as floor
from server.guard import RequestGuard
from server.me import api as codes
from server.me import router as me
from server.members import router as members
from server.runtime import running
from server.web import router as pages
from server.web.static_files import static_files

ROUTERS = (
    health.router,
    metrics.router,
    summary.router,
    members.router,
    erasure.router,
    me.router,
    codes.router,
    delivery.router,
    decisions.router,
    checkout.router,
    displays.router,
    floor.router,
    access_pages.router,
    staff_pages.router,
    staff_api.router,
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

    app = FastAPI(
        title="Tacet",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # what the table does not name is not there
        responses={"4XX": {"model": ErrorBody, "description": "Refused: says why"}},
    )
    routes = [route for router in ROUTERS for route in router.routes]
    check_table(routes)
    app.add_middleware(Gate, routes=routes)
    app.add_middleware(RequestGuard, config=config)
    app.add_exception_handler(ServerError, answer_error)
    app.add_exception_handler(OperationalError, answer_unwritable)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    app.add_exception_handler(HTTPException, answer_http)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", static_files())
    return app
