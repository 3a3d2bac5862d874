"""HTTP bodies of the calls about delivery."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class BadMessage(BaseModel):
    """A message that was set aside; never what it says.  `id` names it for a replay."""

    id: str
    topic: str
    why: str
    size_bytes: int
    received: datetime


class Replay(BaseModel):
    """Which messages to try again; none named: all."""

    model_config = ConfigDict(extra="forbid", strict=True)
    ids: list[str] = []


class ReplayReport(BaseModel):
    """How many could be read this time, and how many still cannot."""

    replayed: int
    still_bad: int


class Clone(BaseModel):
    """An agent that is there twice, and how that was seen."""

    agent: str
    why: str
