"""The scripts of rows 13, 14, 22 and 36 with raw MQTT QoS 1 in the place of outbox, uplink and server."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.mosquitto import Mosquitto, bare_config, mosquitto
from tests.faults.nursery import Life, life, until
from tests.faults.raw_life import RawPlan, live_as_publisher, live_as_subscriber
from tests.faults.report import Outcome
from tests.faults.truth import TruthReader
from tests.support.brokers import free_port

QUIET_S = 2.0
"""Nothing new for so long: nothing more will come."""


@dataclass
class Raw:
    """A publisher, a subscriber and a broker as it comes."""

    folder: Path
    broker: Mosquitto
    sent: TruthReader
    came: TruthReader
    _ready_before: int = 0

    def publisher(self, **plan: object) -> AbstractAsyncContextManager[Life]:
        """Its next life; `plan` is `RawPlan`'s."""
        whole = RawPlan(self.broker.port, self.sent.path, **plan)  # type: ignore[arg-type]
        return life(live_as_publisher, whole, log=self.folder / "publisher.log")

    def subscriber(self, **plan: object) -> AbstractAsyncContextManager[Life]:
        """Its next life."""
        self._ready_before = self.came.count("ready")
        whole = RawPlan(self.broker.port, self.came.path, **plan)  # type: ignore[arg-type]
        return life(live_as_subscriber, whole, log=self.folder / "subscriber.log")

    async def subscribed(self, subscriber: Life) -> None:
        """Until its session stands."""
        await until(lambda: self.came.count("ready") > self._ready_before, lives=(subscriber,))

    async def quiet(self) -> None:
        """Until nothing comes any more."""
        loop, count = asyncio.get_running_loop(), -1
        since_s = loop.time()
        while loop.time() - since_s < QUIET_S:
            now = len(self.came.read().notes) + len(self.sent.read().promised)
            if now != count:
                count, since_s = now, loop.time()
            await asyncio.sleep(0.05)

    def account(self, outcome: Outcome) -> Outcome:
        """Hold what came to what was promised."""
        sent, came = self.sent.read().promised, self.came.read()
        stored = [values[0] for word, values, _ in came.notes if word == "stored"]
        outcome.generated, outcome.stored_once = len(sent), len(sent.keys() & came.promised.keys())
        outcome.duplicates = len(stored) - len(set(stored))
        return outcome


@asynccontextmanager
async def raw(folder: Path) -> AsyncIterator[Raw]:
    """Mosquitto as it comes, and nobody connected yet."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    async with mosquitto(bare_config(folder, port), port) as broker:
        yield Raw(folder, broker, TruthReader(folder / "sent.log"), TruthReader(folder / "came.log"))


async def subscriber_away(folder: Path, count: int) -> Outcome:
    """So many events while the subscriber, whose session stands, is away."""
    async with raw(folder) as rig:
        async with rig.subscriber() as subscriber:
            await rig.subscribed(subscriber)
        async with rig.publisher(count=count, per_s=5000) as publisher:
            await until(lambda: len(rig.sent.read().promised) == count, lives=(publisher,))
        async with rig.subscriber():
            await rig.quiet()
        return rig.account(Outcome(0))


async def broker_killed(folder: Path, times: int, seed: int, per_s: float) -> Outcome:
    """The broker is killed under load, and started again."""
    rng = random.Random(f"raw broker {seed}")
    async with raw(folder) as rig, rig.subscriber() as subscriber:
        await rig.subscribed(subscriber)
        async with rig.publisher(per_s=per_s) as publisher:
            for _ in range(times):
                seen = len(rig.came.read().promised)
                await until(lambda: len(rig.came.read().promised) > seen + 20, lives=(publisher, subscriber))  # noqa: B023
                await asyncio.sleep(rng.uniform(0, 0.5))
                await rig.broker.kill()
                await asyncio.sleep(rng.uniform(0, 0.5))
                await rig.broker.start()
            await asyncio.sleep(QUIET_S)
        await rig.quiet()
        return rig.account(Outcome(seed, injected=times))


async def publisher_killed(folder: Path, times: int, seed: int) -> Outcome:
    """The publisher is killed within 300 ms of its start, again and again."""
    rng = random.Random(f"raw publisher {seed}")
    async with raw(folder) as rig, rig.subscriber() as subscriber:
        await rig.subscribed(subscriber)
        for lives in range(times):
            plan = {"first": rig.sent.read().last_seq + 1, "per_s": rng.choice((50, 400, 2000))}
            async with rig.publisher(**plan, promise_at_hand_over=True) as publisher:
                await until(lambda: rig.sent.read().born > lives, lives=(publisher,))  # noqa: B023
                await asyncio.sleep(rng.uniform(0, 0.3))
                publisher.kill()
                await publisher.gone()
        await rig.quiet()
        return rig.account(Outcome(seed, injected=times))


async def subscriber_killed(folder: Path, times: int, seed: int) -> Outcome:
    """The subscriber dies between storing and acknowledging, again and again, while the publisher goes on."""
    rng = random.Random(f"raw subscriber {seed}")
    async with raw(folder) as rig, rig.publisher(per_s=100):
        for _ in range(times):
            async with rig.subscriber(kill_after=rng.randint(1, 40)) as subscriber:
                await subscriber.gone(60.0)
        async with rig.subscriber():
            await asyncio.sleep(QUIET_S)
        return rig.account(Outcome(seed, injected=times))
