"""A disk that is really full: a small tmpfs in a namespace of its own, and a file of somebody else's that fills it.

Run as a program inside that namespace; `on_small_disk` does that, and gives what it printed.
"""

import asyncio
import errno
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.outbox import Outbox
from edge.outbox_rows import CLASSES, EventClass, EventId, PendingEvent
from tests.faults.report import Outcome
from tests.faults.row import CannotRunError
from tests.support.edge import ManualClock
from tests.support.patience import STANDSTILL_S, eventually

DISK_MB = 4
RECOVER_S = 5.0 + STANDSTILL_S  # `rows.full_disk` asks for more, on a machine that is known to be quiet
MOUNT = 'mount -t tmpfs -o "size=$1m" tmpfs "$2" && shift 2 && exec "$@"'
NAMESPACES = (["unshare", "-Urm"], ["unshare", "-m"])


def on_small_disk(what: str, seed: int, disk_mb: int = DISK_MB, *, times: int = 3) -> Outcome:
    """What came of one run on a tmpfs of its own.

    Args:
        times: the edge's disk is filled so often; the server's once.

    Raises:
        CannotRunError: this machine gives no namespace with a tmpfs.
    """
    with tempfile.TemporaryDirectory() as folder:
        for namespace in NAMESPACES:
            mounted = [*namespace, "sh", "-c", MOUNT, "sh", str(disk_mb), folder]
            if subprocess.run([*mounted, "true"], capture_output=True, timeout=60, check=False).returncode == 0:
                break
        else:
            raise CannotRunError(
                "neither a user namespace nor a private mount is allowed: run as root, or allow unshare -Urm"
            )
        program = [sys.executable, "-m", "tests.faults.full_disk", what, folder, str(seed), str(times)]
        done = subprocess.run([*mounted, *program], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        return Outcome(seed, broken=[f"it ended: {done.stderr.strip().splitlines()[-1]}"])
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Outcome)


def fill(folder: Path) -> Path:
    """Take the last byte of the disk; the file that did."""
    path = folder / "filler"
    with path.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return path


async def fill_edge_disk(folder: Path, seed: int, times: int) -> Outcome:
    """Events go on while somebody fills the disk and frees it again, so often; each is there, or a counted drop."""
    rng, outcome = random.Random(f"full disk {seed}"), Outcome(seed, injected=times)
    handed: dict[int, EventClass] = {}
    path = folder / "outbox.sqlite"
    outbox = Outbox(path, "gw-1", quota_bytes=64 << 20, clock_ns=ManualClock())
    await outbox.__aenter__()
    for _ in range(outcome.injected):
        await _live(outbox, rng, handed, rng.randint(50, 150))
        filler = fill(folder)
        outcome.expect(_is_full(folder), "the rig did not fill the disk")
        await _live(outbox, rng, handed, 150)
        await outbox._look()
        outcome.expect(outbox.alarm is not None, "a full disk raised no alarm")
        filler.unlink()
        began = time.perf_counter()
        with suppress(TimeoutError):
            await eventually(lambda: not outbox._queue and not outbox._trouble)
        took_s = time.perf_counter() - began
        outcome.recovery_s = max(outcome.recovery_s, took_s)
        outcome.expect(took_s <= RECOVER_S, f"it took more than {RECOVER_S:.0f} s to recover")
    await outbox.__aexit__(None, None, None)
    await _look(path, handed, outcome)
    return outcome


async def _live(outbox: Outbox, rng: random.Random, handed: dict[int, EventClass], count: int) -> None:
    for _ in range(count):
        event_class = rng.choices(CLASSES, (1, 6, 3))[0]
        text = rng.randbytes(rng.randrange(900)).hex()

        def payload(event_id: EventId, text: str = text) -> bytes:
            return json.dumps({"id": str(event_id), "text": text}).encode()

        (seq,) = outbox.append([PendingEvent("t", event_class, payload)])
        handed[seq] = event_class
        if rng.random() < 0.3:
            await outbox.flush()


async def _look(path: Path, handed: dict[int, EventClass], outcome: Outcome) -> None:
    async with Outbox(path, "gw-1", quota_bytes=64 << 20, clock_ns=ManualClock()) as outbox:
        kept = {row.seq for row in await outbox.rows_after(0, 1_000_000)}
        dropped = {seq for drop in await outbox.drops() for seq in range(drop.first, drop.last + 1)}
        outcome.expect(not outbox._store.quarantined, "a damaged database")
        outcome.expect(len(dropped) == outbox.dropped_events, "drops were counted wrongly")
        outcome.expect(not kept & dropped, "declared dropped, yet there")
    outcome.generated = len(handed)
    outcome.in_outbox = len(kept & handed.keys())
    outcome.dropped = len(dropped & handed.keys())
    best = [seq for seq in dropped if handed[seq] == "A"]
    outcome.extra["best_class_dropped"] = len(best)
    # What was still in memory then is no room on the disk, and is newer than all that was on it.
    lesser = [seq for seq in kept if handed[seq] != "A" and seq < max(best, default=0)]
    outcome.expect(not lesser, "the best class went while others were kept")


def _is_full(folder: Path) -> bool:
    try:
        with (folder / "probe").open("wb", buffering=0) as file:
            file.write(b"x")
    except OSError as error:
        return error.errno == errno.ENOSPC
    finally:
        (folder / "probe").unlink(missing_ok=True)
    return False


def main(what: str, folder: str, seed: str, times: str) -> None:
    """Run in the namespace; the outcome is the last line."""
    logging.disable(logging.CRITICAL)
    if what == "edge":
        running = fill_edge_disk(Path(folder), int(seed), int(times))
    elif what == "start":
        from tests.faults.server_start import start_on_full_disk

        running = start_on_full_disk(Path(folder), int(seed))
    else:
        from tests.faults.server_disk import fill_server_disk  # a second of imports that the edge does not need

        running = fill_server_disk(Path(folder), int(seed))
    sys.stdout.write(msgspec.json.encode(asyncio.run(running)).decode() + os.linesep)


if __name__ == "__main__":
    main(*sys.argv[1:])
