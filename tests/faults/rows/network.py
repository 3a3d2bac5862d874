"""Rows 17 and 18: the network flaps, goes half-open, is slow; a hundred gateways come back at once."""

import asyncio
import random
import time
from contextlib import suppress
from functools import partial

from simulators.faults import FaultyProxy, Toxics
from tests.faults.herd import Herd, add_zones
from tests.faults.nursery import Life, until
from tests.faults.report import Outcome, percentile
from tests.faults.row import Profile, Row
from tests.faults.store import store

PER_S = 100.0
HERD_PER_S = 30.0
"""Of all gateways together: where there are many, each is quiet for seconds."""
DETECT_S = 25.0
MOST_CONNECTS_PER_S = 20
CAME_S = 90.0
SLOW = Toxics(latency_s=2.0, bytes_per_s=2000.0)


async def flap(profile: Profile) -> list[Outcome]:
    """Resets, refusals, holes of some seconds, cuts after some bytes, by the seed; each until new events are acknowledged."""
    seeds, waits_s = profile.seeds(4, 100), []
    outcome = Outcome(profile.seed, injected=len(seeds))
    async with store(profile.folder / "store") as shop, shop.server() as server, FaultyProxy(shop.broker.port) as proxy:
        await shop.ready(server)
        shop.edge_connects_to(proxy.port)
        async with shop.edge(seed=profile.seed, per_s=PER_S) as edge:
            for seed in seeds:
                await shop.acknowledges_news(edge, server)
                await _flap_once(proxy, random.Random(f"flap {seed}"))
                began_s = time.monotonic()
                await shop.acknowledges_news(edge, server)
                waits_s.append(time.monotonic() - began_s)
            edge.kill()
            await edge.gone()
        async with shop.edge(seed=-1, per_s=0) as edge:
            await shop.settled(edge, server)
        shop.account(outcome)
    outcome.recovery_s = percentile(waits_s, 50)
    outcome.extra |= {"recovery_p95_s": percentile(waits_s, 95), "recovery_max_s": max(waits_s)}
    return [outcome]


async def _flap_once(proxy: FaultyProxy, rng: random.Random) -> None:
    """One fault of some kind, and its end."""
    kind, lasts_s = rng.choice(("reset", "refuse", "hole", "cut up", "cut down")), rng.uniform(0.1, 3.0)
    if kind == "refuse":
        await proxy.refuse()
        proxy.reset()
        await asyncio.sleep(lasts_s)
        await proxy.listen()
    elif kind == "hole":
        proxy.hole()
        await asyncio.sleep(lasts_s)
        proxy.reset()  # as after a new address: what waited is gone for good
    elif kind.startswith("cut"):
        toxics = Toxics(reset_after=rng.randint(1, 20_000))
        proxy.trouble(**{kind.split()[1]: toxics})
        await asyncio.sleep(lasts_s)
    else:
        proxy.reset()
    proxy.clear()


async def herd(profile: Profile) -> list[Outcome]:
    """Gateways by the hundred: their connections go half-open, and later their broker is killed and back at once."""
    count = profile.times(20, 100)
    outcome = Outcome(profile.seed, injected=2 * count)
    prepare = partial(add_zones, count=count)
    async with (
        store(profile.folder / "store", prepare=prepare) as shop,
        shop.server() as server,
        FaultyProxy(shop.broker.port) as proxy,
    ):
        await shop.ready(server)
        many = Herd.behind(shop, proxy.port, count, HERD_PER_S / count)
        async with many.living() as lives:
            await _all_acknowledged(many, lives, server)
            outcome.extra["half_open_detected_s"] = await _half_open(many, proxy, lives)
            began_s = time.monotonic()
            proxy.clear()
            await _all_acknowledged(many, lives, server)
            outcome.extra |= {
                "after_hole_peak_per_s": float(_peak(proxy, began_s)),
                "after_hole_all_s": time.monotonic() - began_s,
            }
            await shop.broker.kill()
            began_s = time.monotonic()
            await shop.broker.start()
            await _all_acknowledged(many, lives, server)
            outcome.extra |= {
                "after_kill_peak_per_s": float(_peak(proxy, began_s)),
                "after_kill_all_s": time.monotonic() - began_s,
            }
            marks = many.marks()
            await until(lambda: many.all_beyond(marks), lives=(lives, server))
        promised = {key: value for truth in many.truths for key, value in truth.read().promised.items()}
        waiting = sum(truth.last_seq - truth.upto for truth in many.truths)
        shop.account_stored(outcome, promised)
        outcome.in_outbox = min(waiting, outcome.lost)  # the newest, which nobody waited for
    outcome.expect(outcome.extra["half_open_detected_s"] <= DETECT_S, "a half-open connection noticed after 25 s")
    for peak in ("after_hole_peak_per_s", "after_kill_peak_per_s"):
        outcome.expect(outcome.extra[peak] <= MOST_CONNECTS_PER_S, f"{peak} above {MOST_CONNECTS_PER_S}")
    return [outcome]


async def _all_acknowledged(many: Herd, *lives: Life) -> None:
    marks = many.marks()
    await until(lambda: many.all_beyond(marks), 120.0, lives=lives)


async def _half_open(many: Herd, proxy: FaultyProxy, lives: Life) -> float:
    """Swallow everything until each gateway has noticed; how long the last one took."""
    before = [truth.count("lost") for truth in many.truths]
    proxy.hole()
    began_s = time.monotonic()
    await until(lambda: many.lost_since(before), 2 * DETECT_S, lives=(lives,))
    return time.monotonic() - began_s


def _peak(proxy: FaultyProxy, since_s: float) -> int:
    """Most connections within any one second since then."""
    times = [at for at in proxy.accepted_s if at >= since_s]
    return max((sum(at <= other < at + 1 for other in times) for at in times), default=0)


async def slow_link(profile: Profile) -> list[Outcome]:
    """2 s of latency and 2 KB/s both ways: the backlog stays on the disk, and all of it comes in the end."""
    outcome = Outcome(profile.seed)
    async with store(profile.folder / "store") as shop, shop.server() as server, FaultyProxy(shop.broker.port) as proxy:
        await shop.ready(server)
        shop.edge_connects_to(proxy.port)
        proxy.trouble(up=SLOW, down=SLOW)
        async with shop.edge(seed=profile.seed, per_s=1.0, burst=1) as edge:
            with suppress(
                TimeoutError
            ):  # connecting alone is several round trips of 4 s, and a busy machine adds to them
                await until(lambda: shop.truth.read().upto > 0, CAME_S, lives=(edge, server))
            await asyncio.sleep(profile.times(8, 60))
            ages_s = shop.ages_s()
            outcome.expect(len(ages_s) > 0, "nothing came over the slow link")
            outcome.extra |= {"live_age_p95_s": percentile(ages_s, 95), "came_while_slow": len(ages_s)}
            proxy.clear()
            await shop.acknowledges_news(edge, server)
            edge.kill()
            await edge.gone()
        async with shop.edge(seed=-1, per_s=0) as edge:
            await shop.settled(edge, server)
        return [shop.account(outcome)]


ROWS = (
    Row((17,), "the network flaps", flap, takes_s=(25, 500)),
    Row((17,), "half-open connections; all gateways at once", herd, takes_s=(40, 120)),
    Row((18,), "a slow link", slow_link, takes_s=(30, 100)),
)
