"""What was said to everybody and holds for a day: told again when a receiver has another key.

The broker, or a lost link, may have kept it for a receiver whose credential was replaced meanwhile; who has the new key refuses
what was signed for the old one.  To hear twice of a sold item or a dead token changes nothing.
"""

from collections import deque
from dataclasses import dataclass

from broker_config.messages import Data, TransactionSettled, VisitEnded
from broker_config.topics import Topic

MOST_KEPT = 2_000
SAID_ONCE = ("left", "timeout")
"""Ends of visits that an agent with new secrets need not hear of: it begins with nobody present."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message, before it is signed."""

    row: Topic
    topic: str
    payload: bytes
    expires_ns: int


class Retelling:
    """The newest of these messages, since this start."""

    def __init__(self) -> None:
        self._said: deque[Said] = deque(maxlen=MOST_KEPT)

    def note(self, data: Data, said: Said) -> None:
        """Keep it, where it is one of these."""
        if isinstance(data, TransactionSettled) or (isinstance(data, VisitEnded) and data.cause not in SAID_ONCE):
            self._said.append(said)

    def unexpired(self, now_ns: int) -> list[Said]:
        """What still holds, oldest first."""
        while self._said and self._said[0].expires_ns < now_ns:
            self._said.popleft()
        return list(self._said)
