"""HTTP: erasing by the owner, and how an erasure stands for whoever holds its number."""

from typing import Annotated

from fastapi import APIRouter, Query

from server.access.notes import actor_of
from server.access.principal import Who
from server.erasure.schemas import PAGE, ErasureAsked, ErasureStatus, PrivacyStatus
from server.state import Owner, State

router = APIRouter(prefix="/api")


@router.post("/members/{member}/erase", dependencies=[Owner])
async def erase_member(member: str, state: State, who: Who) -> ErasureAsked:
    """Erase a member everywhere.  When this returns, screens and the server itself are done; gateways follow."""
    return ErasureAsked(request=await state.erasure.erase(member, actor_of(who)))


@router.get("/privacy", dependencies=[Owner])
async def list_erasures(
    state: State, limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE, after: str = ""
) -> PrivacyStatus:
    """The erasures, newest first; where there are `limit`, ask for those `after` the last one's request."""
    erasures = await state.erasure.statuses(limit=limit, after=after)
    return PrivacyStatus(erasures=erasures, alarm=state.erasure.alarm)


@router.get("/privacy/{request}")
async def get_erasure(request: str, state: State) -> ErasureStatus:
    """How one erasure stands.  The number is the key to it: who was erased cannot sign in any more."""
    return await state.erasure.status(request)
