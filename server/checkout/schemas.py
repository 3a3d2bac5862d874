"""HTTP bodies of the checkout calls."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from server.members.schemas import Body

MAX_EPCS = 400
"""As hex text they fit into one message."""
EpcText = Annotated[str, StringConstraints(pattern=r"^([0-9a-fA-F]{2}){1,62}$")]


class Settlement(Body):
    """The goods of one payment."""

    epcs: Annotated[list[EpcText], Field(min_length=1, max_length=MAX_EPCS)]


class Settled(BaseModel):
    """The agents are told, or will be when they are back.

    Args:
        settled: how many items, each counted once.
    """

    transaction: str
    settled: int
