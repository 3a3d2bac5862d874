"""What the rest of the agent does with what comes from the broker."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from broker_config.messages import ActuatorCommand, Data, EdgeStats, Envelope, HostState, TransactionSettled, VisitEnded


async def at_once() -> None:
    """Nothing to wait for."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """What the rest of the agent does with what comes in.

    Args:
        command: an actuator's command and the actuator whose topic it came on.
        stats: the counters to publish.
        is_over: whether a message came after its expiry, as far as the server's time is known.
        may_send: returns once events may leave: when the server's time is known, or has been asked for in vain.
        host: the server's word that it is there, or no longer; for who has actuators.
    """

    command: Callable[[str, ActuatorCommand], None]
    members_offered: Callable[[int], None]
    visits_ended: Callable[[VisitEnded], None]
    settled: Callable[[TransactionSettled], None]
    link_lost: Callable[[], None]
    stats: Callable[[], EdgeStats]
    host: Callable[[HostState], None] = lambda _: None
    is_over: Callable[[Envelope[Data]], bool] = lambda _: False
    may_send: Callable[[], Awaitable[None]] = at_once
