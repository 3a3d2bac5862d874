"""Rows 12 (no broker at all), 30, 32 and 38: what the protocol between agent and server has to bear beside kills and networks."""

import asyncio
import shutil
import time
from dataclasses import replace
from pathlib import Path

import httpx

from tests.faults.edge_life import EdgePlan, live_at_the_edge
from tests.faults.nursery import Life, life, until
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.faults.store import Store, store
from tests.faults.truth import TruthReader

ALARM_S = 10.0
TAKEOVERS_PER_MIN = 6
SLOW_S = 0.5
GROWTH_MIB = 64.0
PAGE_MIB = 4096 / (1 << 20)


async def no_broker(profile: Profile) -> list[Outcome]:
    """The broker is gone for good; events go to the server by HTTP, and MQTT takes over when it is back."""
    outcome = Outcome(profile.seed)
    async with store(profile.folder / "store") as shop, shop.server() as server:
        await shop.ready(server)
        toml = shop.folder / "edge.toml"
        toml.write_text(f"{toml.read_text()}\n[outbox]\npost_after_s = 1.0\n")
        await shop.broker.kill()
        async with shop.edge(seed=profile.seed, per_s=100, count=profile.times(300, 5000)) as edge:
            await until(lambda: len(shop.truth.read().promised) > 20, lives=(edge, server))
            began_s = time.monotonic()
            await until(lambda: shop.truth.read().upto > 0, lives=(edge, server))
            outcome.recovery_s = time.monotonic() - began_s
            await shop.settled(edge, server)
            posted = shop.truth.read().upto
            await shop.broker.start()
        async with shop.edge(seed=profile.seed + 1, per_s=100, count=100) as edge:
            await until(lambda: shop.truth.read().last_seq >= posted + 100, lives=(edge, server))
            await shop.settled(edge, server)
        outcome.extra["posted"] = posted
        return [shop.account(outcome)]


async def restored(profile: Profile) -> list[Outcome]:
    """The server's database is put back from a copy; what came after it, in several runs of the agent, is filled in again."""
    outcome, count = Outcome(profile.seed), profile.times(200, 5000)
    async with store(profile.folder / "store") as shop:
        await _produce(shop, profile.seed, count)
        shutil.copytree(shop.folder / "server", profile.folder / "backup")
        await _produce(shop, profile.seed + 1, count)
        await _produce(shop, profile.seed + 2, count)
        shutil.rmtree(shop.folder / "server")
        shutil.copytree(profile.folder / "backup", shop.folder / "server")
        began_s = time.monotonic()
        async with shop.server() as server, shop.edge(seed=-1, per_s=0) as edge:
            await until(lambda: shop.truth.read().promised.keys() <= shop.stored().keys(), 120, lives=(server, edge))
        outcome.recovery_s = time.monotonic() - began_s
        return [shop.account(outcome)]


async def _produce(shop: Store, seed: int, count: int) -> None:
    """A life of the agent, and all of it stored."""
    wanted = shop.truth.read().last_seq + count
    async with shop.server() as server, shop.edge(seed=seed, per_s=1000, count=count) as edge:
        await until(lambda: shop.truth.read().last_seq >= wanted, lives=(server, edge))
        await shop.settled(server, edge)


async def two_of_one(profile: Profile) -> list[Outcome]:
    """The gateway's disk is copied, and the copy started beside it."""
    outcome = Outcome(profile.seed)
    watch_s = 20.0 if profile.fast else 90.0
    async with store(profile.folder / "store") as shop, shop.server() as server:
        await shop.ready(server)
        async with shop.edge(seed=profile.seed, per_s=50, count=100) as edge:
            await until(lambda: len(shop.truth.read().promised) >= 100, lives=(edge, server))
            await shop.settled(edge, server)
        copy = _copy_of(shop)
        twin_truth = TruthReader(copy.truth)
        async with shop.edge(seed=profile.seed + 1, per_s=20) as edge:
            await until(lambda: shop.truth.read().last_seq > 110, lives=(edge, server))
            async with life(live_at_the_edge, copy, log=shop.folder / "twin.log") as twin:
                await until(lambda: twin_truth.read().promised, lives=(twin,))
                began_s = time.monotonic()
                outcome.recovery_s = outcome.extra["alarm_s"] = await _alarm_s(shop, began_s, edge, twin)
                await asyncio.sleep(max(0.0, began_s + watch_s - time.monotonic()))
                for each in (edge, twin):
                    each.kill()
                    await each.gone()
        takeovers = sum(1 for truth in (shop.truth, twin_truth) for _ in range(truth.read().count("lost")))
        outcome.extra["takeovers_per_min"] = takeovers * 60 / max(watch_s, 60.0)
        async with shop.edge(seed=-1, per_s=0) as edge:
            await until(lambda: shop.truth.read().promised.keys() <= shop.stored().keys(), 90, lives=(edge, server))
        quiet = replace(copy, per_s=0)
        async with life(live_at_the_edge, quiet, log=shop.folder / "twin.log") as twin:
            await until(lambda: twin_truth.read().promised.keys() <= shop.stored().keys(), 90, lives=(twin, server))
        shop.account(outcome)
        ours, theirs = shop.truth.promised.keys(), twin_truth.promised.keys()
        outcome.generated += len(theirs)
        outcome.stored_once += len(theirs & shop.stored().keys())
        outcome.duplicates += len(ours & theirs)
    outcome.expect(outcome.extra["alarm_s"] <= ALARM_S, "no alarm within 10 s")
    outcome.expect(outcome.extra["takeovers_per_min"] <= TAKEOVERS_PER_MIN, "more than 6 takeovers a minute")
    return [outcome]


def _copy_of(shop: Store) -> EdgePlan:
    """The same agent on a copy of its disk."""
    shutil.copytree(shop.folder / "edge", shop.folder / "twin")
    text = (shop.folder / "edge.toml").read_text().replace('data = "edge"', 'data = "twin"')
    (shop.folder / "twin.toml").write_text(text)
    return EdgePlan(shop.folder / "twin.toml", shop.folder / "twin-truth.log", seed=77, per_s=20)


async def _alarm_s(shop: Store, began_s: float, *lives: Life) -> float:
    owner = {"authorization": f"Bearer {(shop.folder / 'server' / 'owner.token').read_text().strip()}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{shop.server_port}", headers=owner) as client:
        while True:
            said = (await client.get("/api/status")).raise_for_status().json()
            if "two agents" in (said["alarm"] or ""):
                return time.monotonic() - began_s
            assert time.monotonic() - began_s < 6 * ALARM_S, "no alarm at all"
            for each in lives:
                each.check()
            await asyncio.sleep(0.05)


async def slow_server(profile: Profile) -> list[Outcome]:
    """Every transaction of the server takes half a second longer; what waits, waits on the agent's disk."""
    outcome = Outcome(profile.seed)
    async with store(profile.folder / "store") as shop:
        async with (
            shop.server(slow_s=SLOW_S) as server,
            shop.edge(seed=profile.seed, per_s=profile.times(500, 2000)) as edge,
        ):
            await until(lambda: shop.truth.read().upto > 0, lives=(server, edge))
            before_mib = _resident_mib(server)
            await asyncio.sleep(profile.times(8, 60))
            outcome.extra |= {
                "server_growth_mib": _resident_mib(server) - before_mib,
                "edge_lag_events": float(shop.truth.read().last_seq - shop.truth.upto),
            }
            edge.kill()
            await edge.gone()
        began_s = time.monotonic()
        async with shop.server() as server, shop.edge(seed=-1, per_s=0) as edge:
            await shop.settled(edge, server, within_s=600)
        outcome.recovery_s = time.monotonic() - began_s
        shop.account(outcome)
    outcome.expect(outcome.extra["server_growth_mib"] <= GROWTH_MIB, "the server's memory grows")
    return [outcome]


def _resident_mib(server: Life) -> float:
    return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * PAGE_MIB


ROWS = (
    Row((12,), "no broker: events by HTTP", no_broker, takes_s=(8, 80)),
    Row((30,), "two agents with one identity", two_of_one, takes_s=(24, 100)),
    Row((32,), "a slow consumer", slow_server, takes_s=(15, 120)),
    Row((38,), "server restored from yesterday's backup", restored, takes_s=(12, 60)),
)
