"""HTTP: one-time codes for members, made at the desk."""

from fastapi import APIRouter

from server.access.notes import actor_of
from server.access.principal import Who
from server.me.schemas import CodeIssued
from server.state import State

router = APIRouter(prefix="/api")


@router.post("/members/{member}/code", status_code=201)
async def make_code(member: str, state: State, who: Who) -> CodeIssued:
    """A code by which this member signs in, once, within a quarter of an hour; an older one is void."""
    return CodeIssued(code=await state.codes.issue(member, actor_of(who)))
