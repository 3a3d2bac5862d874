"""Row 26: strays by the million.  `tacet bench flood` measures memory and recall; here too what of them reaches the disk."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE

import numpy as np

from edge.bench_engine import make_member, make_tracker, split
from edge.bench_flood import BATCH, MEMBERS, make_chunks
from edge.bench_workload import ZONES, make_cards
from edge.clock import Clock
from edge.outbox import EventId, Outbox, PendingEvent
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.support.seeds import find_seeds

MOST_GROWTH_MIB = 64.0
SAMPLE = 300
MB = 1 << 20


async def flood(profile: Profile) -> list[Outcome]:
    """The benchmark in a process of its own, whose memory is then its own, too."""
    strays = profile.times(500_000, 10_000_000)
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
    """Through the real engine into a real outbox and a snapshot: how many strays and cards are found in any file."""
    strays, rng = profile.times(100_000, 1_000_000), np.random.default_rng(profile.seed)
    tracker, cards = make_tracker(ZONES, own_goods=[b"\xe2"]), make_cards(MEMBERS)
    make_member(cards, tracker)
    seeds = {f"card {number}": card.tobytes() for number, card in enumerate(cards[:SAMPLE])}
    events = 0
    async with Outbox(profile.folder / "outbox.sqlite", "gw-1", quota_bytes=64 * MB, clock_ns=Clock()) as outbox:
        for columns in make_chunks(strays, cards):
            for row in rng.integers(0, len(columns), SAMPLE // 10):
                seeds[f"tag {len(seeds)}"] = columns.epc_bytes[row, : columns.epc_len[row]].tobytes()
            for part in split(columns, BATCH):
                told = [_event(each.zone, each.person) for each in tracker.feed(part)]
                events += len(told)
                outbox.append(told)
            (profile.folder / "presence.snap").write_bytes(tracker.snapshot().to_bytes())
            await outbox.flush()
    outcome.expect(events >= MEMBERS, "hardly any event: the run proves little")
    hits = find_seeds([profile.folder], seeds)
    outcome.expect(not hits, f"{len(hits)} ids on the disk, the first: {hits[:1]}")
    return len(hits)


def _event(zone: int, person: bool) -> PendingEvent:
    """A zone and a kind, as a message has them of one who is no member's name; the wire format has its own tests."""

    def payload(event_id: EventId) -> bytes:
        return f"{event_id} {zone} {person}".encode()

    return PendingEvent("t", "A", payload)


ROWS = (Row((26,), "millions of stray tags", flood),)
