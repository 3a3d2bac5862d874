"""Rows 22 and 36: the agent and the server are killed, again and again, while they write."""

import asyncio
import random
import time

from tests.faults.report import Outcome, percentile
from tests.faults.row import Profile, Row
from tests.faults.store import Store, store

MAX_LIFE_S = 0.3
MAX_COMMITS = 6


async def kill_the_edge(profile: Profile) -> list[Outcome]:
    """Outbox and uplink in one process that is killed 0 to 300 ms after its start, on one and the same file."""
    seeds = profile.seeds(50, 1000)
    outcome = Outcome(profile.seed, injected=len(seeds))
    async with store(profile.folder / "store") as shop, shop.server() as server:
        await shop.ready(server)
        for seed in seeds:
            rng = random.Random(f"kill edge {seed}")
            async with shop.edge(seed=seed, per_s=rng.choice((50, 400, 2000))) as edge:
                await asyncio.sleep(rng.uniform(0, MAX_LIFE_S))
                edge.kill()
                await edge.gone()
            server.check()
            _whole_file(shop, outcome)
        async with shop.edge(seed=-1, per_s=0) as edge:
            await shop.settled(edge, server)
        waits_s = shop.truth.first_s
        outcome.recovery_s = percentile(waits_s, 95)
        outcome.extra |= {"lives_that_wrote": len(waits_s), "to_first_commit_max_s": max(waits_s)}
        return [shop.account(outcome)]


def _whole_file(shop: Store, outcome: Outcome) -> None:
    """After a kill the file has every event that was promised, or the server has said that it does."""
    truth = shop.truth.read()
    if not truth.promised:
        return
    generation, rows, drops = shop.in_outbox()
    missing = {seq for own, seq in truth.promised if own == generation and seq > truth.upto} - rows - drops
    outcome.expect(not missing, f"{len(missing)} promised events not in the file")
    outcome.expect({own for own, _ in truth.promised} == {generation}, "another generation")


async def kill_the_server(profile: Profile) -> list[Outcome]:
    """The server dies right after a commit, before its acknowledgement; the agent goes on producing."""
    seeds = profile.seeds(25, 500)
    outcome, waits_s = Outcome(profile.seed, injected=len(seeds)), []
    async with store(profile.folder / "store") as shop, shop.edge(seed=profile.seed, per_s=100) as edge:
        for seed in seeds:
            began_s = time.monotonic()
            async with shop.server(kill_after=random.Random(f"kill server {seed}").randint(1, MAX_COMMITS)) as server:
                await server.gone(60.0)
                waits_s.append(_first_commit_s(shop, began_s))
                edge.check()
        killed = sum(word == "killed" for word, _, _ in shop.server_truth.read().notes)
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


ROWS = (
    Row((22,), "agent killed in the middle of a write", kill_the_edge, limit_s=1200),
    Row((36,), "server killed between commit and acknowledgement", kill_the_server, limit_s=1200),
)
