"""What an agent posts to the server when there is no broker, and the answer: JSON bodies of `POST /api/edge/{agent}/events`."""

import msgspec

from broker_config.messages.edge import EdgeAck, PostedRow

MAX_POST_ROWS = 1000
MAX_POST_BYTES = 8 << 20
"""Unpacked."""


class EventPost(msgspec.Struct, frozen=True, kw_only=True):
    """Some of an agent's messages.

    Args:
        generation, session: who speaks, as in `EdgeState`; each post has a session of its own.
    """

    generation: str
    session: str
    rows: tuple[PostedRow, ...]


class PostAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says after its commit.

    Args:
        acks: how far it is with each generation that was posted.
        refused: how many rows were not this agent's to say; they are set aside, and acknowledged.
        quarantined: as `EdgeQuarantined`.
    """

    acks: tuple[EdgeAck, ...]
    refused: int = 0
    quarantined: bool = False
