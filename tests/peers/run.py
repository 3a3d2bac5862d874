"""The presence engine beside tuned C++ that does less: rounds in turn on one core, as a Markdown table.

python -m tests.peers.run [--read-count 5000000] [--member-count 10000000] [--rounds 5] [--core 1]

Each round is one pass of the peer and one of the engine per batch size and departure limit, fresh state each.  The ratio
is the median over the rounds of (engine / peer of the same round): what disturbs a round disturbs both.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from edge.bench_presence import SHORT_LIMIT_S, PresenceBench
from edge.bench_workload import make_workload, measure_shape
from edge.kernels import warm_up_kernels
from edge.presence_model import ZoneSettings
from tests.peers.window import Peer, build, compiler, running_peer, write_reads

BATCHES = (4096, 1000, 100)
LIMITS = (ZoneSettings().item_departs_s, SHORT_LIMIT_S)
PEER = "tuned C++, plain window, doing less"


def measure(bench: PresenceBench, peer: Peer, rounds: int) -> dict[str, list[float]]:
    """ns per read by what was run, one value a round."""
    found: dict[str, list[float]] = {PEER: []}
    for _ in range(rounds):
        found[PEER].append(peer.run_pass().ns_per_read)
        for limit_s in LIMITS:
            for batch in BATCHES:
                name = f"whole semantics, departures after {limit_s:g} s, batches of {batch}"
                measured = bench.measure(batch, ZoneSettings(item_departs_s=limit_s))
                found.setdefault(name, []).append(measured.ns_per_read)
    return found


def to_table(found: dict[str, list[float]]) -> str:
    """One row for each."""
    lines = ["| what | ns/read min | median | max | x peer |", "|---|---|---|---|---|"]
    for name, values in found.items():
        ratios = [own / peer for own, peer in zip(values, found[PEER], strict=True)]
        figures = f"{min(values):.1f} | {statistics.median(values):.1f} | {max(values):.1f}"
        lines.append(f"| {name} | {figures} | {statistics.median(ratios):.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--read-count", type=int, default=5_000_000)
    parser.add_argument("--member-count", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    options = parser.parse_args()
    if compiler() is None:
        sys.exit("the peer needs g++ (Debian, Ubuntu: apt-get install g++)")
    warm_up_kernels()
    os.sched_setaffinity(0, {options.core})
    workload = make_workload(options.read_count, options.member_count)
    shape = measure_shape(workload)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_reads(workload, folder / "reads.bin")
        with running_peer(build(folder), folder / "reads.bin") as peer:
            bench = PresenceBench(workload, shape, passes=1)
            found = measure(bench, peer, options.rounds)
            counts = peer.run_pass()
    sys.stdout.write(f"{workload.name}, {len(workload.cards)} members; {shape}\n\n{to_table(found)}\n{counts}\n")


if __name__ == "__main__":
    main()
