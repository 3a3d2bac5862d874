"""Power cuts under the real server: what it acknowledged must be in its database when the power is back.

A run hands a store's events to the inbox, out of order, with repetitions and with gaps declared as dropped, and notes each
acknowledgement as it falls due, right after its commit.  Every fourth run is a server's very first start.  After each cut
the real server opens what the disk holds and is sent everything again, as by an agent that has heard nothing: all of it
must be there, once.
"""

import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import select, text

import server.db
from broker_config.errors import ConfigError
from broker_config.messages import EdgeDropped, ItemArrived
from broker_config.site import load_site
from server.config import load_config
from server.link import Incoming
from server.marks import Key
from server.runtime import opened
from server.state import ServerState
from server.tables import DecisionRow, EpochRow, EventRow, GenerationRow
from simulators.faults import Cut, Tape, disk_after, recording
from tests.faults.report import Outcome
from tests.server.harness import EVIDENCE, RIVER, XIAOYU, Clock, Edge, token
from tests.support.identities import write_seeded_store

CUTS_PER_RUN = 20
FRESH_EVERY = 4
EVENTS = 60
GOODS = "3034257bf400cb00000000{:02x}"
LOG_PAGES = 20  # so that cuts fall into the log's being written back, too


@dataclass(slots=True)
class Truth:
    """What the agent and the screens know, each thing with its place on the tape.

    Args:
        sent: the agent's messages by seq, each with the first place it was sent at.
        declared: ranges sent as dropped.
        acked: how far the server said that it holds everything.
        shown: decisions that a screen was told of.
        epochs: the server's starts.
    """

    sent: dict[int, tuple[int, Incoming]] = field(default_factory=dict)
    declared: list[tuple[int, int, Incoming]] = field(default_factory=list)
    acked: list[tuple[int, int]] = field(default_factory=list)
    shown: list[tuple[int, str]] = field(default_factory=list)
    epochs: list[tuple[int, int]] = field(default_factory=list)

    @property
    def dropped(self) -> set[int]:
        """Seqs that will never be sent."""
        return {seq for first, last, _ in self.declared for seq in range(first, last + 1)}


@dataclass(slots=True)
class Life:
    """One process's time with the database, on tape.

    Args:
        folder: the store's files; the database is in its folder `server`.
    """

    folder: Path
    tape: Tape
    truth: Truth
    rng: random.Random
    clock: Clock = field(default_factory=Clock)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[ServerState]:
        """The server, with each acknowledgement noted in the instant it falls due."""
        config = load_config(self.folder / "server.toml")
        async with opened(config, load_site(self.folder / "site.toml"), self.clock) as state:
            self.truth.epochs.append((self.tape.position, state.commands._epoch))
            committed = state.marks.committed

            def noted(keys: Iterable[Key]) -> None:
                keys = list(keys)
                committed(keys)
                self.truth.acked += [(self.tape.position, state.marks._acks[key].upto) for key in keys]

            state.marks.committed = noted
            yield state

    async def live(self, state: ServerState) -> None:
        """Events of members and goods, nearly in order, some twice, some never."""
        edge = Edge(state, self.clock)
        messages = [await self._event(edge, seq) for seq in range(1, EVENTS + 1)]
        lost = self.rng.randrange(1, EVENTS - 5)
        lost_upto = lost + self.rng.randint(0, 3)
        waiting = [seq for seq in range(1, EVENTS + 1) if not lost <= seq <= lost_upto]
        waiting += self.rng.sample(waiting, EVENTS * 3 // 10)  # sent again
        waiting.sort(key=lambda seq: seq + self.rng.randrange(12))
        drop = edge.said(
            EdgeDropped(generation=edge.generation, first=lost, last=lost_upto, event_class="C"), agent="gw-1"
        )
        while waiting:
            batch = [waiting.pop(0) for _ in range(min(len(waiting), self.rng.randint(1, 8)))]
            for seq in batch:
                self.truth.sent.setdefault(seq, (self.tape.position, messages[seq - 1]))
            incoming = [messages[seq - 1] for seq in batch]
            if max(batch) > lost_upto and not self.truth.declared:
                self.truth.declared.append((lost, lost_upto, drop))
                self.truth.sent |= dict.fromkeys(range(lost, lost_upto + 1), (self.tape.position, drop))
                incoming.append(drop)
            self.clock.pass_s(self.rng.choice((0.1, 3.0, 40.0)))
            await edge.deliver(*incoming)
            self.truth.shown += [(self.tape.position, moment.decision) for moment in edge.moments()]

    async def _event(self, edge: Edge, seq: int) -> Incoming:
        card = self.rng.choice((RIVER, XIAOYU))
        handle, visit = await edge.handle_of(card), token(1 + (card == RIVER))
        kind = self.rng.random()
        if handle is not None and kind < 0.3:
            return edge.entered(self.rng.choice(("door", "shoes")), handle, visit)
        if handle is not None and kind < 0.5:
            return edge.left(self.rng.choice(("door", "shoes")), visit)
        at = datetime.fromtimestamp(self.clock.now_ns / 1e9, UTC)
        epc = GOODS.format(self.rng.randrange(20))
        data = ItemArrived(zone="shoes", epc=epc, detected_at=at, last_read_at=at, evidence=EVIDENCE)
        return edge.event(data, zone="shoes")


async def cut_server(seeds: Sequence[int], synchronous: str = "FULL") -> list[Outcome]:
    """One power cut per seed; seeds of one run in a row share its recording."""
    outcomes: list[Outcome] = []
    recorded: tuple[int, Tape, Truth] | None = None
    pragmas = tuple(each.replace("synchronous=FULL", f"synchronous={synchronous}") for each in server.db.PRAGMAS)
    with (
        tempfile.TemporaryDirectory() as name,
        patch.object(server.db, "PRAGMAS", (*pragmas, f"wal_autocheckpoint={LOG_PAGES}")),
    ):
        store = Path(name) / "store"
        store.mkdir()
        await _begin_store(store)
        for seed in seeds:
            run = seed // CUTS_PER_RUN
            if recorded is None or recorded[0] != run:
                recorded = (run, *await _record(store, run))
            outcomes.append(await _cut(store, seed, recorded[1], recorded[2]))
    return outcomes


async def _begin_store(store: Path) -> None:
    """A store whose server has been started once and knows its members."""
    write_seeded_store(store)
    await _import_members(Life(store, Tape(), Truth(), random.Random(0)))


async def _import_members(life: Life) -> None:
    async with life.open() as state:
        await state.members.import_csv((life.folder / "members.csv").read_text())


async def _record(store: Path, run: int) -> tuple[Tape, Truth]:
    """A life without a fault, on tape."""
    truth = Truth()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "store"
        shutil.copytree(store, folder)
        fresh = run % FRESH_EVERY == FRESH_EVERY - 1
        if fresh:
            load_config(folder / "server.toml").database.unlink()
        with recording(folder / "server") as tape:
            life = Life(folder, tape, truth, random.Random(f"server run {run}"))
            if fresh:
                await _import_members(life)
            async with life.open() as state:
                await life.live(state)
    return tape, truth


async def _cut(store: Path, seed: int, tape: Tape, whole: Truth) -> Outcome:
    """Cut a recorded life and look at what the next one finds."""
    rng, outcome = random.Random(f"server cut {seed}"), Outcome(seed)
    cut = Cut.somewhere(tape, rng)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "store"
        shutil.copytree(store, folder)
        for old in (folder / "server").iterdir():
            old.unlink()
        for file, content in disk_after(tape, cut, rng).items():
            (folder / "server" / file).write_bytes(content)
            (folder / "server" / file).chmod(0o600)
        life = Life(folder, Tape(), replace(whole, acked=[], epochs=[]), rng)
        began = time.perf_counter()
        try:
            async with life.open() as state:
                outcome.recovery_s = time.perf_counter() - began
                await _look(life, state, whole, cut, outcome)
        except ConfigError as error:
            outcome.broken.append(f"does not start: {error}".replace(str(folder), ""))
    return outcome


async def _look(life: Life, state: ServerState, whole: Truth, cut: Cut, outcome: Outcome) -> None:
    """Hold the database to what is known, then send everything again."""
    sent = {seq for seq, (place, _) in whole.sent.items() if place <= cut.position}
    acked = max([0, *(upto for place, upto in whole.acked if place <= cut.position)])
    stored, dropped = await _stored(state), whole.dropped & sent
    outcome.generated = len(sent)
    outcome.stored_once = len(sent & stored)
    outcome.dropped = len(dropped - stored)
    outcome.in_outbox = sum(seq > acked for seq in sent - stored - dropped)
    await _check(life, state, whole, cut, outcome)
    edge = Edge(state, life.clock)
    for seq in sorted(whole.sent):
        await edge.deliver(whole.sent[seq][1])
    rows = await _stored(state)
    if rows != whole.sent.keys() - whole.dropped:
        outcome.broken.append("not whole though all was sent again")
    if life.truth.acked[-1][1] != EVENTS:
        outcome.broken.append("not acknowledged though all was sent again")
    outcome.duplicates = await _decided_twice(state)


async def _check(life: Life, state: ServerState, whole: Truth, cut: Cut, outcome: Outcome) -> None:
    """The laws of the database itself."""
    async with state.db.session() as session:
        if (await session.execute(text("PRAGMA integrity_check"))).scalar_one() != "ok":
            outcome.broken.append("an unsound database")
        if (await session.execute(text("PRAGMA foreign_key_check"))).first() is not None:
            outcome.broken.append("a row without its parent")
        known = set(await session.scalars(select(DecisionRow.id)))
        epoch = (await session.scalars(select(EpochRow.epoch))).one()
        mark = (await session.scalars(select(GenerationRow))).one_or_none()
    stored = await _stored(state)
    if (mark.stored if mark is not None else 0) != len(stored):
        outcome.broken.append("mark and events apart")
    if {decision for place, decision in whole.shown if place <= cut.position} - known:
        outcome.broken.append("a screen shows what nobody decided")
    if epoch <= max([0, *(each for place, each in whole.epochs if place <= cut.position)]):
        outcome.broken.append("a start count used again")


async def _stored(state: ServerState) -> set[int]:
    async with state.db.session() as session:
        return set(await session.scalars(select(EventRow.seq)))


async def _decided_twice(state: ServerState) -> int:
    """Decisions of one rule on one event beyond the first."""
    async with state.db.session() as session:
        rows = await session.execute(
            text("SELECT count(*), count(DISTINCT rule || json_extract(body, '$.event')) FROM decision")
        )
        decisions, distinct = rows.one()
    return int(decisions) - int(distinct)
