"""The C++ peer and the Python one do the same, so that either's figure stands for the job."""

from pathlib import Path

import pytest

from edge.bench_baseline import Counts, make_rows, watch_with_dicts
from edge.bench_workload import make_workload
from tests.peers.window import build, compiler, running_peer, write_reads


@pytest.mark.skipif(compiler() is None, reason="needs g++")
def test_the_peers_count_the_same(tmp_path: Path) -> None:
    workload = make_workload(60_000, 2_000)
    write_reads(workload, tmp_path / "reads.bin")
    with running_peer(build(tmp_path), tmp_path / "reads.bin") as peer:
        passes = [peer.run_pass() for _ in range(2)]
    counts = watch_with_dicts(make_rows(workload.columns), {card.tobytes() for card in workload.cards})
    for each in passes:
        assert Counts(each.kept, each.arrivals, each.moves, each.departures, each.hits) == counts
    assert min(counts.moves, counts.departures, counts.hits) > 0
