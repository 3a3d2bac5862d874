"""What an actuator is told to do, what became of it, and its state."""

from broker_config.messages.base import Data, Instant, Version
from broker_config.site import ActuatorId


class ActuatorCommand(Data, frozen=True, kw_only=True):
    """Absolute desired state of an actuator.

    Args:
        on: wanted; after `hold_ms` the agent returns to the safe state by itself (None: holds until the next command).
        ttl_ms: not to be begun later than this after `issued_at`.
    """

    type_name = "tacet.actuator.cmd.v1"
    topic = "actuator_cmd"
    actuator: ActuatorId
    version: Version
    decision: str | None
    on: bool
    hold_ms: int | None = None
    issued_at: Instant
    ttl_ms: int


class ActuatorResult(Data, frozen=True, kw_only=True):
    """What became of a command; `result` is `done`, `stale`, `expired`, `wrong-target` or `device-lost`."""

    type_name = "tacet.actuator.result.v1"
    topic = "actuator_result"
    actuator: ActuatorId
    version: Version
    decision: str | None
    result: str


class ActuatorState(Data, frozen=True, kw_only=True):
    """An actuator now; retained.  `link` is `ok` or `lost`; `on` is None when nobody knows."""

    type_name = "tacet.actuator.state.v1"
    topic = "actuator_state"
    actuator: ActuatorId
    on: bool | None
    link: str
    version: Version | None
