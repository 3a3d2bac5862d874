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
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from broker_config.errors import ConfigError
from broker_config.heartbeats import Heartbeats
from broker_config.messages import EdgeAck
from edge.outbox_alarm import ALARM_SHARE, Fill, warnings
from edge.outbox_index import LostRange
from edge.outbox_queue import Batch, Queue
from edge.outbox_room import SHARES
from edge.outbox_rows import DropRange, EventClass, EventId, PendingEvent, Row
from edge.outbox_store import OutboxStore
from edge.runs import Place, Word
from readers.model import ClockNs

log = logging.getLogger(__name__)
T = TypeVar("T")
PURGE_EVERY_S = 600.0
LOOK_EVERY_S = 5.0
RETRY_S = 1.0  # a disk that was full is tried so often
STUCK_S = 60.0  # a busy SD card may take half a minute over one commit, and a new start would not make it faster


class Outbox:
    """One agent's durable events.  Use as `async with Outbox(...) as outbox`.

    A disk that is full is no reason to stop: what it refuses waits in memory, and is tried again every second.

    Args:
        gateway: the agent's id.
        quota_bytes, shares: the file's limit, and of it what each class may take at most.
        alarm_share: how full the outbox or its disk may be before it warns.
        on_commit: called on the loop with rows just committed, in order; the uplink sets it.
        on_alarm: called on the loop with what it warns of when that has changed; None: nothing.
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
        shares: Mapping[EventClass, float] = SHARES,
        alarm_share: float = ALARM_SHARE,
    ) -> None:
        self._heartbeat = (heartbeats or Heartbeats()).add("outbox", STUCK_S)
        self.on_commit: Callable[[Sequence[Row]], None] | None = None
        self.on_alarm: Callable[[str | None], None] | None = None
        self.alarm: str | None = None
        self._path, self._gateway, self._quota_bytes, self._clock_ns = path, gateway, quota_bytes, clock_ns
        self._shares, self._alarm_share = shares, alarm_share
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._queue, self._trouble = Queue(), ""  # why the disk refused the last commit
        self._retry: asyncio.TimerHandle | None = None
        self._started = self._finished = 0  # commits; one runs while they differ
        self._waiters: list[asyncio.Future[None]] = []

    async def __aenter__(self) -> Self:
        """Open or make the file.

        Raises:
            ConfigError: it cannot be opened, or another agent has it.
        """
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[None] = self._loop.create_future()
        try:
            self._store = await self._call(lambda: OutboxStore(self._path, self._quota_bytes, shares=self._shares))
        except (ConfigError, sqlite3.OperationalError, OSError) as error:
            self._thread.shutdown()
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{self._path}: {error}; is another agent running on the same data folder?") from error
        self.file_id = self._store.generation
        self.starts, self._runs = await self._call(self._store.begin_run)
        self._next_seq = max(self._store.last_seq, self._store.acked_upto) + 1
        await self._look()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Commit what waits, then close."""
        if not await self.flush():
            log.error("outbox %s: %s; %s events could not be kept", self._path, self._trouble, self._queue.rows)
        if self._retry is not None:
            self._retry.cancel()
        await self._call(self._store.close)
        self._thread.shutdown()

    @property
    def generation(self) -> str:
        """What happens from now on is numbered in it."""
        return self._runs.current.generation

    @property
    def generations(self) -> tuple[str, ...]:
        """Those of which there may still be events, the newest last."""
        return (*self._store.saved_generations, *self._runs.generations)

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
        rows = [
            Row(
                seq,
                event.event_class,
                event.topic,
                event.payload(EventId(self._gateway, run.generation, seq - run.base)),
            )
            for seq, event in zip(seqs, events, strict=True)
        ]
        self._queue.put(rows, state or {})
        if self._started == self._finished and not self._trouble:
            self._start_commit()
        return seqs

    async def flush(self) -> bool:
        """Wait until everything handed over so far is on the disk; False where the disk refuses it, which then goes on waiting."""
        wanted = self._queue.handed
        while self._queue.done < wanted:
            if self._started == self._finished:
                self._start_commit()
            done: asyncio.Future[None] = self._loop.create_future()
            self._waiters.append(done)
            await done
            if self._trouble or self._failed.done():
                return False
        return True

    async def rows_after(self, seq: int, limit: int) -> list[Row]:
        """Committed rows above `seq`."""
        return await self._call(lambda: self._store.rows_after(seq, limit))

    async def drops(self) -> list[DropRange]:
        """Declared drops that the server has not acknowledged."""
        return await self._call(self._store.drops)

    def figures(self) -> dict[str, int]:
        """How full it and its disk are, in percent, and what was given up for want of space, by class."""
        dropped = {f"dropped_{each.lower()}": count for each, count in self._store.dropped_by_class.items()}
        return {
            "outbox_percent": round(100 * self._fill.outbox),
            "disk_percent": round(100 * self._fill.disk),
            "waiting_for_disk": self._queue.rows if self._trouble else 0,
            **dropped,
        }

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

    async def with_store(self, work: Callable[[OutboxStore], T]) -> T:
        """What is no event, done in the outbox's thread between two commits."""
        return await self._call(lambda: work(self._store))

    async def run(self) -> None:
        """Purge old rows now and then; ends only when the disk fails.

        Raises:
            sqlite3.Error: the file cannot be written, for another reason than space.
        """
        purge_at_s = 0.0
        while True:
            if self._loop.time() >= purge_at_s:
                now_ns, purge_at_s = self._clock_ns(), self._loop.time() + PURGE_EVERY_S
                await self._note(lambda: self._store.purge(now_ns))  # noqa: B023 - awaited in the same turn
            await self._look()
            done, _ = await asyncio.wait([self._failed], timeout=LOOK_EVERY_S)
            if done:
                self._failed.result()

    async def _look(self) -> None:
        """See how full things are, and warn where that is news."""
        waiting = self.waiting
        self._fill = await self._call(lambda: Fill.of(self._store, waiting))
        self._warn()

    def _warn(self) -> None:
        before, self.alarm = self.alarm, warnings(self._store, self._fill, self._trouble, self._alarm_share)
        if self.alarm != before and self.on_alarm is not None:
            self.on_alarm(self.alarm)

    def _start_commit(self) -> None:
        batch = self._queue.take()
        self._started += 1
        self._heartbeat.beat()
        running = self._loop.run_in_executor(self._thread, self._store.commit, batch.rows, batch.state, batch.drops)
        running.add_done_callback(partial(self._committed, batch))

    def _committed(self, batch: Batch, future: "asyncio.Future[list[Row]]") -> None:
        self._finished += 1
        self._heartbeat.rest()
        error, kept = future.exception(), []
        if error is None:
            kept = future.result()
            self._queue.settle(batch)
            self._is_written()
        elif isinstance(error, sqlite3.OperationalError):
            self._queue.put_back(batch)
            self._is_refused(str(error))
        elif not self._failed.done():
            self._failed.set_exception(error)
        if self._queue and not self._trouble and error is None:
            self._start_commit()
        while self._waiters:
            if not (done := self._waiters.pop()).done():
                done.set_result(None)
        if kept and self.on_commit is not None:
            self.on_commit(kept)

    def _is_written(self) -> None:
        if self._trouble:
            log.warning("outbox %s: can be written again", self._path)
            self._trouble = ""
            self._warn()

    def _is_refused(self, why: str) -> None:
        if why != self._trouble:
            log.error("outbox %s: %s; events wait in memory: free some space on its disk", self._path, why)
            self._trouble = why
            self._warn()
        if self._retry is not None:
            self._retry.cancel()  # also when nothing new comes it is tried again
        self._retry = self._loop.call_later(RETRY_S, self._try_again)

    def _try_again(self) -> None:
        if self._started == self._finished:
            self._start_commit()

    async def _note(self, work: Callable[[], None]) -> None:
        """Write what may as well be written later: a full disk is no reason to stop."""
        try:
            await self._call(work)
        except sqlite3.OperationalError as error:
            log.error("outbox %s: %s; free some space on its disk", self._path, error)  # noqa: TRY400 - one line

    def _call(self, work: Callable[[], T]) -> Awaitable[T]:
        return self._loop.run_in_executor(self._thread, work)
