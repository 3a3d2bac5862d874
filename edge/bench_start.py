"""`tacet bench start`: what stands between a process and its first read, without compiled kernels and with them."""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edge.bench_report import Baseline, Sizes

ROOT = Path(__file__).parents[1]
_PROBE = "import sys; sys.path.insert(0, sys.argv.pop(1)); from edge.bench_start import probe; probe()"
_BARE = "import numba"


class Probe(msgspec.Struct, frozen=True):
    """What a child says: seconds for the import of numba, for the kernels, and for an engine; and each step of a compile."""

    numba_s: float
    kernels_s: float
    engine_s: float
    steps_s: dict[str, float]


class StartResult(msgspec.Struct, frozen=True, kw_only=True):
    """`warm_s` is what kernels and engine add to interpreter and numba, the median; `cold_*` is a first start's."""

    name: str = "start"
    warm_s: float
    warm_kernels_s: float
    warm_engine_s: float
    warm_process_s: float
    numba_import_s: float
    cold_s: float
    cold_cpu_s: float
    cold_steps_s: dict[str, float]
    kept_files: int
    kept_bytes: int
    baseline: Baseline


def bench_start(sizes: Sizes) -> Iterator[StartResult]:
    """One first start in an empty folder, then warm ones, a process each; beside them processes that only import numba."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "kernels"
        before_s = _children_cpu_s()
        cold, _ = run_probe(folder)
        cold_cpu_s = _children_cpu_s() - before_s
        warm = [run_probe(folder) for _ in range(sizes.passes)]
        bare_s = statistics.median(_time([sys.executable, "-c", _BARE]) for _ in range(sizes.passes))
        kept = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    process_s = statistics.median(seconds for _, seconds in warm)
    yield StartResult(
        warm_s=round(statistics.median(probe.kernels_s + probe.engine_s for probe, _ in warm), 3),
        warm_kernels_s=round(statistics.median(probe.kernels_s for probe, _ in warm), 3),
        warm_engine_s=round(statistics.median(probe.engine_s for probe, _ in warm), 3),
        warm_process_s=round(process_s, 3),
        numba_import_s=round(statistics.median(probe.numba_s for probe, _ in warm), 3),
        cold_s=round(cold.kernels_s, 1),
        cold_cpu_s=round(cold_cpu_s, 1),
        cold_steps_s={step: round(seconds, 1) for step, seconds in cold.steps_s.items()},
        kept_files=len(kept),
        kept_bytes=sum(kept),
        baseline=Baseline(
            name="a process that only imports numba; the whole warm process beside it",
            ns_each=round(1e9 * bare_s),
            ratio=round(bare_s / process_s, 2),
        ),
    )


def probe() -> None:
    """In a child: make an engine as the agent does, and say on stdout how long each part took."""
    start_s = time.perf_counter()
    import numba  # noqa: F401 - its import is what is timed

    numba_s = time.perf_counter() - start_s
    from edge.bench_engine import make_tracker
    from edge.kernels import prepare_kernels

    began_s: dict[str, float] = {}

    def began(name: str, *_: int) -> None:
        began_s.setdefault(name, time.perf_counter())

    start_s = time.perf_counter()
    prepare_kernels(Path(sys.argv[1]), began)
    ready_s = time.perf_counter()
    make_tracker(1)
    engine_s = time.perf_counter() - ready_s
    ends_s = [*began_s.values(), ready_s][1:]
    steps_s = {name: end_s - begin_s for (name, begin_s), end_s in zip(began_s.items(), ends_s, strict=True)}
    sys.stdout.buffer.write(msgspec.json.encode(Probe(numba_s, ready_s - start_s, engine_s, steps_s)))


def run_probe(folder: Path) -> tuple[Probe, float]:
    """A child's report, and how long the whole process took."""
    start_s = time.perf_counter()
    command = [sys.executable, "-c", _PROBE, str(ROOT), str(folder)]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=600).stdout
    return msgspec.json.decode(said, type=Probe), time.perf_counter() - start_s


def _time(command: list[str]) -> float:
    start_s = time.perf_counter()
    subprocess.run(command, check=True, timeout=60)
    return time.perf_counter() - start_s


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
