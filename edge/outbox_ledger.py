"""Where actuators keep their fences and results: in the outbox, so that both survive together."""

from collections.abc import Mapping

from broker_config.messages import ActuatorResult
from edge.events import Announcer
from edge.outbox import Outbox


class OutboxLedger:
    """Fences and results of commands, kept in the outbox: each outcome and its state in one transaction."""

    def __init__(self, outbox: Outbox, announcer: Announcer) -> None:
        self._outbox, self._announcer = outbox, announcer

    async def load(self, key: str) -> bytes | None:
        """What was kept under `key`."""
        return await self._outbox.state(key)

    async def keep(self, state: Mapping[str, bytes], result: ActuatorResult | None) -> None:
        """Keep state and result; returns after the commit."""
        self._outbox.append([] if result is None else [self._announcer.actuator_result(result)], state)
        await self._outbox.flush()
