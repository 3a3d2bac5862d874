"""Is it alive, is it ready, and what time is it: for supervisors and for kiosks that set their clock by ours."""

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from server.clock import NS_PER_MS
from server.state import State

router = APIRouter()


class Health(BaseModel):
    """`status` is `ok`, or says what is missing."""

    status: str


class Time(BaseModel):
    """UTC milliseconds since 1970."""

    utc_ms: float


@router.get("/healthz")
async def get_health() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz")
async def get_ready(state: State, response: Response) -> Health:
    """Database and broker are there, and the last write reached the disk; 503 where not."""
    response.status_code = 503
    try:
        async with state.db.session() as session:
            await session.execute(text("SELECT 1"))
    except DBAPIError:
        return Health(status="database lost")
    if state.db.trouble:
        return Health(status=f"database cannot be written: {state.db.trouble}")
    if not state.link.connected:
        return Health(status="broker lost")
    response.status_code = 200
    return Health(status="ok")


@router.get("/time")
async def get_time(state: State) -> Time:
    """The server's clock."""
    return Time(utc_ms=state.clock_ns() / NS_PER_MS)
