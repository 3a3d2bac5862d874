"""An outbox of many events to be damaged, and an account of what is left of it."""

from pathlib import Path

from edge.outbox_rows import EventClass, Row
from edge.outbox_store import OutboxStore

MB = 1 << 20
EVENTS = 300
CLASSES: tuple[EventClass, ...] = ("A", "B", "C")


def payload_of(generation: str, seq: int) -> bytes:
    return f'{{"generation":"{generation}","seq":"{seq}","text":"{"x" * (seq * 37 % 6000)}"}}'.encode()


def write_outbox(path: Path, *, leave_log: bool = False) -> str:
    """An outbox of many events and a fence; its generation.  `leave_log`: as after a crash."""
    store = OutboxStore(path, 64 * MB)
    generation = store.generation
    for first in range(1, EVENTS + 1, 20):
        seqs = range(first, first + 20)
        store.commit([Row(s, CLASSES[s % 3], f"t/{s}", payload_of(generation, s)) for s in seqs], {"fence": b"7"})
    if leave_log:
        for name in (path.name, path.name + "-wal"):
            (path.parent / f"copy-{name}").write_bytes((path.parent / name).read_bytes())
    store.close()
    if leave_log:
        for name in (path.name, path.name + "-wal"):
            (path.parent / f"copy-{name}").rename(path.parent / name)
    return generation


def saved_seqs(store: OutboxStore, generation: str) -> set[int]:
    """Which events are still there, each exactly as it was written."""
    rows = store.salvaged_after(0, 10_000) or [(r.seq, r.topic, r.payload) for r in store.rows_after(0, 10_000)]
    seqs = set()
    for _, topic, payload in rows:
        seq = int(topic[2:])
        assert payload == payload_of(generation, seq), "an event was made up"
        assert seq not in seqs
        seqs.add(seq)
    return seqs


def assert_all_accounted_for(store: OutboxStore, generation: str) -> int:
    saved = saved_seqs(store, generation)
    if store.generation == generation:
        lost = {seq for drop in store.drops() for seq in range(drop.first, drop.last + 1)}
    else:
        lost = {s for r in store.salvaged_lost() if r.generation == generation for s in range(r.first, r.last + 1)}
    assert not saved & lost
    assert (saved | lost) >= set(range(1, max(saved | lost, default=0) + 1))
    return len(saved)
