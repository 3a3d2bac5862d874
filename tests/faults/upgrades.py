"""Outboxes that earlier versions of the code have written, full and over-full, and what the present one makes of them."""

import gzip
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from broker_config.errors import ConfigError
from edge.outbox import Outbox, PendingEvent
from tests.faults.report import Outcome
from tests.support.edge import ManualClock

DATA = Path(__file__).parents[1] / "data" / "outbox"
QUOTA_BYTES = 64 * 4096


@dataclass(frozen=True, slots=True)
class Fixture:
    """A file as an earlier version closed it: 600 events, the first 150 acknowledged, the others there or declared."""

    name: str
    events: int = 600
    acked: int = 150

    def unpack(self, path: Path) -> None:
        """Put it where an agent would have it."""
        path.write_bytes(gzip.decompress((DATA / f"{self.name}.sqlite.gz").read_bytes()))


FIXTURES = (Fixture("before-sums"), Fixture("before-runs"))


async def upgrade(fixture: Fixture, folder: Path) -> Outcome:
    """The present code opens it, goes on with it, and opens it again."""
    path, outcome = folder / "outbox.sqlite", Outcome(0)
    fixture.unpack(path)
    with closing(sqlite3.connect(path)) as db:
        (dropped,) = db.execute("SELECT sum(last - first + 1) FROM dropped WHERE last > ?", (fixture.acked,)).fetchone()
    began = time.perf_counter()
    async with _opened(path) as outbox:
        outcome.recovery_s = time.perf_counter() - began
        outbox.append([PendingEvent("t", "A", lambda event_id: str(event_id).encode())], {"fence": b"new"})
        await outbox.flush()
        outcome.expect(await outbox.state("fence") == b"new", "a state was not kept")
    async with _opened(path) as outbox:
        outcome.expect(not outbox._store.quarantined, "taken for damaged")
        rows = {row.seq: row for row in await outbox.rows_after(fixture.acked, 10_000)}
        drops = await outbox.drops()
        gone = {seq for drop in drops for seq in range(max(drop.first, fixture.acked + 1), drop.last + 1)}
        for seq, row in rows.items():
            outcome.expect(seq > fixture.events or _is_own(row.payload, seq), "an event goes out under another id")
        outcome.expect(fixture.events + 1 in rows, "the new event is not there")
        outcome.expect(dropped <= len(gone), "a drop was forgotten")
    wanted = set(range(fixture.acked + 1, fixture.events + 1))
    outcome.generated = fixture.events
    outcome.stored_once = fixture.acked
    outcome.in_outbox = len(wanted & rows.keys())
    outcome.dropped = len(wanted & gone)
    return outcome


async def roll_back(folder: Path) -> Outcome:
    """A file of a version to come: refused with one line, and not touched."""
    path, outcome = folder / "outbox.sqlite", Outcome(1)
    async with _opened(path) as outbox:
        outbox.append([PendingEvent("t", "A", lambda event_id: str(event_id).encode())])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 999")
        db.execute("UPDATE meta SET value = '999' WHERE key = 'format'")
    before = path.read_bytes()
    try:
        async with _opened(path):
            outcome.expect(False, "a newer file was opened")
    except ConfigError as error:
        outcome.expect("newer version" in str(error) and "\n" not in str(error), "no clear word")
    outcome.expect(path.read_bytes() == before, "a newer file was changed")
    outcome.generated = outcome.in_outbox = 1
    return outcome


def _opened(path: Path) -> Outbox:
    return Outbox(path, "gw-1", quota_bytes=QUOTA_BYTES, clock_ns=ManualClock())


def _is_own(payload: bytes, seq: int) -> bool:
    return bool(json.loads(payload)["seq"] == str(seq))
