"""HTTP: decisions, and the rules in force."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from broker_config.errors import ConfigError
from server.decisions.model import DecisionRecord
from server.errors import Unprocessable
from server.state import Owner, State

router = APIRouter(prefix="/api")


class RulesInForce(BaseModel):
    """The file's version and how many rules it has."""

    version: int
    rules: int


@router.get("/decisions")
async def list_decisions(state: State, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[DecisionRecord]:
    """The newest decisions, newest first."""
    return await state.decisions.latest(limit)


@router.get("/decisions/{decision}")
async def get_decision(decision: str, state: State) -> DecisionRecord:
    """One decision with all its gates."""
    return await state.decisions.get(decision)


@router.post("/rules/reload", dependencies=[Owner])
async def reload_rules(state: State) -> RulesInForce:
    """Read the rule file again and give the displays their base content; a bad file changes nothing."""
    try:
        rules = state.decisions.reload()
    except ConfigError as error:
        raise Unprocessable(str(error)) from error
    state.send_base()
    return RulesInForce(version=rules.version, rules=len(rules.rules))
