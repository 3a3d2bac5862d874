"""Whether a command may act: the right target, newer than all before it, and not too late.  Pure."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from broker_config.messages import ActuatorCommand, Version

MAX_AHEAD = timedelta(seconds=60)  # issued later than this from now: the clocks disagree, and no TTL means anything
MAX_TTL_MS = 86_400_000
NEVER: Version = (0, 0)

Verdict = Literal["act", "repeat", "stale", "expired", "wrong-target"]


class Fence(msgspec.Struct, frozen=True):
    """What is remembered of the last command that passed; kept across restarts.

    Args:
        result: None between the intent and its outcome: after a crash nobody knows, and it is not done again.
    """

    version: Version = NEVER
    decision: str | None = None
    result: str | None = None


def judge(command: ActuatorCommand, target: str, fence: Fence, now: datetime) -> Verdict:
    """What to do with a command.

    Args:
        target: the actuator it came to.
        now: by the agent's clock, taken to agree with the server's within `MAX_AHEAD`.
    """
    if command.actuator != target:
        return "wrong-target"
    if command.version == fence.version:
        return "repeat"
    if command.version < fence.version:
        return "stale"
    age = now - command.issued_at
    if not 0 < command.ttl_ms <= MAX_TTL_MS or age > timedelta(milliseconds=command.ttl_ms) or age < -MAX_AHEAD:
        return "expired"
    return "act"
