"""Row 26: strays by the million.  `tacet bench flood` measures memory and recall; here too what of them reaches the disk."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence

import numpy as np

from broker_config.site import ZoneId
from edge.bench_engine import make_member, make_tracker, split
from edge.bench_flood import BATCH, MEMBERS, make_chunks
from edge.bench_workload import ZONES, make_cards
from edge.clock import Clock
from edge.events import Announcer
from edge.health import Tally
from edge.kernels import cache_folder, prepare_kernels
from edge.outbox import Outbox
from edge.pipeline import Pipeline
from edge.presence import Tracker
from edge.presence_model import Antenna, Layout, ZoneSpec
from edge.visits import Visits
from readers.magicrf_m100.scan import ONLY_ANTENNA
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.support.seeds import find_seeds

MOST_GROWTH_MIB = 64.0
SAMPLE = 40
MB = 1 << 20


async def flood(profile: Profile) -> list[Outcome]:
    """The benchmark in a process of its own, whose memory is then its own, too."""
    strays = profile.times(200_000, 10_000_000)
    command = (sys.executable, "-m", "tacet", "bench", "flood", "--stray-count", str(strays), "--json")
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE)
    said, _ = await process.communicate()
    result = json.loads(said.splitlines()[-1])
    outcome = Outcome(profile.seed, injected=strays)
    grew = result["resident_after_mib"] - result["resident_before_mib"]
    outcome.extra |= {
        "grew_mib": float(grew),
        "member_recall_percent": float(result["member_recall_percent"]),
        "ns_per_read": float(result["ns_per_read"]),
    }
    outcome.expect(grew <= MOST_GROWTH_MIB, f"{grew} MiB more after the flood")
    outcome.expect(result["member_recall_percent"] == 100, "a member was missed")
    outcome.extra["ids_on_disk"] = await _on_disk(profile, outcome)
    return [outcome]


async def _on_disk(profile: Profile, outcome: Outcome) -> int:
    """Through the real engine and pipeline into a real outbox and a snapshot: how many strays and cards are in any file."""
    prepare_kernels(cache_folder(), lambda *_: None)
    strays, rng = profile.times(50_000, 1_000_000), np.random.default_rng(profile.seed)
    tracker, cards = make_tracker(ZONES, own_goods=[b"\xe2"]), make_cards(MEMBERS)
    make_member(cards, tracker)
    seeds = {f"card {number}": card.tobytes() for number, card in enumerate(cards[:SAMPLE])}
    async with Outbox(profile.folder / "outbox.sqlite", "gw-1", quota_bytes=64 * MB, clock_ns=Clock()) as outbox:
        pipeline = pipeline_into(tracker, outbox)
        for columns in make_chunks(strays, cards):
            for row in rng.integers(0, len(columns), SAMPLE // 10):
                seeds[f"tag {len(seeds)}"] = columns.epc_bytes[row, : columns.epc_len[row]].tobytes()
            for part in split(columns, BATCH):
                pipeline._report(tracker.feed(part))
            (profile.folder / "presence.snap").write_bytes(tracker.snapshot().to_bytes())
            await outbox.flush()
        outcome.expect(outbox.last_seq >= MEMBERS, "hardly any event: the run proves little")
    hits = find_seeds([profile.folder], seeds)
    outcome.expect(not hits, f"{len(hits)} ids on the disk, the first: {hits[:1]}")
    return len(hits)


def pipeline_into(tracker: Tracker, outbox: Outbox, readers: Sequence[str] = ("bench",)) -> Pipeline:
    """What stands between engine and outbox in an agent, and between the readers, of one antenna each, and the engine."""
    clock, zones = Clock(), tuple(ZoneId(f"z-{number}") for number in range(ZONES))
    return Pipeline(
        tracker,
        Layout(
            tuple(Antenna(reader, ONLY_ANTENNA, zone) for zone, reader in enumerate(readers)),
            tuple(ZoneSpec(f"z-{zone}", "floor", None) for zone, _ in enumerate(readers)),
        ),
        Visits(600.0),
        Announcer("bench", "gw-1", zones, bytes(32), clock, simulated=True),
        outbox.append,
        bytes(16),
        Tally(),
        clock,
        cover=lambda *_: None,
        forget=lambda: None,
    )


ROWS = (Row((26,), "millions of stray tags", flood, takes_s=(20, 150)),)
