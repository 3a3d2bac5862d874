"""Streams of reads, ticks and member tables, run through the engine and through the oracle side by side."""

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from broker_config.identity import siphash_2_4_128
from broker_config.member_table import MemberTable, pack_members
from edge.columns import Columns, make_columns
from edge.presence import Antenna, Layout, PresenceSettings, Tracker, Transition, ZoneSettings, ZoneSpec
from tests.hotpath.oracle import Oracle, OracleRead

KEY = bytes(range(16))
MS = 1_000_000
START_NS = 1_700_000_000_000 * MS
FOREVER_NS = 1 << 61
OWN = bytes.fromhex("3034257b")
GARMENT = OWN + b"\x77"
CARDS = (bytes.fromhex("2d14257bf52cb6916d000000"), bytes.fromhex("2d14257bf49bf13331000000"))
ITEMS = tuple(OWN + bytes([n] * 8) for n in range(3))
STRANGER = bytes.fromhex("e2801160600002")
TAGS = (*CARDS, *ITEMS, GARMENT + bytes(7), STRANGER, b"\x2e" + bytes(11), OWN + bytes(58))
MEMBERS = {card: bytes([number + 1] * 16) for number, card in enumerate(CARDS)}

LAYOUT = Layout(
    (
        Antenna("a", 1, 0, -70.0),
        Antenna("a", 2, 0, -70.0),
        Antenna("b", 1, 1, -70.0),
        Antenna("c", 1, 2, -70.0),
        Antenna("d", 1, 3, -70.0),
        Antenna("e", 1, 4, -70.0),
        Antenna("e", 2, 4, -70.0),
    ),
    (
        ZoneSpec("door", "door"),
        ZoneSpec("shelf", "shelf"),
        ZoneSpec("till", "till"),
        ZoneSpec("exit", "exit"),
        ZoneSpec("desk", "desk", ZoneSettings(confirm_reads=1, item_departs_s=12.0)),
    ),
)
SHORT = ZoneSettings(item_departs_s=20.0, exit_departs_s=5.0)
SETTINGS = PresenceSettings(
    door=SHORT,
    shelf=ZoneSettings(item_departs_s=20.0, confirm_reads=3, move_min_reads=2),
    till=ZoneSettings(item_departs_s=20.0, creates_items=False),
    exit=SHORT,
    person_forgotten_s=30.0,
    item_forgotten_days=60 / 86_400,
    garment_prefixes=(GARMENT,),
)


@dataclass(frozen=True)
class Step:
    """One thing that happens: a read, or a tick, or a table of the first `members` cards with a lease."""

    read: OracleRead | None = None
    tick_ns: int | None = None
    members: int | None = None
    leased_until_ns: int = FOREVER_NS


def to_columns(reads: Sequence[OracleRead]) -> Columns:
    columns = make_columns(len(reads))
    for row, read in enumerate(reads):
        columns.t_ns[row], columns.antenna[row], columns.crc_ok[row] = read.t_ns, read.antenna, read.crc_ok
        columns.epc_bytes[row, : len(read.epc)] = np.frombuffer(read.epc, np.uint8)
        columns.epc_len[row], columns.rssi_cdbm[row] = len(read.epc), read.rssi_cdbm
    return columns


def table_of(members: dict[bytes, bytes], leased_until_ns: int) -> MemberTable:
    return pack_members(1, leased_until_ns, [(siphash_2_4_128(KEY, card), handle) for card, handle in members.items()])


def first_members(count: int) -> dict[bytes, bytes]:
    return dict(list(MEMBERS.items())[:count])


def make_tracker(own_goods: tuple[bytes, ...] | None = (OWN,), seed: int = 1) -> Tracker:
    return Tracker(LAYOUT, SETTINGS, seed=seed, own_goods=own_goods, capacity=64)


def run_engine(
    steps: Sequence[Step], cuts: set[int], own_goods: tuple[bytes, ...] | None, seed: int
) -> tuple[list[Transition], Tracker]:
    """Reads between other steps are one batch, cut at the positions in `cuts`."""
    tracker = make_tracker(own_goods, seed)
    events = tracker.set_members(KEY, table_of(MEMBERS, FOREVER_NS))
    waiting: list[OracleRead] = []
    for number, step in enumerate(steps):
        if step.read is not None:
            waiting.append(step.read)
        if waiting and (step.read is None or number in cuts):
            events += tracker.feed(to_columns(waiting))
            waiting.clear()
        if step.tick_ns is not None:
            events += tracker.tick(step.tick_ns)
        if step.members is not None:
            events += tracker.set_members(KEY, table_of(first_members(step.members), step.leased_until_ns))
    return events + tracker.feed(to_columns(waiting)), tracker


def run_oracle(steps: Sequence[Step], own_goods: tuple[bytes, ...] | None) -> Oracle:
    oracle = Oracle(LAYOUT, SETTINGS, own_goods, MEMBERS, FOREVER_NS)
    for step in steps:
        if step.read is not None:
            oracle.read(step.read)
        if step.tick_ns is not None:
            oracle.tick(step.tick_ns)
        if step.members is not None:
            oracle.set_members(first_members(step.members), step.leased_until_ns)
    return oracle


def compare(steps: Sequence[Step], cuts: set[int], own_goods: tuple[bytes, ...] | None, seed: int) -> list[Transition]:
    """Both must say the same, event for event, and count the same; returns the events."""
    events, tracker = run_engine(steps, cuts, own_goods, seed)
    oracle = run_oracle(steps, own_goods)
    assert events == oracle.events
    counters = tracker.counters
    assert {name: getattr(counters, name) for name in oracle.counts} == oracle.counts
    assert counters.tags == len(oracle.tags)
    present = [tag for tag in oracle.tags.values() if tag.state == "present"]
    assert counters.present_people == sum(tag.kind == "person" for tag in present)
    assert counters.present_items == sum(tag.kind == "item" for tag in present)
    return events


def random_steps(rng: random.Random, count: int) -> list[Step]:
    """A busy little store: bursts at one place, leaks, silence, late and ill-timed reads."""
    now, steps = START_NS, []
    tag, antenna = rng.choice(TAGS), 0
    for _ in range(count):
        now += rng.choice((0, 0, 50, 100, 100, 100, 300, 300, 500, 500, 1000, 1500, 2000, 8000)) * MS
        if rng.random() < 0.1:
            tag = rng.choice(TAGS)
        if rng.random() < 0.15:
            antenna = rng.randrange(len(LAYOUT.antennas))
        now += 20_000 * MS * (rng.random() < 0.03)
        late = rng.choice((0, 0, 0, 0, 0, 0, 100, 1500, 10_000, 60_000)) * MS
        cdbm = rng.choice((-4000, -4500, -5000, -5500, -6000, -6500, -7000, -7001))
        kind = rng.random()
        if kind < 0.03:
            steps.append(Step(tick_ns=now))
        elif kind < 0.05:
            steps.append(Step(members=rng.randrange(3), leased_until_ns=now + rng.choice((-1, 5000, 10**9)) * MS))
        else:
            steps.append(Step(OracleRead(now - late, antenna, tag, cdbm, rng.choice((-1, -1, 1, 1, 0)))))
    return steps


def main(seeds: int, count: int) -> None:
    """For a run without the compiler: compare some random streams and print how many events agreed."""
    agreed = 0
    for seed in range(seeds):
        rng = random.Random(seed)
        steps = random_steps(rng, count)
        agreed += len(compare(steps, set(rng.sample(range(count), count // 8)), (OWN,), seed))
    sys.stdout.write(f"{agreed}\n")


if __name__ == "__main__":
    main(seeds=6, count=250)
