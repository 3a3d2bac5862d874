"""All actuators of one agent: each command to its own line."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from broker_config.messages import ActuatorCommand, ActuatorState
from broker_config.site import ActuatorId
from edge.actuators.manager import ActuatorLine, Ledger, Relay, TrustedClock
from edge.device_config import ActuatorConfig
from edge.devices import Devices
from edge.health import Health

log = logging.getLogger(__name__)


class ActuatorDesk:
    """The lines, as the rest of the agent sees them.  Arguments as those of `ActuatorLine`."""

    def __init__(
        self,
        configs: Sequence[ActuatorConfig],
        devices: Devices,
        ledger: Ledger,
        show: Callable[[ActuatorState], None],
        health: Health,
        clock: TrustedClock,
    ) -> None:
        self._health = health
        self._lines = {
            config.id: ActuatorLine(config.id, _opener(devices, config), ledger, show, health, clock)
            for config in configs
        }

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Serve for ever, each line in a task of its own."""
        for actuator_id, line in self._lines.items():
            tasks.create_task(line.run(), name=f"actuator {actuator_id}")

    def command(self, actuator_id: str, command: ActuatorCommand) -> None:
        """Hand a command to the actuator on whose topic it came."""
        line = self._lines.get(ActuatorId(actuator_id))
        if line is None:
            self._health.tally.bad_messages += 1
            log.warning("command for actuator %s, which this agent does not have", actuator_id)
            return
        line.command(command)

    def link_lost(self) -> None:
        """Nobody can command us: all back to their safe states."""
        for line in self._lines.values():
            line.link_lost()


def _opener(devices: Devices, config: ActuatorConfig) -> Callable[[], AbstractAsyncContextManager[Relay]]:
    return lambda: devices.relay(config)
