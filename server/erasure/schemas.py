"""How an erasure stands, as it is told to whoever holds its request."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

PAGE = 200
"""Erasures in one answer."""


class AgentErasure(BaseModel):
    """One gateway: `done`, `waiting`, or `lapsed`: it was not heard for as long as its member table was good for."""

    agent: str
    state: Literal["done", "waiting", "lapsed"]
    since: datetime


class ErasureStatus(BaseModel):
    """One erasure.

    Args:
        here: when the server's own files held nothing any more; None: not yet.
        removed_files: of the server's databases that were set aside, removed whole.
        complete: here, and at every gateway that could still have matched a card.
    """

    request: str
    version: int
    asked_at: datetime
    here: datetime | None
    removed_files: int
    agents: list[AgentErasure]
    complete: bool


class ErasureAsked(BaseModel):
    """The answer to who asked: follow it at `/privacy/{request}`."""

    request: str


class PrivacyStatus(BaseModel):
    """A page of the erasures, newest first, and what is wrong."""

    erasures: list[ErasureStatus]
    alarm: str | None
