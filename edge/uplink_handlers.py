"""What the rest of the agent does with what comes from the broker."""

from collections.abc import Callable
from dataclasses import dataclass

from broker_config.messages import ActuatorCommand, EdgeStats, HostState, TransactionSettled, VisitEnded


@dataclass(frozen=True, slots=True)
class Handlers:
    """What the rest of the agent does with what comes in.

    Args:
        command: an actuator's command and the actuator whose topic it came on.
        host: the server's word that it is there, or no longer.
        stats: the counters to publish.
    """

    command: Callable[[str, ActuatorCommand], None]
    members_offered: Callable[[int], None]
    visits_ended: Callable[[VisitEnded], None]
    settled: Callable[[TransactionSettled], None]
    link_lost: Callable[[], None]
    host: Callable[[HostState], None]
    stats: Callable[[], EdgeStats]
