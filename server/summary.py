"""The figures of the status and summary calls."""

from datetime import datetime
from pathlib import Path

import msgspec
from fastapi import APIRouter, Response
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.messages import ActuatorState, Device, EdgeStats, ShelfState, group_safe
from broker_config.site import Zone, ZoneId
from server import quarantine
from server.clock import NS_PER_MS, NS_PER_S
from server.decisions import store
from server.room import has_reserve, has_room
from server.salvage import alarm
from server.state import ServerState, State
from server.tables import CommandRow, EventRow, ProofRow
from server.tls import ending

router = APIRouter(prefix="/api")

LATENCY_SAMPLES = 1_000
_PHASES = select(ProofRow.phase, func.count()).group_by(ProofRow.phase)
_DONE = select(func.count()).where(CommandRow.result == "done")


class AgentStatus(msgspec.Struct, frozen=True):
    """An agent as last heard; `stats` None before it spoke; `quarantined`: it is there twice, and nothing it says has an effect."""

    agent: str
    state: str
    since: datetime | None
    devices: tuple[Device, ...]
    stats: EdgeStats | None
    quarantined: bool = False


class DisplayStatus(msgspec.Struct, frozen=True):
    """A display as last heard."""

    display: str
    state: str
    since: datetime | None


class ZoneStatus(msgspec.Struct, frozen=True):
    """What is in a zone now.

    Args:
        visits: for the owner's own page, which draws each visit by its token.
        people: the same as it may be shown to anybody: `<5` below five, none included.
        covered: whether its readers deliver; None where nobody has said.
    """

    zone: str
    items: int
    visits: int
    people: str
    covered: bool | None
    covered_since: datetime | None


class Status(msgspec.Struct, frozen=True):
    """The store now; `broker` is `ok` or `lost`, and what follows it is then as old as the loss.

    Args:
        alarm: what is wrong with the server itself, with what to do.
        warning: what soon will be.
    """

    site: str
    broker: str
    agents: tuple[AgentStatus, ...]
    displays: tuple[DisplayStatus, ...]
    zones: tuple[ZoneStatus, ...]
    actuators: tuple[ActuatorState, ...]
    shelves: tuple[ShelfState, ...]
    uptime_s: float
    alarm: str | None = None
    warning: str | None = None


class Latency(msgspec.Struct, frozen=True):
    """Antenna to screen, over the latest moments; None where none was shown."""

    p50: float | None
    p99: float | None
    n: int


class Summary(msgspec.Struct, frozen=True):
    """The run in figures.

    Args:
        reads: by the agents' latest statistics, since their start.
        events_lost: skipped in a sequence: neither stored nor declared dropped, though later ones came.
        duplicates: since this start; each changed nothing.
    """

    reads: int
    events: int
    decisions: int
    stayed_silent: int
    moments_shown: int
    moments_ended: int
    actuations: int
    latency_ms: Latency
    events_lost: int
    duplicates: int
    bad: int


def status(state: ServerState) -> Status:
    """The store as it is now."""
    return Status(
        site=state.site.id,
        broker="ok" if state.link.connected else "lost",
        agents=tuple(
            AgentStatus(
                view.agent, view.state, view.since, view.devices, view.stats, state.clones.quarantined(view.agent)
            )
            for view in state.fleet.agents.values()
        ),
        displays=tuple(DisplayStatus(view.display, view.state, view.since) for view in state.fleet.displays.values()),
        zones=_zones(state),
        actuators=tuple(state.fleet.actuators.values()),
        shelves=tuple(state.fleet.shelves.values()),
        uptime_s=round((state.clock_ns() - state.started_ns) / NS_PER_S, 1),
        alarm=_alarm(state),
        warning="; ".join(ending(state.config)) or None,
    )


def _alarm(state: ServerState) -> str | None:
    disk = "the database cannot be written ({}); free some space on its disk, agents keep their events"
    trouble = disk.format(state.db.trouble) if state.db.trouble else _narrow(state)
    others = alarm(state.config.database), state.clones.alarm, state.link.guard.alarm
    return "; ".join(each for each in (trouble, *others) if each) or None


def _narrow(state: ServerState) -> str | None:
    folder = Path(state.config.data)
    if has_reserve(folder) or has_room(folder):
        return None
    return f"the disk of {folder} is nearly full; free some space"


def _zones(state: ServerState) -> tuple[ZoneStatus, ...]:
    items, visits = state.items.counts(), state.visits.counts()

    def of(zone: Zone) -> ZoneStatus:
        coverage, here = state.fleet.coverage(ZoneId(zone.id)), visits.get(zone.id, 0)
        return ZoneStatus(zone.id, items.get(zone.id, 0), here, group_safe(here), coverage.covered, coverage.since)

    return tuple(of(zone) for zone in state.site.zones)


async def summary(state: ServerState) -> Summary:
    """The figures, from the database and the counters."""
    async with state.db.session() as session:
        outcomes = await store.count_by_outcome(session)
        phases = {row[0]: row[1] for row in await session.execute(_PHASES)}
        return Summary(
            reads=sum(view.stats.reads for view in state.fleet.agents.values() if view.stats),
            events=await session.scalar(select(func.count()).select_from(EventRow)) or 0,
            decisions=sum(outcomes.values()),
            stayed_silent=outcomes.get("not_shown", 0) + outcomes.get("not_acted", 0),
            moments_shown=phases.get("started", 0),
            moments_ended=phases.get("ended", 0),
            actuations=await session.scalar(_DONE) or 0,
            latency_ms=await _latency(session),
            events_lost=state.marks.lost(),
            duplicates=state.inbox.counters.duplicates,
            bad=await quarantine.count(session),
        )


async def _latency(session: AsyncSession) -> Latency:
    newest = (
        select((ProofRow.at_ns - ProofRow.cause_ns) / NS_PER_MS)
        .where(ProofRow.phase == "started")
        .order_by(ProofRow.at_ns.desc())
        .limit(LATENCY_SAMPLES)
    )
    samples = sorted(float(value) for value in await session.scalars(newest))
    return Latency(percentile(samples, 0.5), percentile(samples, 0.99), len(samples))


def percentile(samples: list[float], share: float) -> float | None:
    """The nearest-rank percentile of sorted samples; None of none."""
    if not samples:
        return None
    return round(samples[min(len(samples) - 1, int(share * len(samples)))], 3)


@router.get("/status")
async def get_status(state: State) -> Response:
    """The store now, for the floor page, the doctor and the demo."""
    return Response(msgspec.json.encode(status(state)), media_type="application/json")


@router.get("/summary")
async def get_summary(state: State) -> Response:
    """The run in figures."""
    return Response(msgspec.json.encode(await summary(state)), media_type="application/json")
