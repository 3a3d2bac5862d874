"""Is it alive, is it ready, and what time is it: for supervisors and for kiosks that set their clock by ours."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from broker_config.command_mac import sign_time
from server.state import State

router = APIRouter()
NS_PER_US, US_PER_MS = 1_000, 1_000
Who = Annotated[str | None, Query(pattern=r"^(agent|display)-[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=48)]
Nonce = Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")]


class Health(BaseModel):
    """`status` is `ok`, or says what is missing."""

    status: str


class Time(BaseModel):
    """UTC since 1970, in milliseconds and microseconds; `mac` proves to the one who asked that it was we who said it."""

    utc_ms: float
    utc_us: int
    mac: str | None = None


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
async def get_time(state: State, who: Who = None, nonce: Nonce = None) -> Time:
    """The server's clock.  Whoever gives its user name and a nonce gets the answer signed with its command key."""
    utc_us = state.clock_ns() // NS_PER_US
    key = None if who is None or nonce is None else state.command_keys.of(who)
    mac = None if who is None or nonce is None or key is None else sign_time(who, nonce, utc_us, key)
    return Time(utc_ms=utc_us / US_PER_MS, utc_us=utc_us, mac=mac)
