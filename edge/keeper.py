"""Keeps who and what is present on the disk, and begins a restart with it.

The copy is made on the loop, between two batches of reads; what takes long, the bytes and the disk, is done by one thread,
so that files follow each other in the order of their copies.  A file is put in place only once the outbox holds every
event that it counts as said.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from broker_config.heartbeats import Heartbeats
from broker_config.messages import ItemDeparted, VisitLeft
from broker_config.site import ZoneId
from edge.at_rest import AtRest, SealedFileError
from edge.catch_up import Said, lose_places, read_said, since, take_back
from edge.clock import to_datetime
from edge.config import EdgeConfig
from edge.outbox import Outbox
from edge.outbox_rows import Row
from edge.pipeline import Engine
from edge.presence_file import MAGIC, KeptPresence, PresenceFileError, check, pack, part_of, refused_of, unpack, write
from edge.presence_snapshot import Restored, SnapshotError
from edge.visits import Visits
from readers.model import ClockNs

log = logging.getLogger(__name__)
FILE, PURPOSE = "presence.snap", "presence"
ROWS_AT_ONCE = 1000
STUCK_S = 90.0  # it waits for the outbox, on the same disk; beyond the pause between two files


@dataclass(slots=True)
class KeeperCounters:
    """Since start, and of the start itself."""

    snapshots: int = 0
    snapshot_failures: int = 0
    snapshot_refused: int = 0
    restored_items: int = 0
    restored_people: int = 0
    restored_dropped: int = 0
    taken_back: int = 0


class Keeper:
    """One agent's presence over restarts.

    Args:
        zones: ids by the layout's index.
        say: takes over durable events that take back what no longer holds.
        heartbeats: where its files show that they go on.
    """

    def __init__(
        self,
        config: EdgeConfig,
        engine: Engine,
        visits: Visits,
        outbox: Outbox,
        zones: tuple[ZoneId, ...],
        say: Callable[[Sequence[ItemDeparted | VisitLeft]], None],
        clock_ns: ClockNs,
        heartbeats: Heartbeats | None = None,
    ) -> None:
        self.counters = KeeperCounters()
        within_s = config.snapshot.every_s + STUCK_S
        self._heartbeat = (heartbeats or Heartbeats()).add("presence file", within_s)
        self.started_ns = clock_ns()
        """Since when it is known who is where."""
        self.started_by = outbox.generation
        """Of the start whose clock said so."""
        self._path, self._at_rest = config.data / FILE, AtRest(config.credential, PURPOSE)
        self._config, self._engine, self._visits, self._outbox = config, engine, visits, outbox
        self._zones, self._say, self._clock_ns = zones, say, clock_ns
        self._wanted = asyncio.Event()
        self._renewals = self._renewed = 0  # asked for, and of these done
        self._begun = self._in_trouble = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="presence file")

    async def restore(self) -> None:
        """Go on from the last snapshot, where there is a sound one; call it before any read, and before the member table."""
        self._remove_part()
        try:
            kept = unpack(bytes(self._at_rest.open(memoryview(self._path.read_bytes()))))
            self._check(kept)
            said = await self._said_after(kept.seq)
            restored = self._engine.restore(kept.engine, self._clock_ns(), since(said, kept.visits, kept.zones))
        except FileNotFoundError:
            return
        except (OSError, SealedFileError, PresenceFileError, SnapshotError) as error:
            self._refuse(error)
            return
        self.started_ns, self.started_by = kept.started_ns, kept.started_by
        index = {zone: number for number, zone in enumerate(self._zones)}
        self._visits.restore(kept.visits, {n: index[z] for n, z in enumerate(map(ZoneId, kept.zones)) if z in index})
        self._note(restored)
        self._take_back(lose_places(restored.gone, self._visits, self._zones, to_datetime(self._clock_ns())))
        self._catch_up(said)

    async def run(self) -> None:
        """Write every few seconds, and at once when wanted, for ever."""
        self._begun = True
        while True:
            self._heartbeat.beat()
            self._wanted.clear()
            await self.save()
            try:
                async with asyncio.timeout(self._config.snapshot.every_s):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    def renew(self) -> None:
        """Somebody must be forgotten: write a new file now, and keep no refused one in which they may be."""
        if self._begun:  # before, it is the member table of the last run that is put in force
            with suppress(OSError):
                refused_of(self._path).unlink(missing_ok=True)
            self._renewals += 1
        self._wanted.set()

    async def forget(self) -> None:
        """Somebody was erased: on return no file has them in it, a refused one included."""
        with suppress(OSError):
            refused_of(self._path).unlink(missing_ok=True)
        self._renewals += 1
        await self.save()

    def want(self) -> None:
        """Something is so now that no event tells: write it down soon."""
        self._wanted.set()

    async def save(self) -> None:
        """Put what is present now on the disk; returns when it is there, or has failed and is counted."""
        renewals, make = self._renewals, self._copy()
        await self._outbox.flush()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, _write, self._path, self._at_rest, make)
        except OSError as error:
            self._failed(error)
        else:
            self._renewed, self._in_trouble = renewals, False
            self.counters.snapshots += 1

    async def close(self) -> None:
        """Write a last time."""
        await self.save()
        self._thread.shutdown()

    def _copy(self) -> Callable[[], KeptPresence]:
        """What is so now; the rest of the work may be done in another thread."""
        config, engine = self._config, self._engine.snapshot()
        taken_ns, seq, visits = self._clock_ns(), self._outbox.last_seq, self._visits.keep()

        def make() -> KeptPresence:
            return KeptPresence(
                site=config.site.id,
                agent=config.agent,
                generation=self._outbox.file_id,
                seq=seq,
                started_ns=self.started_ns,
                started_by=self.started_by,
                taken_ns=taken_ns,
                zones=self._zones,
                visits=visits,
                engine=engine.to_bytes(),
            )

        return make

    def _failed(self, error: OSError) -> None:
        self.counters.snapshot_failures += 1
        if not self._in_trouble:  # said once; it is tried again every few seconds
            said = "presence file %s cannot be written (%s); free some space on its disk"
            log.warning(said, self._path, error.strerror)
        self._in_trouble = True
        self._remove_part()
        if self._renewed < self._renewals:
            with suppress(OSError):  # a disk that takes nothing may not even let go
                self._path.unlink(missing_ok=True)  # rather no file than one with somebody in it who withdrew

    def _remove_part(self) -> None:
        """What a crash or a full disk left of a file; where even that fails, the next writing says so."""
        with suppress(OSError):
            part_of(self._path).unlink(missing_ok=True)

    def _check(self, kept: KeptPresence) -> None:
        check(
            kept,
            site=self._config.site.id,
            agent=self._config.agent,
            generation=self._outbox.file_id,
            last_seq=self._outbox.last_seq,
            now_ns=self._clock_ns(),
            max_age_s=self._config.snapshot.max_age_s,
        )

    def _refuse(self, error: Exception) -> None:
        self.counters.snapshot_refused += 1
        aside = refused_of(self._path)
        with suppress(OSError):
            if self._path.read_bytes().startswith(
                MAGIC
            ):  # of a version that did not seal it: not to lie about in the clear
                self._path.unlink()
                log.warning("presence file of an earlier version removed; nobody counts as present until read again")
                return
        log.warning("presence file refused: %s; nobody counts as present, and it is set aside as %s", error, aside)
        with suppress(OSError):
            self._path.replace(aside)

    def _note(self, restored: Restored) -> None:
        self.counters.restored_items, self.counters.restored_people = restored.items, restored.people
        self.counters.restored_dropped = restored.dropped
        log.info("%s items and %s people go on being present", restored.items, restored.people)

    async def _said_after(self, seq: int) -> Said:
        rows: list[Row] = []
        while more := await self._outbox.rows_after(rows[-1].seq if rows else seq, ROWS_AT_ONCE):
            rows += more
        return read_said(rows, bytes.fromhex(self._config.credential.seal_key or ""))

    def _catch_up(self, said: Said) -> None:
        """Take back what was said after the snapshot and is not in it."""
        present = {tag.epc.hex() for zone in range(len(self._zones)) for tag in self._engine.present_in(zone)}
        self._take_back(take_back(said, self._visits, self._zones, present, to_datetime(self._clock_ns())))

    def _take_back(self, undone: Sequence[ItemDeparted | VisitLeft]) -> None:
        self.counters.taken_back += len(undone)
        self._say(undone)


def _write(path: Path, at_rest: AtRest, make: Callable[[], KeptPresence]) -> None:
    write(path, at_rest.seal(pack(make())))
