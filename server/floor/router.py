"""The running story as server-sent events: what the floor page, the demo's table and any script may follow."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from server.errors import TooMany
from server.feed import Feed
from server.state import State

HEARTBEAT_S = 3.0
MAX_LISTENERS = 64
HEARTBEAT = b": heartbeat\n\n"

router = APIRouter()


@router.get("/api/happenings")
async def get_happenings(state: State) -> StreamingResponse:
    """Each `server.feed.Happening` from now on, until the client leaves."""
    if state.feed.listeners >= MAX_LISTENERS:
        raise TooMany("too many pages follow the floor already; close some")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream_happenings(state.feed), media_type="text/event-stream", headers=headers)


async def stream_happenings(feed: Feed) -> AsyncIterator[bytes]:
    """Events as bytes; a comment where nothing happens, so that a dead line is noticed at both ends."""
    async with feed.listen() as happenings:
        yield HEARTBEAT
        while not feed.closed:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    happening = await happenings.get()
            except TimeoutError:
                yield HEARTBEAT
                continue
            yield b"event: %s\ndata: %s\n\n" % (happening.kind.encode(), msgspec.json.encode(happening))
