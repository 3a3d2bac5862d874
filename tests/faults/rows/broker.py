"""Rows 13 and 14: the broker is killed and has forgotten everything; the broker's queue overflows while the server is away."""

import asyncio
import time

from tests.faults import raw
from tests.faults.nursery import until
from tests.faults.report import Outcome, percentile
from tests.faults.row import Profile, Row
from tests.faults.store import store

PER_S = 200.0
RECONNECT_P95_S = 5.0
AWAY = 5000
AFTER = 20  # events beyond the ones that were there when the broker came back


async def kill_the_broker(profile: Profile) -> list[Outcome]:
    """Mosquitto, which keeps nothing, killed under load; each time until new events are acknowledged again."""
    times, rng, waits_s = profile.times(5, 50), profile.rng("broker"), []
    outcome = Outcome(profile.seed, injected=times)
    async with store(profile.folder / "store", defaults=True) as shop, shop.server() as server:
        await shop.ready(server)
        async with shop.edge(seed=profile.seed, per_s=PER_S) as edge:
            await shop.acknowledges_news(edge, server, after=AFTER)
            for _ in range(times):
                await asyncio.sleep(rng.uniform(0, 0.5))
                await shop.broker.kill()
                await asyncio.sleep(rng.uniform(0, 0.5))
                await shop.broker.start()
                began_s = time.monotonic()
                await shop.acknowledges_news(edge, server, after=AFTER)
                waits_s.append(time.monotonic() - began_s)
            edge.kill()
            await edge.gone()
        async with shop.edge(seed=-1, per_s=0) as edge:
            await shop.settled(edge, server)
        shop.account(outcome)
    outcome.recovery_s = percentile(waits_s, 50)
    outcome.extra |= {"reconnect_p95_s": percentile(waits_s, 95), "reconnect_max_s": max(waits_s)}
    outcome.expect(outcome.extra["reconnect_p95_s"] <= RECONNECT_P95_S, "back later than 5 s, p95")
    return [outcome]


async def raw_broker_killed(profile: Profile) -> list[Outcome]:
    """The same script."""
    return [await raw.broker_killed(profile.folder / "raw", profile.times(5, 50), profile.seed, PER_S)]


async def overflow(profile: Profile) -> list[Outcome]:
    """The agent produces 5 000 events while the server, whose session stands, is away."""
    outcome = Outcome(profile.seed)
    async with store(profile.folder / "store", defaults=True) as shop:
        async with shop.server() as server:
            await shop.ready(server)
        async with shop.edge(seed=profile.seed, per_s=5000, burst=100, count=AWAY) as edge:
            await until(lambda: len(shop.truth.read().promised) == AWAY, lives=(edge,))
            began_s = time.monotonic()
            async with shop.server() as server:
                await shop.settled(edge, server)
                outcome.recovery_s = time.monotonic() - began_s
        return [shop.account(outcome)]


async def raw_overflow(profile: Profile) -> list[Outcome]:
    """The same script."""
    return [await raw.subscriber_away(profile.folder / "raw", AWAY)]


RAW = "raw MQTT QoS 1"
ROWS = (
    Row((13,), "broker killed, keeps nothing", kill_the_broker, raw_broker_killed, RAW, takes_s=(15, 250)),
    Row((14,), "broker's queue overflows, server away", overflow, raw_overflow, RAW, takes_s=(10, 20)),
)
