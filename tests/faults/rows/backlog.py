"""Row 12: the broker was away for an hour.  What waits is sent at a multiple of the live rate, and live events pass it."""

import os
import time
from pathlib import Path

from tests.faults.nursery import until
from tests.faults.report import Outcome, percentile
from tests.faults.row import Profile, Row
from tests.faults.store import store

LIVE_PER_S = 200.0
HOUR_EVENTS = 720_000
FAST_EVENTS = 10_000
TIMES_LIVE = 5.0
LIVE_P99_S = 2.0
FILL_S, DRAIN_S = 600.0, 1800.0
OUTBOX = "\n[outbox]\nquota_mb = 2048\n"
"""The hour takes some 400 MB, more than the default; what does not fit is dropped, and nothing would be measured."""


async def hour_away(profile: Profile) -> list[Outcome]:
    """So many events as an hour has are on the disk before the first connection; then 200 a second go on happening.

    A live event counts as through when the server has committed it.
    """
    backlog = profile.times(FAST_EVENTS, HOUR_EVENTS)
    outcome = Outcome(profile.seed)
    async with store(profile.folder / "store", prepare=_make_room) as shop, shop.server(tell_above=backlog) as server:
        await shop.ready(server)
        async with shop.edge(seed=profile.seed, fill=backlog, per_s=LIVE_PER_S, connects=True) as edge:
            await until(lambda: shop.truth.count("filled"), FILL_S, lives=(edge, server))
            began_s, before = time.monotonic(), [cpu_s(each.pid) for each in (edge, server)]
            await until(lambda: shop.truth.read().upto >= backlog, DRAIN_S, lives=(edge, server))
            took_s = time.monotonic() - began_s
            spent = [cpu_s(each.pid) - was for each, was in zip((edge, server), before, strict=True)]
            edge.kill()
            await edge.gone()
        async with shop.edge(seed=-1, per_s=0) as edge:
            await shop.settled(edge, server)
        shop.account(outcome)
        waits_s = _live_waits_s(shop.truth.read().promised, shop.server_truth.read().notes)
    outcome.recovery_s = took_s
    outcome.extra |= {
        "backlog_rows": backlog,
        "drained_per_s": backlog / took_s,
        "times_live_rate": backlog / took_s / LIVE_PER_S,
        "live_p50_s": percentile(waits_s, 50),
        "live_p99_s": percentile(waits_s, 99),
        "live_events": len(waits_s),
        "edge_cpu_us": spent[0] / (backlog + len(waits_s)) * 1e6,
        "server_cpu_us": spent[1] / (backlog + len(waits_s)) * 1e6,
    }
    outcome.expect(outcome.extra["times_live_rate"] >= TIMES_LIVE, "drained at less than 5 times the live rate")
    outcome.expect(outcome.extra["live_p99_s"] <= LIVE_P99_S, "live events waited longer than 2 s, p99")
    return [outcome]


def _make_room(folder: Path) -> None:
    path = folder / "edge.toml"
    path.write_text(path.read_text() + OUTBOX)


def cpu_s(pid: int) -> float:
    """The processor time that a process has had so far; a busy machine does not lengthen it as it does the hours."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _live_waits_s(
    promised: dict[tuple[str, int], tuple[int, int]], notes: list[tuple[str, list[str], int]]
) -> list[float]:
    """From an event's commit at the edge to its commit at the server, of the events after the backlog."""
    promised_ns = {seq: at_ns for (_, seq), (_, at_ns) in promised.items()}
    through = {int(seq): now_ns for word, values, now_ns in reversed(notes) if word == "through" for seq in values}
    return [(now_ns - promised_ns[seq]) / 1e9 for seq, now_ns in through.items() if seq in promised_ns]


ROWS = (Row((12,), "the broker was away for an hour", hour_away, limit_s=2400, alone=True),)
