"""Rows 22 and 36: the agent and the server are killed, again and again, while they write."""

import asyncio
import random
import time

from tests.faults import raw
from tests.faults.nursery import until
from tests.faults.report import Outcome, percentile
from tests.faults.row import Profile, Row
from tests.faults.store import Store, store

MAX_LIFE_S = 0.3
MAX_COMMITS = 6


async def kill_the_edge(profile: Profile) -> list[Outcome]:
    """Outbox and uplink in one process, killed 0 to 300 ms after its start or after its first commit, on one and the same file."""
    seeds = profile.seeds(50, 1000)
    outcome = Outcome(profile.seed, injected=len(seeds))
    async with store(profile.folder / "store") as shop, shop.server() as server:
        await shop.ready(server)
        for seed in seeds:
            await _live_and_die(shop, random.Random(f"kill edge {seed}"), seed)
            server.check()
            _whole_file(shop, outcome)
        async with shop.edge(seed=-1, per_s=0) as edge:
            await shop.settled(edge, server)
        waits_s = shop.truth.first_s
        outcome.recovery_s = percentile(waits_s, 95)
        outcome.extra |= {"lives_that_wrote": len(waits_s), "to_first_commit_max_s": max(waits_s)}
        return [shop.account(outcome)]


async def _live_and_die(shop: Store, rng: random.Random, seed: int) -> None:
    lives, writes = shop.truth.read().born, len(shop.truth.first_s)
    from_commit = rng.random() < 0.5
    async with shop.edge(seed=seed, per_s=rng.choice((50, 400, 2000))) as edge:
        if from_commit:
            await until(lambda: len(shop.truth.read().first_s) > writes, lives=(edge,))
        else:
            await until(lambda: shop.truth.read().born > lives, lives=(edge,))
        await asyncio.sleep(rng.uniform(0, MAX_LIFE_S))
        edge.kill()
        await edge.gone()


async def raw_publisher_killed(profile: Profile) -> list[Outcome]:
    """The same script."""
    return [await raw.publisher_killed(profile.folder / "raw", profile.times(50, 1000), profile.seed)]


async def raw_subscriber_killed(profile: Profile) -> list[Outcome]:
    """The same script."""
    return [await raw.subscriber_killed(profile.folder / "raw", profile.times(15, 500), profile.seed)]


def _whole_file(shop: Store, outcome: Outcome) -> None:
    """After a kill the file has every event that was promised, or the server has said that it does."""
    truth = shop.truth.read()
    if not truth.promised:
        return
    file_id, rows, drops = shop.in_outbox(truth.upto)
    missing = {seq for seq in truth.seqs.values() if seq > truth.upto} - rows - drops
    outcome.expect(not missing, f"{len(missing)} promised events not in the file")
    files = {values[0] for word, values, _ in truth.notes if word == "file"}
    outcome.expect(files == {file_id}, "another file")


async def kill_the_server(profile: Profile) -> list[Outcome]:
    """The server dies right after a commit, before its acknowledgement; the agent goes on producing."""
    seeds = profile.seeds(15, 500)
    outcome, waits_s = Outcome(profile.seed, injected=len(seeds)), []
    async with store(profile.folder / "store") as shop, shop.edge(seed=profile.seed, per_s=100) as edge:
        for seed in seeds:
            began_s = time.monotonic()
            async with shop.server(kill_after=random.Random(f"kill server {seed}").randint(1, MAX_COMMITS)) as server:
                await server.gone(60.0)
                waits_s.append(_first_commit_s(shop, began_s))
                edge.check()
        killed = shop.server_truth.count("killed")
        outcome.expect(killed == len(seeds), f"only {killed} of {len(seeds)} died at the hook: {server.last_words}")
        outcome.recovery_s = percentile(waits_s, 95)
        edge.kill()
        await edge.gone()
        async with shop.server() as server, shop.edge(seed=-1, per_s=0) as last:
            await shop.settled(last, server)
        return [shop.account(outcome)]


def _first_commit_s(shop: Store, began_s: float) -> float:
    """From a server's start to its first commit."""
    commits = [now_ns / 1e9 for word, _, now_ns in shop.server_truth.read().notes if word == "committed"]
    return min((at for at in commits if at >= began_s), default=began_s) - began_s


RAW = "raw MQTT QoS 1"
ROWS = (
    Row(
        (22,), "agent killed while it writes", kill_the_edge, raw_publisher_killed, RAW, limit_s=2700, takes_s=(30, 900)
    ),
    Row(
        (36,),
        "server killed before its acknowledgement",
        kill_the_server,
        raw_subscriber_killed,
        RAW,
        limit_s=2700,
        takes_s=(35, 1200),
    ),
)
