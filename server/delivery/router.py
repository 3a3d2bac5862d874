"""HTTP: events from agents without a broker; messages set aside, and agents that are there twice, for the owner."""

import msgspec
from fastapi import APIRouter, Header, Request, Response

from broker_config.site import AgentId
from server.delivery.posted import read_post
from server.delivery.schemas import BadMessage, Clone, Replay, ReplayReport
from server.state import Owner, State

router = APIRouter(prefix="/api")


@router.post("/edge/{agent}/events")
async def post_events(
    agent: str,
    request: Request,
    state: State,
    authorization: str | None = Header(None),
    content_encoding: str | None = Header(None),
) -> Response:
    """Take an agent's events in, and say after the commit how far each generation is."""
    state.identities.check_basic(authorization, AgentId(agent))
    received_ns = state.clock_ns()
    answer = await state.delivery.post(AgentId(agent), read_post(await request.body(), content_encoding), received_ns)
    return Response(msgspec.json.encode(answer), media_type="application/json")


@router.get("/bad", dependencies=[Owner])
async def list_bad(state: State) -> list[BadMessage]:
    """Messages that could not be read, newest first."""
    async with state.db.session() as session:
        return await state.delivery.list_bad(session)


@router.post("/bad/replay", dependencies=[Owner])
async def replay_bad(wanted: Replay, state: State) -> ReplayReport:
    """Try them again."""
    return await state.delivery.replay(wanted.ids)


@router.get("/clones", dependencies=[Owner])
async def list_clones(state: State) -> list[Clone]:
    """Agents that are there twice."""
    return [Clone(agent=agent, why=why) for agent, why in sorted(state.clones.agents.items())]


@router.post("/clones/{agent}/release", dependencies=[Owner], status_code=204)
async def release_clone(agent: str, state: State) -> None:
    """There is one again: what it says has its effect from now on."""
    async with state.ledger.transaction() as work:
        await state.clones.release(work, AgentId(agent))
