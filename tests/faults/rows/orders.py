"""Rows 24, 33, 34 and 35: old, repeated and forged orders; displays that are away or cut off; acknowledgements that are lost."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from edge.actuators import manager
from simulators.faults import FaultyProxy, Toxics
from tests.faults.floor import (
    DOOR,
    LAMP,
    all_answered,
    display,
    gateway,
    moment,
    order,
    pulse,
    results,
    say_again,
    signed_ago,
)
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.server.web.conftest import Store, running_store
from tests.support.patience import eventually

HOUR_S = 3600.0
FAR = 1_000_000
DARK_WITHIN_S = 10.0
CATCH_UP_S = 2.0


async def acknowledgements_lost(profile: Profile) -> list[Outcome]:
    """Connections reset after some bytes either way, in the middle of every other order: each pulse given once."""
    seeds = profile.seeds(8, 150)
    outcome = Outcome(profile.seed, injected=len(seeds))
    async with running_store(profile.folder / "store") as store, FaultyProxy(store.broker.port) as proxy:
        async with gateway(store, profile.folder / "edge", proxy.port) as (_, relay):
            for seed in seeds:
                rng = random.Random(f"ack lost {seed}")
                if rng.random() < 0.5:
                    proxy.trouble(**{rng.choice(("up", "down")): Toxics(reset_after=rng.randint(1, 3000))})
                await pulse(store)
                await asyncio.sleep(rng.uniform(0, 1.0))
                proxy.clear()
                await all_answered(store)
            given = relay.told.count(True)
        found = await results(store)
    done = found.count("done")
    outcome.generated, outcome.stored_once = len(found), sum(each is not None for each in found)
    outcome.duplicates = max(given - done, 0)
    outcome.expect(given == done, f"{given} pulses given, {done} told as done")
    outcome.extra |= {"pulses": given, "told_as_done": done, "orders_sent_again": store.state.commands.retries.retried}
    return [outcome]


async def old_orders(profile: Profile) -> list[Outcome]:
    """Orders an hour old, retained and not, captured, altered and held back, before and after a restart of the agent."""
    outcome = Outcome(profile.seed, injected=0)
    async with running_store(profile.folder / "store") as store:
        port = store.broker.port
        async with gateway(store, profile.folder / "edge", port) as (_, relay):
            captured = store.state.link._message(order(store, FAR), store.state.clock_ns(), None, {"actuator": LAMP})
            say_again(store, *captured, retain=False)
            await eventually(lambda: relay.told.count(True) == 1)
            outcome.injected += _replay(store, captured)
            await _barrier(store)
            outcome.expect(relay.told.count(True) == 2, "an old order acted on a running agent")
        for _ in range(profile.times(1, 10)):
            outcome.injected += _replay(store, captured)
            async with gateway(store, profile.folder / "edge", port) as (agent, relay):
                outcome.injected += _replay(store, captured)
                await _barrier(store)
                outcome.expect(relay.told.count(True) == 1, "an old order acted after a restart")
                outcome.extra["actuations_by_old_orders"] = (
                    outcome.extra.get("actuations_by_old_orders", 0) + relay.told.count(True) - 1
                )
                outcome.expect(agent.health.tally.forged_orders > 0, "forged orders not counted")
    return [outcome]


def _replay(store: Store, captured: tuple[str, bytes]) -> int:
    """Everything that somebody with a tape of the bus and the broker's rights could try."""
    topic, payload = captured
    aged = signed_ago(store, order(store, FAR + 1), HOUR_S, actuator=LAMP)[1]
    held_back = signed_ago(store, order(store, FAR + 2), 3.0, actuator=LAMP)[1]
    altered = payload.replace(f",{FAR}]".encode(), f",{FAR + 3}]".encode())
    tries = [payload, aged, held_back, altered, altered.partition(b',"mac"')[0] + b"}"]
    for each in tries:
        for retain in (False, True):
            say_again(store, topic, each, retain=retain)
    return 2 * len(tries)


async def _barrier(store: Store) -> None:
    """A good order behind them all, carried out: what came before it has been judged."""
    store.state.commands._counter = max(store.state.commands._counter, FAR) + 10
    await pulse(store)
    await all_answered(store)


@contextmanager
def _without_fence() -> Iterator[None]:
    """Whatever comes, acts."""
    judge, manager.judge = manager.judge, lambda *_: "act"  # type: ignore[assignment]
    try:
        yield
    finally:
        manager.judge = judge


async def old_orders_unfenced(profile: Profile) -> list[Outcome]:
    """The control."""
    with _without_fence():
        return await old_orders(profile)


async def display_cut_off(profile: Profile) -> list[Outcome]:
    """The line swallows everything while a moment stands: dark within 10 s, or at the moment's end if that is sooner."""
    outcomes = []
    async with running_store(profile.folder / "store") as store, FaultyProxy(_port(store)) as proxy:
        cookie = (await store.pair(DOOR)).partition("=")[2]
        async with display(store, proxy.port, cookie) as news:
            for seed in profile.seeds(2, 20):
                outcome, ttl_ms = Outcome(seed), 60_000 if seed % 2 == 0 else 1_500
                ended = sum(each.what == "ends" for each in news)
                store.state.link.send(moment(store, FAR + seed, ttl_ms), display=DOOR)
                await eventually(lambda: news[-1].what == "shows")
                shown_s = time.monotonic()
                proxy.hole()
                await eventually(lambda: sum(each.what == "ends" for each in news) > ended, 60.0)  # noqa: B023
                stood_s = time.monotonic() - shown_s
                outcome.extra["stood_after_cut_s"] = stood_s
                limit_s = min(DARK_WITHIN_S, ttl_ms / 1000 + 0.25)
                outcome.expect(stood_s <= limit_s, f"a moment stood {stood_s:.1f} s, {limit_s:.1f} s allowed")
                ready = sum(each.what == "ready" for each in news)
                proxy.clear()
                proxy.reset()
                await eventually(lambda: sum(each.what == "ready" for each in news) > ready, 60.0)  # noqa: B023
                outcomes.append(outcome)
    return outcomes


async def display_away(profile: Profile) -> list[Outcome]:
    """An hour of moments while the display is off; then the base as it is now, and nothing personal, replayed or not."""
    outcome = Outcome(profile.seed, injected=0)
    async with running_store(profile.folder / "store") as store:
        port = _port(store)
        cookie = (await store.pair(DOOR)).partition("=")[2]
        for life in range(profile.times(2, 20)):
            tape = []
            for minute in range(60):
                message = signed_ago(store, moment(store, FAR + 100 * life + minute), 60.0 * minute, display=DOOR)
                tape.append(message)
                say_again(store, *message, retain=False)
            store.state.link.send(moment(store, FAR + 100 * life + 99), display=DOOR)
            store.state.send_base()
            newest = store.state.commands._counter
            began_s = time.monotonic()
            async with display(store, port, cookie) as news:
                outcome.extra["catch_up_s"] = time.monotonic() - began_s
                for message in tape[1:]:
                    say_again(store, *message, retain=False)
                store.state.send_base()
                await eventually(lambda: sum(each.what == "base" for each in news) >= 2)
                late = sum(each.what == "shows" for each in news)
            outcome.injected += 1 + 2 * len(tape)
            outcome.extra["stale_personal_frames"] = outcome.extra.get("stale_personal_frames", 0) + late
            outcome.expect(late == 0, "something personal was shown late")
            outcome.expect(newest > 0 and outcome.extra["catch_up_s"] <= CATCH_UP_S, "the base came after 2 s")
    return [outcome]


def _port(store: Store) -> int:
    return int(store.url.rpartition(":")[2])


ROWS = (
    Row(
        (24,),
        "old, captured, altered and held-back orders",
        old_orders,
        old_orders_unfenced,
        "without fence and clock",
        in_memory=True,
    ),
    Row((33,), "a display away for an hour of moments", display_away, in_memory=True),
    Row((34,), "a display cut off while it shows something personal", display_cut_off, takes_s=(15, 150)),
    Row((35,), "an actuator's acknowledgements lost", acknowledgements_lost, takes_s=(15, 300)),
)
