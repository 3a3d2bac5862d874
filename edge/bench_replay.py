"""`tacet bench replay`: rows of a recorded log per second, from the file to what is printed."""

import csv
import gzip
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from edge.bench_report import Baseline, Sizes
from edge.bench_workload import make_workload
from edge.clock import NS_PER_S
from edge.columns import Columns
from edge.presence_model import PresenceSettings
from edge.recording import Recording
from edge.recording_file import read_blocks
from edge.recording_reader import read_recording
from edge.replay_layout import zone_per_antenna
from edge.replay_run import replay_events, replay_reads

HEADER = "t,reader,antenna,epc,rssi_dbm\n"
PART_ROWS = 100_000
GZIP_LEVEL = 6
"""As the gzip command packs."""
WINDOW_S = 2.0


class ReplayRun(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of output from one kind of file, the median; `reading_ns_per_row` is the file's part of it."""

    file: str
    emit: str
    rows_per_s: int
    ns_per_row: float
    reading_ns_per_row: float


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """`tacet bench replay`: kernels loaded before, output made but not written; `baseline` only splits the same rows."""

    name: str = "replay"
    rows: int
    tags: int
    size_bytes: int
    packed_size_bytes: int
    runs: list[ReplayRun]
    baseline: Baseline


def bench_replay(sizes: Sizes) -> Iterator[ReplayResult]:
    """Each kind of output from a plain and a packed log of the same rows, beside Python's csv on the plain one."""
    with tempfile.TemporaryDirectory(prefix="tacet-bench-") as folder:
        plain, packed = Path(folder) / "reads.csv", Path(folder) / "reads.csv.gz"
        write_log(make_workload(sizes.read_count, 0).columns, plain)
        packed.write_bytes(gzip.compress(plain.read_bytes(), GZIP_LEVEL))
        log = read_recording(read_blocks(str(plain)), plain.name)
        runs = [run for path in (plain, packed) for run in _runs_on(path, sizes.passes)]
        split_s = _median_s(lambda: _split_all(plain), sizes.passes)
        yield ReplayResult(
            rows=len(log),
            tags=log.tag_count,
            size_bytes=plain.stat().st_size,
            packed_size_bytes=packed.stat().st_size,
            runs=runs,
            baseline=Baseline(
                name="Python's csv module splitting the plain file, nothing parsed; against its events",
                ns_each=round(1e9 * split_s / len(log), 1),
                ratio=round(1e9 * split_s / len(log) / runs[0].ns_per_row, 2),
            ),
        )


def write_log(columns: Columns, path: Path) -> None:
    """The reads as a log: microseconds, tenths of a dBm, four antennas to a reader."""
    width = 2 * int(columns.epc_len[0])
    epcs = columns.epc_bytes.tobytes().hex()
    step = 2 * columns.epc_bytes.shape[1]
    with path.open("w", encoding="ascii") as log:
        log.write(HEADER)
        for start in range(0, len(columns), PART_ROWS):
            part = columns.part(start, start + PART_ROWS)
            lines = zip(part.t_ns.tolist(), part.antenna.tolist(), (part.rssi_cdbm / 100).tolist(), strict=True)
            log.writelines(
                f"{t // NS_PER_S}.{t % NS_PER_S // 1000:06d},r-{antenna // 4},{antenna % 4 + 1},"
                f"{epcs[row * step : row * step + width]},{dbm:.1f}\n"
                for row, (t, antenna, dbm) in enumerate(lines, start)
            )


def _runs_on(path: Path, passes: int) -> Iterator[ReplayRun]:
    def read() -> Recording:
        return read_recording(read_blocks(str(path)), path.name)

    rows = len(read())
    reading_s = _median_s(read, passes)
    for emit, make in (("events", _emit_events), ("summary", _sum_up), ("reads", _emit_reads)):
        whole_s = _median_s(partial(_chain, read, make), passes)
        yield ReplayRun(
            file="csv.gz" if path.suffix == ".gz" else "csv",
            emit=emit,
            rows_per_s=round(rows / whole_s),
            ns_per_row=round(1e9 * whole_s / rows, 1),
            reading_ns_per_row=round(1e9 * reading_s / rows, 1),
        )


def _chain(read: Callable[[], Recording], make: Callable[[Recording], None]) -> None:
    make(read())


def _emit_events(log: Recording) -> None:
    replay_events(log, zone_per_antenna(log.antennas), PresenceSettings(), None, len)


def _sum_up(log: Recording) -> None:
    replay_events(log, zone_per_antenna(log.antennas), PresenceSettings(), None, None)


def _emit_reads(log: Recording) -> None:
    for _block in replay_reads(log, WINDOW_S, by_antenna=False):
        pass


def _split_all(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as log:
        return sum(1 for _ in csv.reader(log))


def _median_s(run: Callable[[], object], passes: int) -> float:
    elapsed_s = []
    for _ in range(passes):
        start_s = time.perf_counter()
        run()
        elapsed_s.append(time.perf_counter() - start_s)
    return statistics.median(elapsed_s)
