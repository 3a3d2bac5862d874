"""Power cuts under the real outbox: what its commits reported must be there when the power is back.

A run is a life of an outbox with everything that writes: bursts, acknowledgements, purges, drops for want of space,
clean restarts.  It is recorded once and then cut in many places.  After each cut the real outbox opens what the disk
holds, goes on, and is cut again while it does; then it is looked at for good.
"""

import random
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from broker_config.messages import EdgeAck
from edge.outbox import Outbox
from edge.outbox_rows import CLASSES, DropRange, EventClass, EventId, PendingEvent, Row
from simulators.faults import Cut, Tape, disk_after, recording
from tests.faults.report import Outcome
from tests.support.edge import ManualClock

CUTS_PER_RUN = 20
STEPS = 30
QUOTA_BYTES = 64 * 4096  # the least there is, so that it overflows
WAL_PAGES = 20  # so that cuts fall into the log's being written back, too
FILE = "outbox.sqlite"
FILES = {FILE + end for end in ("", "-wal", "-shm", "-journal", ".mark")}  # any other is a damaged one, set aside


@dataclass(slots=True)
class Truth:
    """What the generator and the pretended server know, each thing with its place on the tape.

    Args:
        handed: every payload ever handed over, by seq, in this file's life.
        promised: seqs whose commit was reported.
        received: rows the server has stored.
        declared: drops the server was told of.
        acked: how far the server said that it holds everything.
    """

    file_id: str = ""
    handed: dict[int, bytes] = field(default_factory=dict)
    promised: list[tuple[int, int]] = field(default_factory=list)
    received: list[tuple[int, Row]] = field(default_factory=list)
    declared: list[tuple[int, DropRange]] = field(default_factory=list)
    acked: list[tuple[int, int]] = field(default_factory=list)

    def at(self, position: int) -> "Truth":
        """As it was at a cut, with all of it now in the past."""
        return Truth(
            self.file_id,
            dict(self.handed),
            [(0, seq) for place, seq in self.promised if place <= position],
            [(0, row) for place, row in self.received if place <= position],
            [(0, drop) for place, drop in self.declared if place <= position],
            [(0, upto) for place, upto in self.acked if place <= position],
        )

    @property
    def stored(self) -> dict[int, bytes]:
        """The server's rows."""
        return {row.seq: row.payload for _, row in self.received}

    @property
    def dropped(self) -> set[int]:
        """Seqs that the server was told will not come."""
        return _seqs(drop for _, drop in self.declared)


@dataclass(slots=True)
class Life:
    """One process's time with the outbox file, on tape.

    Args:
        synchronous: `FULL` as the outbox sets it, or `NORMAL` for the control.
    """

    folder: Path
    tape: Tape
    truth: Truth
    rng: random.Random
    synchronous: str
    clock: ManualClock = field(default_factory=ManualClock)
    base: int = 0

    async def open(self) -> Outbox:
        """The outbox, with each report of a commit noted in the instant it is made."""
        outbox = Outbox(self.folder / FILE, "gw-1", quota_bytes=QUOTA_BYTES, clock_ns=self.clock)
        await outbox.__aenter__()
        self.truth.file_id, self.base = outbox.file_id, outbox.last_seq
        store, commit = outbox._store, outbox._store.commit
        store._db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        if self.synchronous != "FULL":
            store._db.execute(f"PRAGMA synchronous = {self.synchronous}")

        def noted(rows: list[Row], state: dict[str, bytes], drops: list[DropRange]) -> list[Row]:
            seqs = [row.seq for row in rows]
            kept = commit(rows, state, drops)
            self.truth.promised += [(self.tape.position, seq) for seq in seqs]
            return kept

        def offered(rows: Sequence[Row]) -> None:
            self.truth.promised += [(self.tape.position, row.seq) for row in rows]

        store.commit = noted
        outbox.on_commit = offered
        return outbox

    async def burst(self, outbox: Outbox) -> None:
        """Some events in some calls: the first commits alone, the others share theirs."""
        for _ in range(self.rng.randint(1, 4)):
            count, size = self.rng.randint(1, 4), self.rng.choice((0, 40, 900, 6000))
            first = outbox.last_seq + 1
            state = {"last": str(first + count - 1).encode()}
            outbox.append([self._event(size) for _ in range(count)], state)
        await outbox.flush()

    async def deliver(self, outbox: Outbox) -> None:
        """The server takes what is there, and says so; now and then its word is lost."""
        rows = await outbox.rows_after(outbox.acked_upto, self.rng.randint(1, 40))
        drops = await outbox.drops()
        self.truth.received += [(self.tape.position, row) for row in rows]
        self.truth.declared += [(self.tape.position, drop) for drop in drops]
        held, upto = self.truth.stored.keys() | self.truth.dropped, outbox.acked_upto
        while upto + 1 in held:
            upto += 1
        if self.rng.random() < 0.8:
            self.truth.acked.append((self.tape.position, upto))
            for place in outbox.places(1, upto):
                await outbox.acknowledge(EdgeAck(generation=place.generation, upto=place.last))

    async def live(self, steps: int) -> None:
        """Anything that writes, in any order."""
        outbox = await self.open()
        for _ in range(steps):
            self.clock.forward_s(self.rng.choice((1, 90, 30 * 3600)))
            match self.rng.choices(("burst", "deliver", "purge", "restart"), (60, 25, 10, 5))[0]:
                case "burst":
                    await self.burst(outbox)
                case "deliver":
                    await self.deliver(outbox)
                case "purge":
                    await outbox._call(lambda: outbox._store.purge(self.clock()))  # noqa: B023 - awaited here
                case _:
                    await outbox.__aexit__(None, None, None)
                    outbox = await self.open()
        await outbox.__aexit__(None, None, None)

    def _event(self, size: int) -> PendingEvent:
        event_class: EventClass = self.rng.choice(CLASSES)

        def payload(event_id: EventId) -> bytes:
            data = str(event_id).encode() + self.rng.randbytes(size)
            self.truth.handed[self.base + event_id.seq] = data
            return data

        return PendingEvent("t", event_class, payload)


async def cut_edge(seeds: Sequence[int], synchronous: str = "FULL") -> list[Outcome]:
    """One power cut per seed; seeds of one run in a row share its recording."""
    outcomes: list[Outcome] = []
    recorded: tuple[int, Tape, Truth] | None = None
    for seed in seeds:
        run = seed // CUTS_PER_RUN
        if recorded is None or recorded[0] != run:
            recorded = (run, *await record_edge(run, synchronous))
        outcomes.append(await _cut(seed, recorded[1], recorded[2], synchronous))
    return outcomes


async def record_edge(run: int, synchronous: str) -> tuple[Tape, Truth]:
    """A life without a fault, on tape."""
    truth = Truth()
    with tempfile.TemporaryDirectory() as name, recording(Path(name)) as tape:
        await Life(Path(name), tape, truth, random.Random(f"edge run {run}"), synchronous).live(STEPS)
    return tape, truth


async def _cut(seed: int, tape: Tape, truth: Truth, synchronous: str) -> Outcome:
    """Cut a recorded life, let a second begin on what is left, cut that as well, and look."""
    rng, outcome = random.Random(f"edge cut {seed}"), Outcome(seed)
    for last in (False, True):
        cut = Cut.somewhere(tape, rng)
        truth = truth.at(cut.position)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file, content in disk_after(tape, cut, rng).items():
                (folder / file).write_bytes(content)
            with recording(folder) as tape:
                life = Life(folder, tape, truth, rng, synchronous)
                if last:
                    await _look(life, outcome)
                else:
                    await life.live(2)
    return outcome


async def _look(life: Life, outcome: Outcome) -> None:
    """Hold what the outbox has to what is known; then send all of it, and some more."""
    truth, said = life.truth, max([0, *(upto for _, upto in life.truth.acked)])
    promised, file_id = {seq for _, seq in truth.promised}, truth.file_id
    began = time.perf_counter()
    outbox = await life.open()
    outcome.recovery_s = time.perf_counter() - began
    rows = {row.seq: row.payload for row in await outbox.rows_after(0, 1_000_000)}
    drops = _seqs(await outbox.drops()) | truth.dropped
    _check(life, outbox, rows, drops, outcome)
    if promised and outbox.file_id != file_id:
        outcome.broken.append("another file")
    if outbox.acked_upto > said:
        outcome.broken.append("an acknowledgement that was never given")
    if (await outbox.state("last") or b"0") != str(outbox._store.last_seq).encode():
        outcome.broken.append("state and event apart")
    stored = truth.stored
    outcome.generated = len(promised)
    outcome.stored_once = len(promised & stored.keys())
    outcome.dropped = len(promised & drops - stored.keys())
    outcome.in_outbox = sum(seq in rows and rows[seq] == truth.handed[seq] for seq in promised - drops - stored.keys())
    await life.burst(outbox)
    fresh = {row.seq: row.payload for row in await outbox.rows_after(0, 1_000_000) if row.seq not in rows}
    if fresh.keys() & (promised | stored.keys()):
        outcome.broken.append("a seq used again")
    sent = {seq: payload for seq, payload in (rows | fresh).items() if seq not in stored}
    texts = [*stored.values(), *sent.values()]
    outcome.duplicates = len(texts) - len(set(texts))
    await outbox.__aexit__(None, None, None)


def _check(life: Life, outbox: Outbox, rows: dict[int, bytes], drops: set[int], outcome: Outcome) -> None:
    """The laws of the file itself."""
    if {path.name for path in life.folder.iterdir()} - FILES:
        outcome.broken.append("a damaged database")
    if outbox._store._db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
        outcome.broken.append("an unsound database")
    if drops & rows.keys():
        outcome.broken.append("declared dropped, yet there")
    if set(range(outbox.acked_upto + 1, outbox._store.last_seq + 1)) - rows.keys() - drops:
        outcome.broken.append("a hole")


def _seqs(drops: Iterable[DropRange]) -> set[int]:
    return {seq for drop in drops for seq in range(drop.first, drop.last + 1)}
