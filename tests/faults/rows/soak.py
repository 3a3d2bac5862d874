"""Row 42: nothing grows.  Memory and descriptors of agent and server at the live rate, by regression over the time measured.

Before that each way of an event is gone once, by HTTP without the broker and by MQTT with a backlog when it is back: what a
process keeps for such a day it keeps from then on (1 to 4 MiB), and a stall of the machine would make it look like a leak.

Half an hour in the full profile and by `make soak`, a quarter of a minute in the fast one.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.nursery import Life
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.faults.store import Store, store

PER_S = 200.0
POSTS_AFTER_S = 1
WARM_SHARE = 0.3
"""Of the time: caches fill, pools grow to their size."""
MOST_MIB_PER_H = 1.0
NOISE_MIB = 3.0
"""What an allocator gives and takes; in half an hour it hides a slope of no more than 6 MiB/h."""
MIB = 1 << 20
PAGE_BYTES = 4096


async def soak(profile: Profile) -> list[Outcome]:
    """Events at the live rate for so many seconds."""
    lasts_s = profile.times(15, 1800)
    outcome = Outcome(profile.seed)
    async with store(profile.folder / "store", prepare=_posts_soon) as shop, shop.server() as server:
        await shop.ready(server)
        async with shop.edge(seed=profile.seed, per_s=PER_S) as edge:
            await _go_each_way(shop, edge, server)
            await asyncio.sleep(lasts_s * WARM_SHARE)
            samples: dict[str, list[tuple[float, float, int]]] = {"edge": [], "server": []}
            began_s = time.monotonic()
            while (at_s := time.monotonic() - began_s) < lasts_s * (1 - WARM_SHARE):
                for name, each in (("edge", edge), ("server", server)):
                    each.check()
                    samples[name].append((at_s, *_size(each)))
                await asyncio.sleep(0.5)
            edge.kill()
            await edge.gone()
        async with shop.edge(seed=-1, per_s=0) as edge:
            await shop.settled(edge, server)
        shop.account(outcome)
    outcome.extra["measured_s"] = lasts_s * (1 - WARM_SHARE)
    for name, taken in samples.items():
        _judge(outcome, name, taken)
    return [outcome]


def _posts_soon(folder: Path) -> None:
    with (folder / "edge.toml").open("a") as file:
        file.write(f"\n[outbox]\npost_after_s = {POSTS_AFTER_S}\n")


async def _go_each_way(shop: Store, *lives: Life) -> None:
    await shop.acknowledges_news(*lives)
    await shop.broker.kill()
    await shop.acknowledges_news(*lives)
    await shop.broker.start()
    await shop.acknowledges_news(*lives)


def _judge(outcome: Outcome, name: str, taken: Sequence[tuple[float, float, int]]) -> None:
    times_s, rss_mib, fds = zip(*taken, strict=True)
    slope_per_h = statistics.linear_regression(times_s, rss_mib).slope * 3600
    half = len(fds) // 2
    leaked = statistics.median_low(fds[half:]) - statistics.median_low(fds[:half])
    outcome.extra |= {
        f"{name}_rss_mib": statistics.median(rss_mib),
        f"{name}_mib_per_h": slope_per_h,
        f"{name}_fds_leaked": float(leaked),
    }
    grew_mib = slope_per_h * times_s[-1] / 3600
    allowed_mib = MOST_MIB_PER_H * times_s[-1] / 3600 + NOISE_MIB
    outcome.expect(grew_mib <= allowed_mib, f"{name} grew by {grew_mib:.1f} MiB")
    outcome.expect(leaked <= 0, f"{name} holds {leaked} descriptors more")


def _size(each: Life) -> tuple[float, int]:
    """Resident MiB, and open descriptors.  Source: proc(5)."""
    proc = Path(f"/proc/{each.pid}")
    pages = int((proc / "statm").read_text().split()[1])
    return pages * PAGE_BYTES / MIB, len([*(proc / "fd").iterdir()])


ROWS = (Row((42,), "leaks", soak, limit_s=7200, takes_s=(25, 1900)),)
