"""Whether a command may act: the right target, newer than all before it, and not too late by the server's clock.  Pure."""

from typing import Literal

import msgspec

from broker_config.messages import ActuatorCommand, Version
from edge.clock import NS_PER_MS, NS_PER_S, to_ns
from edge.server_clock import ServerTime

MAX_AHEAD_NS = 1 * NS_PER_S  # issued later than this from now: the server's clock was set, and must be asked for anew
MAX_TTL_MS = 86_400_000
MAX_OUTCOMES = 32
NEVER: Version = (0, 0)

Verdict = Literal["act", "repeat", "stale", "expired", "wrong-target", "unsynced", "ahead"]


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of a command."""

    version: Version
    result: str


class Fence(msgspec.Struct, frozen=True):
    """What is remembered of commands; kept across restarts.

    Args:
        version, decision: the newest that passed.
        result: None between the intent and its outcome: after a crash nobody knows, and it is not done again.
        outcomes: of those before it, the newest last, so that a retry is answered as the first time.
    """

    version: Version = NEVER
    decision: str | None = None
    result: str | None = None
    outcomes: tuple[Outcome, ...] = ()

    def answer(self, version: Version) -> str | None:
        """What became of a command, where that is still known."""
        if version == self.version:
            return self.result
        return next((each.result for each in self.outcomes if each.version == version), None)

    def begin(self, version: Version, decision: str | None) -> "Fence":
        """The intent to carry a newer one out."""
        done = () if self.result is None else (Outcome(self.version, self.result),)
        return Fence(version, decision, None, (*self.outcomes, *done)[-MAX_OUTCOMES:])

    def end(self, result: str) -> "Fence":
        """The outcome of the newest."""
        return msgspec.structs.replace(self, result=result)


def judge(command: ActuatorCommand, target: str, fence: Fence, now: ServerTime | None) -> Verdict:
    """What to do with a command.

    Args:
        target: the actuator it came to.
        now: by the server's clock; None while that is not known, when nothing new may act.
    """
    if command.actuator != target:
        return "wrong-target"
    if command.version == fence.version or fence.answer(command.version) is not None:
        return "repeat"
    if command.version < fence.version:
        return "stale"
    if now is None:
        return "unsynced"
    issued_ns = to_ns(command.issued_at)
    if issued_ns > now.latest_ns + MAX_AHEAD_NS:
        return "ahead"
    if not 0 < command.ttl_ms <= MAX_TTL_MS or now.latest_ns - issued_ns > command.ttl_ms * NS_PER_MS:
        return "expired"
    return "act"
