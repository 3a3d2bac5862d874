"""The outbox: what happened at this gateway, kept until the server says it has it.

`append` hands events over and returns their seqs at once; one thread commits whatever is waiting in one transaction, at
once when idle, so that a burst shares its commits.  An event is offered to the uplink only after its commit: what the
server has seen can never be taken back by a power cut.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from broker_config.errors import ConfigError
from broker_config.heartbeats import Heartbeats
from broker_config.messages import EdgeAck
from edge.outbox_rows import DropRange, EventClass, Row, as_ranges, join_ranges
from edge.outbox_salvage import LostRange
from edge.outbox_store import OutboxStore
from edge.runs import Place, Word
from readers.model import ClockNs

log = logging.getLogger(__name__)
T = TypeVar("T")
PURGE_EVERY_S = 600.0
STUCK_S = 60.0  # a busy SD card may take half a minute over one commit, and a new start would not make it faster


@dataclass(frozen=True, slots=True)
class EventId:
    """Which event of which run: `gateway.generation.seq` as text; this seq counts from the run's start."""

    gateway: str
    generation: str
    seq: int

    def __str__(self) -> str:
        return f"{self.gateway}.{self.generation}.{self.seq}"


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An event that has no seq yet.

    Args:
        payload: builds the message once the id is known (the id is sealed into some).
    """

    topic: str
    event_class: EventClass
    payload: Callable[[EventId], bytes]


class Outbox:
    """One agent's durable events.  Use as `async with Outbox(...) as outbox`.

    Args:
        gateway: the agent's id.
        on_commit: called on the loop with rows just committed, in order; the uplink sets it.
        heartbeats: where its commits show that they go on.
    """

    def __init__(
        self,
        path: Path,
        gateway: str,
        *,
        quota_bytes: int,
        clock_ns: ClockNs,
        heartbeats: Heartbeats | None = None,
    ) -> None:
        self._heartbeat = (heartbeats or Heartbeats()).add("outbox", STUCK_S)
        self.on_commit: Callable[[Sequence[Row]], None] | None = None
        self._path, self._gateway, self._quota_bytes, self._clock_ns = path, gateway, quota_bytes, clock_ns
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._rows: list[Row] = []
        self._state: dict[str, bytes] = {}
        self._lost: list[DropRange] = []  # seqs whose commit failed; declared with the next that succeeds
        self._unsaved: dict[str, bytes] = {}  # the state of those
        self._started = self._finished = 0  # commits; one runs while they differ
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    async def __aenter__(self) -> Self:
        """Open or make the file.

        Raises:
            ConfigError: it cannot be opened, or another agent has it.
        """
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[None] = self._loop.create_future()
        try:
            self._store = await self._call(lambda: OutboxStore(self._path, self._quota_bytes))
        except (sqlite3.OperationalError, OSError) as error:
            self._thread.shutdown()
            raise ConfigError(f"{self._path}: {error}; is another agent running on the same data folder?") from error
        self.file_id = self._store.generation
        self.starts, self._runs = await self._call(self._store.begin_run)
        self._next_seq = max(self._store.last_seq, self._store.acked_upto) + 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Commit what waits, then close."""
        await self.flush()
        await self._call(self._store.close)
        self._thread.shutdown()

    @property
    def generation(self) -> str:
        """What happens from now on is numbered in it."""
        return self._runs.current.generation

    @property
    def generations(self) -> tuple[str, ...]:
        """Those of which there may still be events, the newest last."""
        return self._runs.generations

    @property
    def last_seq(self) -> int:
        """The seq handed out last."""
        return self._next_seq - 1

    @property
    def acked_upto(self) -> int:
        """The server holds everything up to here."""
        return self._store.acked_upto

    @property
    def waiting(self) -> int:
        """Events the server has not acknowledged."""
        return self.last_seq - self._store.acked_upto

    @property
    def dropped_events(self) -> int:
        """Events given up for want of space, since the file was made."""
        return self._store.dropped_events

    def append(self, events: Sequence[PendingEvent], state: Mapping[str, bytes] | None = None) -> list[int]:
        """Give events their seqs and hand them, with the state they change, to one transaction; returns before its commit."""
        seqs = list(range(self._next_seq, self._next_seq + len(events)))
        self._next_seq += len(events)
        run = self._runs.current
        for seq, event in zip(seqs, events, strict=True):
            payload = event.payload(EventId(self._gateway, run.generation, seq - run.base))
            self._rows.append(Row(seq, event.event_class, event.topic, payload))
        self._state.update(state or {})
        if self._started == self._finished:
            self._start_commit()
        return seqs

    async def flush(self) -> None:
        """Wait until everything handed over so far is on the disk."""
        wanted = self._started + bool(self._rows or self._state)
        if self._finished < wanted:
            done: asyncio.Future[None] = self._loop.create_future()
            self._waiters.append((wanted, done))
            await done

    async def rows_after(self, seq: int, limit: int) -> list[Row]:
        """Committed rows above `seq`."""
        return await self._call(lambda: self._store.rows_after(seq, limit))

    async def drops(self) -> list[DropRange]:
        """Declared drops that the server has not acknowledged."""
        return await self._call(self._store.drops)

    @property
    def alarm(self) -> str | None:
        """That a damaged file was set aside, for as long as it lies there."""
        if not self._store.quarantined:
            return None
        aside = self._store.quarantined[-1]
        return (
            f"a damaged outbox was set aside as {aside.name}; check the disk, then remove that file from {aside.parent}"
        )

    async def salvaged_after(self, number: int, limit: int) -> list[tuple[int, str, bytes]]:
        """Events saved from a damaged file, under their old ids: number, topic, payload."""
        return await self._call(lambda: self._store.salvaged_after(number, limit))

    async def salvaged_lost(self) -> list[LostRange]:
        """What could not be saved, and the server does not know of yet."""
        return await self._call(self._store.salvaged_lost)

    async def state(self, key: str) -> bytes | None:
        """What was last committed under `key`."""
        return await self._call(lambda: self._store.state(key))

    def places(self, first: int, last: int) -> list[Place]:
        """The ids of a range of seqs."""
        return self._runs.places(first, last)

    async def acknowledge(self, ack: EdgeAck) -> Word | None:
        """Take in the server's word; all that it has said so far in this file's seqs, None when it speaks of another file."""
        word = self._runs.take(ack, self.last_seq)
        if word is None:
            upto = min([ack.upto, *(first - 1 for first, _ in ack.missing)])
            await self._note(lambda: self._store.acknowledge_salvaged(ack.generation, upto))
        elif word.upto != self._store.acked_upto:
            upto, now_ns = word.upto, self._clock_ns()
            await self._note(lambda: self._store.acknowledge(upto, now_ns))
        return word

    async def run(self) -> None:
        """Purge old rows now and then; ends only when the disk fails.

        Raises:
            sqlite3.Error: the file cannot be written, for another reason than space.
        """
        while True:
            now_ns = self._clock_ns()
            await self._note(lambda: self._store.purge(now_ns))  # noqa: B023 - awaited in the same turn
            done, _ = await asyncio.wait([self._failed], timeout=PURGE_EVERY_S)
            if done:
                self._failed.result()

    def _start_commit(self) -> None:
        rows, self._rows = self._rows, []
        state, self._state = self._state, {}
        self._started += 1
        self._heartbeat.beat()
        self._loop.run_in_executor(self._thread, self._commit, rows, state).add_done_callback(self._committed)

    def _commit(self, rows: list[Row], state: dict[str, bytes]) -> list[Row]:
        """In the thread: one transaction.  Where there is no room even so, the rows become a drop to be declared later."""
        try:
            kept = self._store.commit(rows, {**self._unsaved, **state}, self._lost)
        except sqlite3.OperationalError as error:
            log.error("outbox %s: %s; %s events could not be kept", self._path, error, len(rows))  # noqa: TRY400 - one line
            self._lost = join_ranges([*self._lost, *as_ranges(rows)])
            self._unsaved |= state
            return []
        self._lost, self._unsaved = [], {}
        return kept

    def _committed(self, future: "asyncio.Future[list[Row]]") -> None:
        self._finished += 1
        self._heartbeat.rest()
        error = future.exception()
        if error is not None and not self._failed.done():
            self._failed.set_exception(error)
        if self._rows or self._state:
            self._start_commit()
        for wanted, done in self._waiters:
            if wanted <= self._finished and not done.done():
                done.set_result(None)
        self._waiters = [each for each in self._waiters if each[0] > self._finished]
        if error is None and self.on_commit is not None and future.result():
            self.on_commit(future.result())

    async def _note(self, work: Callable[[], None]) -> None:
        """Write what may as well be written later: a full disk is no reason to stop."""
        try:
            await self._call(work)
        except sqlite3.OperationalError as error:
            log.error("outbox %s: %s; free some space on its disk", self._path, error)  # noqa: TRY400 - one line

    def _call(self, work: Callable[[], T]) -> Awaitable[T]:
        return self._loop.run_in_executor(self._thread, work)
