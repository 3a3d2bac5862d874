"""Row 8: a host that is too slow for its reader: stopped dead now and then, or with no time for what waits.

Ten times the line rate of an M100, every tag with a number of its own, so that each lost one is known.  While the host
stands still the kernel's buffer runs over, which nobody counts, as on a chip without flow control: what shows it is the
frame cut in half.  While only the program is busy its own buffer runs over, and that is counted to the byte.
"""

import asyncio
import itertools
import os
import signal
from pathlib import Path

from simulators.pty_host import PtyLine
from tests.edge.test_replug import stepped
from tests.faults.nursery import Life, life, until
from tests.faults.reader_life import EPC_BYTES, ReaderPlan, live_as_reader
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.faults.truth import TruthReader
from tests.support.m100_streams import notice

BAUD = 1_152_000
FRAME_BYTES = len(notice(bytes(EPC_BYTES)))
STOPPED_S, BUSY_S, GOES_ON_S = 0.7, 0.5, 10.0
ROOM, NARROW_ROOM = 1 << 20, 20_000
FIRST = 1 << 90
"""Numbers above this, so that no other bytes look like one."""


class Firehose:
    """A reader that reports numbered tags as fast as its line carries them, until it is told to stop."""

    baud = BAUD

    def __init__(self) -> None:
        self.sent, self.on = 0, True
        self._began_ns: int | None = None

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """It takes no orders."""
        return b""

    def tick(self, now_ns: int) -> bytes:
        """The tags that are due."""
        self._began_ns = self._began_ns or now_ns
        due = (now_ns - self._began_ns) * BAUD // 10 // FRAME_BYTES // 10**9
        if not self.on:
            return b""
        numbers, self.sent = range(self.sent, due), due
        return b"".join(notice((FIRST + number).to_bytes(EPC_BYTES)) for number in numbers)


async def slow_host(profile: Profile) -> list[Outcome]:
    """By turns a program that is stopped and one that is busy."""
    outcomes = []
    for seed in profile.seeds(2, 40):
        folder = profile.folder / str(seed)
        folder.mkdir()
        outcomes.append(await (_stopped, _busy)[seed % 2](seed, folder))
    return outcomes


async def _stopped(seed: int, folder: Path) -> Outcome:
    """The process gets no processor at all, three times."""
    return await _read(seed, folder, ReaderPlan(folder / "port", folder / "truth.log", ROOM), stops=3)


async def _busy(seed: int, folder: Path) -> Outcome:
    """The process is busy elsewhere, with less room than that takes."""
    plan = ReaderPlan(folder / "port", folder / "truth.log", NARROW_ROOM, BUSY_S, 3)
    return await _read(seed, folder, plan)


async def _read(seed: int, folder: Path, plan: ReaderPlan, stops: int = 0) -> Outcome:
    outcome, hose, truth = Outcome(seed, injected=stops or plan.stalls), Firehose(), TruthReader(plan.truth)
    line = PtyLine(hose, plan.port)
    line.plug()
    async with life(live_as_reader, plan, log=folder / "reader.log") as reader:
        await until(lambda: truth.count("open"), lives=(reader,))
        async with stepped(line):
            for _ in range(stops):
                await _some(truth, reader)
                os.kill(reader.pid, signal.SIGSTOP)
                await asyncio.sleep(STOPPED_S)
                os.kill(reader.pid, signal.SIGCONT)
            await until(lambda: _overruns(truth) >= plan.stalls, lives=(reader,))
            outcome.recovery_s = await _some(truth, reader)
            hose.on = False

            def all_taken() -> bool:
                taken, overrun = (int(value) for value in truth.read().notes[-1][1][:2])
                return not line.waiting_bytes and taken + overrun >= hose.sent * FRAME_BYTES - line.lost_bytes

            await until(all_taken, lives=(reader,))
    _judge(outcome, hose, line, truth)
    return outcome


async def _some(truth: TruthReader, reader: Life) -> float:
    """Until more has been read; how long that took."""
    loop = asyncio.get_running_loop()
    began_s, before = loop.time(), truth.count("got")
    await until(lambda: truth.count("got") >= before + 20, GOES_ON_S, lives=(reader,))
    return loop.time() - began_s


def _overruns(truth: TruthReader) -> int:
    """How often its own buffer has run over so far."""
    return len({values[1] for word, values, _ in truth.read().notes if word == "got"}) - 1


def _judge(outcome: Outcome, hose: Firehose, line: PtyLine, truth: TruthReader) -> None:
    lines = [[int(value) for value in values] for word, values, _ in truth.read().notes if word == "got"]
    numbers = [number - FIRST for values in lines for number in values[4:]]
    got, noticed = set(numbers), sum(values[2] + values[3] > 0 for values in lines)
    missing = sorted(set(range(hose.sent)) - got)
    gaps = sum(after != before + 1 for before, after in itertools.pairwise([-2, *missing]))
    taken, overrun = lines[-1][:2]
    lost_bytes = hose.sent * FRAME_BYTES - taken - overrun
    outcome.generated, outcome.stored_once, outcome.dropped = hose.sent, len(got), len(missing)
    outcome.duplicates = len(numbers) - len(got)
    outcome.extra |= {
        "gaps": gaps,
        "gaps_noticed": min(noticed, gaps),
        "overrun_bytes_counted": overrun,
        "lost_in_the_kernel_bytes": lost_bytes,
    }
    outcome.expect(not got - set(range(hose.sent)), "a tag that was never there")
    outcome.expect(
        lost_bytes == line.lost_bytes, f"{lost_bytes - line.lost_bytes} bytes lost behind the kernel, uncounted"
    )
    outcome.expect(
        len(missing) * FRAME_BYTES <= lost_bytes + overrun + 2 * FRAME_BYTES * gaps, "more reads lost than bytes"
    )
    outcome.expect(gaps > 0 and noticed > 0, "nothing was lost, or nobody noticed")


ROWS = (Row((8,), "a slow host: stopped, or too busy for its reader", slow_host, takes_s=(10, 200)),)
