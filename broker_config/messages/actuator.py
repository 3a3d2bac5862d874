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
    """What became of a command.

    Args:
        result: `done`, `stale` (a newer one was carried out), `expired`, `wrong-target`; `device-lost` (the device did not
            answer; once it does it is put into its safe state); `unknown` (the agent died in the middle: it may have been
            done, and is never done again); `refused` (not now, and why: the same command may be sent again).
        reason: of `refused`.
    """

    type_name = "tacet.actuator.result.v1"
    topic = "actuator_result"
    actuator: ActuatorId
    version: Version
    decision: str | None
    result: str
    reason: str | None = None


class ActuatorState(Data, frozen=True, kw_only=True):
    """An actuator now; retained.  `link` is `ok` or `lost`; `on` is None when nobody knows."""

    type_name = "tacet.actuator.state.v1"
    topic = "actuator_state"
    actuator: ActuatorId
    on: bool | None
    link: str
    version: Version | None
