"""Rows 9, 10 and 11: a host's clock that jumps, or never knew the day; days of 23 and 25 hours."""

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import select

from broker_config.messages import ItemArrived
from broker_config.site import load_site
from edge.agent import Agent
from edge.timebase import Timebase
from server.config import load_config
from server.runtime import opened
from server.state import ServerState
from server.tables import BadMessageRow, EventRow
from tests.faults.floor import gateway
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.server.harness import EVIDENCE, Clock, Edge
from tests.server.web.conftest import running_store
from tests.support.edge import a_transition
from tests.support.identities import write_seeded_store

S, HOUR, DAY = 10**9, 3600 * 10**9, 86_400 * 10**9
STEPS_NS = (-HOUR, -DAY, HOUR, 365 * DAY, -40 * 365 * DAY)
STARTS_NS = (365 * DAY, -DAY, -HOUR, None)  # None: 1970
BURST = 20
EXACT_NS = 2 * S
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
ITEM = "3034257bf400cb0000000001"
EVERY = timedelta(minutes=5)


@dataclass
class Host:
    """A host whose wall clock is off by what the test says; `truth`: when each event really happened, by its seq."""

    off_ns: int = 0
    from_1970: bool = False
    truth: dict[int, int] = field(default_factory=dict)
    _began_ns: int = field(default_factory=time.monotonic_ns)

    def wall_ns(self) -> int:
        if self.from_1970:
            return time.monotonic_ns() - self._began_ns
        return time.time_ns() + self.off_ns

    def happen(self, agent: Agent) -> None:
        for _ in range(BURST):
            now_ns = agent._clock()
            event = agent._announcer.item(a_transition("arrived", bytes.fromhex(ITEM), 0, now_ns))
            (seq,) = agent._outbox.append([event])
            self.truth[seq] = time.time_ns()


async def clock_jumps(profile: Profile) -> list[Outcome]:
    """The wall clock is set while the agent runs: by an hour, a day, a year; times and order do not notice."""
    outcomes = []
    async with running_store(profile.folder / "store") as store:
        for seed in profile.seeds(len(STEPS_NS), 4 * len(STEPS_NS)):
            host, folder = Host(), profile.folder / f"edge-{seed}"
            async with gateway(store, folder, store.broker.port, host.wall_ns, host.happen) as (agent, _):
                host.off_ns += STEPS_NS[seed % len(STEPS_NS)]
                host.happen(agent)
                generation = await _all_acknowledged(agent)
                step_ms = agent.stats().counters["clock_step_ms"]
            outcome = await _judge(seed, host, store.state, generation)
            outcome.expect(abs(step_ms * 10**6 - host.off_ns) < EXACT_NS, "the step was not reported")
            outcomes.append(outcome)
    return outcomes


async def wrong_day(profile: Profile) -> list[Outcome]:
    """The agent starts in 1970, a year ahead, a day or an hour behind: stored are the right day and second."""
    outcomes = []
    async with running_store(profile.folder / "store") as store:
        for seed in profile.seeds(len(STARTS_NS), 5 * len(STARTS_NS)):
            off_ns = STARTS_NS[seed % len(STARTS_NS)]
            host, folder = Host(off_ns or 0, from_1970=off_ns is None), profile.folder / f"edge-{seed}"
            async with gateway(store, folder, store.broker.port, host.wall_ns, host.happen) as (agent, _):
                host.happen(agent)
                generation = await _all_acknowledged(agent)
            outcomes.append(await _judge(seed, host, store.state, generation))
    return outcomes


async def wrong_day_not_put_right(profile: Profile) -> list[Outcome]:
    """The control: what the host believes is what is said."""
    honest, Timebase.put_right = Timebase.put_right, lambda _self, payload, _generation=None: payload  # type: ignore[method-assign]
    try:
        return await wrong_day(profile)
    finally:
        Timebase.put_right = honest  # type: ignore[method-assign]


async def _all_acknowledged(agent: Agent) -> str:
    """Return the generation once the server holds everything."""
    async with asyncio.timeout(60):
        while agent._outbox.acked_upto < agent._outbox.last_seq:
            await asyncio.sleep(0.02)
    return agent._outbox.generation


async def _judge(seed: int, host: Host, state: ServerState, generation: str) -> Outcome:
    """What the server holds of this start, against the truth."""
    query = select(EventRow.seq, EventRow.at_ns).where(EventRow.generation == generation).order_by(EventRow.seq)
    async with state.db.session() as session:
        rows = [(seq, at_ns) for seq, at_ns in await session.execute(query) if seq in host.truth]
        rejected = len((await session.scalars(select(BadMessageRow.digest))).all())
    outcome = Outcome(seed, generated=len(host.truth), stored_once=len({seq for seq, _ in rows}))
    outcome.duplicates = len(rows) - outcome.stored_once
    errors_ns = [abs(at_ns - host.truth[seq]) for seq, at_ns in rows]
    times = [at_ns for _, at_ns in rows]
    days = sum(
        at_ns // DAY != host.truth[seq] // DAY and abs(at_ns - host.truth[seq]) > EXACT_NS for seq, at_ns in rows
    )
    reordered = sum(later < earlier for earlier, later in itertools.pairwise(times))
    outcome.extra |= {"worst_error_s": max(errors_ns, default=0) / S, "wrong_day_rows": days, "reordered": reordered}
    outcome.expect(max(errors_ns, default=0) <= EXACT_NS, "a time wrong by more than 2 s")
    outcome.expect(days == 0, "rows of a wrong day")
    outcome.expect(reordered == 0, "events out of order")
    outcome.expect(rejected == 0, "events rejected")
    return outcome


async def long_and_short_days(profile: Profile) -> list[Outcome]:
    """Every five minutes an event, through each change of the clocks of a year in three zones: each hour once."""
    outcomes = []
    for number, name in enumerate(ZONES):
        for change in _changes(ZoneInfo(name)):
            folder = profile.folder / f"{number}-{change:%m}"
            outcomes.append(await _through(folder, name, change))
    return outcomes


async def _through(folder: Path, name: str, change: datetime) -> Outcome:
    """A server in this zone, from the midnight before the change to the one after."""
    folder.mkdir(parents=True)
    config = write_seeded_store(folder)
    site_file = folder / "site.toml"
    site_file.write_text(site_file.read_text().replace("Asia/Taipei", name))
    zone = ZoneInfo(name)
    day = change.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=zone)
    begin, end = day.astimezone(UTC), (day + timedelta(days=1)).astimezone(UTC)
    clock = Clock(round(begin.timestamp()) * S)
    outcome = Outcome(int(change.timestamp()))
    async with opened(load_config(config), load_site(site_file), clock) as state:
        edge, at = Edge(state, clock), begin
        while at < end:
            clock.now_ns = round(at.timestamp()) * S
            said = ItemArrived(zone="shoes", epc=ITEM, detected_at=at, last_read_at=at, evidence=EVIDENCE)
            await edge.deliver(edge.event(said, zone="shoes"))
            outcome.generated, at = outcome.generated + 1, at + EVERY
        async with state.db.session() as session:
            stored = list(await session.scalars(select(EventRow.at_ns)))
    outcome.stored_once = len(set(stored))
    outcome.duplicates = len(stored) - len(set(stored))
    buckets = Counter(_bucket(datetime.fromtimestamp(at_ns / S, UTC), zone) for at_ns in stored)
    wanted = Counter(_bucket(begin + EVERY * n, zone) for n in range(outcome.generated))
    outcome.extra["hours_of_the_day"] = round((end - begin) / timedelta(hours=1), 1)
    outcome.expect(buckets == wanted, "an hour missing or doubled")
    outcome.expect((end - begin) != timedelta(days=1), "no change of the clocks on this day")
    return outcome


def _bucket(at: datetime, zone: ZoneInfo) -> tuple[int, int]:
    """An hour of the store's day; one that the clock shows twice is two."""
    local = at.astimezone(zone)
    return local.hour, local.fold


def _changes(zone: ZoneInfo) -> list[datetime]:
    """When the clocks of a year change."""
    hours = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(365 * 24)]
    return [
        after
        for before, after in itertools.pairwise(hours)
        if before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()
    ]


ROWS = (
    Row((9,), "the clock jumps while the agent runs", clock_jumps, takes_s=(10, 60), in_memory=True),
    Row(
        (10,),
        "the agent starts in 1970, a year ahead, behind",
        wrong_day,
        wrong_day_not_put_right,
        "not put right",
        takes_s=(12, 120),
        in_memory=True,
    ),
    Row((11,), "days of 23 and 25 hours, in three zones", long_and_short_days, in_memory=True),
)
