"""HTTP: members for the owner, tables for agents."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from broker_config.member_table import ERASED_HEADER
from broker_config.site import AgentId
from server.access.notes import actor_of
from server.access.principal import Who
from server.audit.service import EVERYBODY, Actor
from server.errors import Unprocessable
from server.members.schemas import PAGE, ConsentChange, ImportReport, MemberView
from server.state import Owner, State

router = APIRouter(prefix="/api")


@router.post("/members/import", dependencies=[Owner])
async def import_members(request: Request, state: State, who: Who, *, readmit: bool = False) -> ImportReport:
    """Take in a CSV file; bad rows are named, the rest imported.  `readmit`: also cards whose member was erased."""
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise Unprocessable(f"the file is not UTF-8: byte {error.start} cannot be read") from error
    return await state.members.import_csv(text, actor_of(who), readmit=readmit)


@router.get("/members", dependencies=[Owner])
async def list_members(
    state: State, who: Who, limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE, after: str = ""
) -> list[MemberView]:
    """The members by alias, without cards; where there are `limit`, ask for those `after` the last one's id."""
    return await state.members.list_members(actor_of(who), limit=limit, after=after)


@router.post("/members/{member}/consent", dependencies=[Owner], status_code=204)
async def set_consent(member: str, change: ConsentChange, state: State, who: Who) -> None:
    """Grant or withdraw a purpose; a withdrawal is on every screen before this returns or within moments of it."""
    await state.members.set_consent(member, change, actor_of(who))


@router.get("/edge/{agent}/members")
async def get_table(
    agent: str, state: State, authorization: str | None = Header(None), if_none_match: str = Header("")
) -> Response:
    """The agent's member table, for the agent itself; 304 where it has this very one, and nothing is read of anybody then."""
    state.identities.check_basic(authorization, AgentId(agent))
    table = await state.member_tables.offered_table(AgentId(agent))
    etag = f'"{table.version}"'  # a version never comes twice, see `MemberTables`
    headers = {"ETag": etag, "Cache-Control": "no-store", ERASED_HEADER: str(table.erased)}
    if etag in [each.strip().removeprefix("W/") for each in if_none_match.split(",")]:
        return Response(status_code=304, headers=headers)
    async with state.ledger.transaction() as work:
        await state.audit.record(work, Actor("agent", agent), "read", EVERYBODY, detail=f"table {table.version}")
    return Response(table.data, media_type="application/octet-stream", headers=headers)
