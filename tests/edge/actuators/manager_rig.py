"""One actuator behind commands, on a bench."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from broker_config.messages import ActuatorCommand, ActuatorResult, ActuatorState
from broker_config.site import ActuatorId
from edge.actuators.manager import ActuatorLine
from edge.clock import to_datetime
from edge.health import Health
from tests.support.edge import FakeRelay, KnownTime, ManualClock
from tests.support.patience import eventually


@dataclass
class MemoryLedger:
    """A disk that is there at once; `log` is the order in which things were kept."""

    kept: dict[str, bytes] = field(default_factory=dict)
    results: list[ActuatorResult] = field(default_factory=list)
    log: list[tuple[bytes | None, str | None]] = field(default_factory=list)

    async def load(self, key: str) -> bytes | None:
        return self.kept.get(key)

    async def keep(self, state: Mapping[str, bytes], result: ActuatorResult | None) -> None:
        self.kept.update(state)
        self.log.append((next(iter(state.values()), None), result and result.result))
        if result is not None:
            self.results.append(result)


@dataclass
class Bench:
    relay: FakeRelay
    ledger: MemoryLedger
    clock: ManualClock
    shown: list[ActuatorState] = field(default_factory=list)
    refresh_s: float = 5.0

    def __post_init__(self) -> None:
        self.health, self.time = Health(self.clock), KnownTime(self.clock)
        self.health.add("lamp", "fake", "shoes")
        self.line = ActuatorLine(
            "lamp", self.relay.open, self.ledger, self.shown.append, self.health, self.time, refresh_s=self.refresh_s
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.line.run())
        try:
            await eventually(lambda: self.shown or task.done())
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def order(
        self, count: int, *, on: bool = True, hold_ms: int | None = None, target: str = "lamp", ttl_ms: int = 2000
    ) -> None:
        self.line.command(
            ActuatorCommand(
                actuator=ActuatorId(target),
                version=(7, count),
                decision=f"d{count}",
                on=on,
                hold_ms=hold_ms,
                issued_at=to_datetime(self.clock.now_ns),
                ttl_ms=ttl_ms,
            )
        )

    async def results(self, *wanted: str) -> None:
        await eventually(lambda: len(self.ledger.results) >= len(wanted))
        assert tuple(result.result for result in self.ledger.results) == wanted

    @property
    def state(self) -> tuple[bool | None, str]:
        return self.shown[-1].on, self.shown[-1].link
