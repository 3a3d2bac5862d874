"""Damage to an outbox at rest: flipped bytes, files cut short, emptied or overwritten; then the agent starts."""

import json
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from broker_config.messages import EdgeAck
from edge.outbox import Outbox
from edge.outbox_rows import CLASSES, EventId, PendingEvent
from tests.faults.report import Outcome
from tests.support.edge import ManualClock

FILE = "outbox.sqlite"
QUOTA_BYTES = 16 << 20
EVENTS = 120
MAX_BYTES = 3000
MAX_FLIPS = 64


@dataclass(slots=True)
class Truth:
    """What was committed, by generation and number, and up to where the server has it."""

    handed: dict[tuple[str, int], bytes] = field(default_factory=dict)
    acked: int = 0


async def damage_outbox(seed: int, folder: Path) -> Outcome:
    """One trial: an outbox that was stopped or killed, damage of one of its two files, a start."""
    rng, outcome = random.Random(f"damage {seed}"), Outcome(seed, injected=1)
    truth = await _write(folder, rng, killed=rng.random() < 0.6)
    _damage(folder, rng)
    began = time.perf_counter()
    outbox = Outbox(folder / FILE, "gw-1", quota_bytes=QUOTA_BYTES, clock_ns=ManualClock())
    await outbox.__aenter__()
    outcome.recovery_s = time.perf_counter() - began
    try:
        await _look(outbox, truth, outcome)
    finally:
        await outbox.__aexit__(None, None, None)
    return outcome


async def _write(folder: Path, rng: random.Random, *, killed: bool) -> Truth:
    truth = Truth()
    outbox = Outbox(folder / FILE, "gw-1", quota_bytes=QUOTA_BYTES, clock_ns=ManualClock())
    await outbox.__aenter__()
    outbox._store._db.execute(f"PRAGMA wal_autocheckpoint = {rng.choice((5, 40, 1000))}")
    while outbox.last_seq < EVENTS:
        outbox.append([_event(rng, truth) for _ in range(rng.randint(1, 8))], {"last": str(outbox.last_seq).encode()})
        await outbox.flush()
        if rng.random() < 0.2:
            truth.acked = rng.randint(truth.acked, outbox.last_seq)
            await outbox.acknowledge(EdgeAck(generation=outbox.generation, upto=truth.acked))
    if killed:  # what a killed process leaves: its files as they are
        left = folder / "left"
        left.mkdir()
        for each in folder.glob(FILE + "*"):
            shutil.copyfile(each, left / each.name)
    await outbox.__aexit__(None, None, None)
    if killed:
        for each in folder.glob(FILE + "*"):
            each.unlink()
        for each in left.iterdir():
            each.rename(folder / each.name)
        left.rmdir()
    return truth


def _event(rng: random.Random, truth: Truth) -> PendingEvent:
    text = "x" * rng.randrange(MAX_BYTES)

    def payload(event_id: EventId) -> bytes:
        said = {"generation": event_id.generation, "seq": str(event_id.seq), "text": text}
        truth.handed[event_id.generation, event_id.seq] = data = json.dumps(said).encode()
        return data

    return PendingEvent("t", rng.choice(CLASSES), payload)


def _damage(folder: Path, rng: random.Random) -> None:
    log = folder / f"{FILE}-wal"
    files = [each for each in (folder / FILE, log) if each.exists() and each.stat().st_size]
    path = rng.choice(files)
    data = bytearray(path.read_bytes())
    how: Callable[[bytearray, random.Random], None] = rng.choice((_flip, _flip, _flip, _cut, _empty, _blank))
    how(data, rng)
    path.write_bytes(data)


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, MAX_FLIPS)):
        data[rng.randrange(len(data))] ^= rng.randrange(1, 256)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _empty(data: bytearray, rng: random.Random) -> None:
    del data[:]


def _blank(data: bytearray, rng: random.Random) -> None:
    data[:] = bytes(len(data))


async def _look(outbox: Outbox, truth: Truth, outcome: Outcome) -> None:
    """Every event that was committed is there, is with the server, or is declared; and none is another than it was."""
    found: dict[tuple[str, int], bytes] = {}
    texts = [row.payload for row in await outbox.rows_after(0, 10_000)]
    texts += [payload for _, _, payload in await outbox.salvaged_after(0, 10_000)]
    for data in texts:
        said = json.loads(data)
        key = said["generation"], int(said["seq"])
        outcome.duplicates += key in found
        found[key] = data
        outcome.expect(data == truth.handed.get(key), "an event was altered")
    gone = {(each.generation, n) for each in await outbox.salvaged_lost() for n in range(each.first, each.last + 1)}
    for drop in await outbox.drops():
        gone |= {(p.generation, n) for p in outbox.places(drop.first, drop.last) for n in range(p.first, p.last + 1)}
    acked = {key for key in truth.handed if key[1] <= truth.acked}
    outcome.expect(not gone & found.keys(), "declared as lost, yet there")
    outcome.generated = len(truth.handed)
    outcome.stored_once = len(acked)
    outcome.in_outbox = len(found.keys() - acked)
    outcome.dropped = len(truth.handed.keys() & gone - acked)
    await outbox._look()
    outcome.expect(outcome.dropped == 0 or outbox.alarm is not None, "events were lost in silence")
    outcome.extra["alarmed"] = int(outbox.alarm is not None)
