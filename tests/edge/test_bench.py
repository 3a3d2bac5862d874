"""`tacet bench`, small: that it measures the engine and says so, never how fast it is."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from broker_config.errors import ConfigError
from edge.bench import bench_app

SMALL = ("--read-count", "2000", "--member-count", "1000", "--passes", "3", "--json")


def run(*options: str) -> list[dict[str, object]]:
    result = CliRunner().invoke(bench_app, list(options), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_all_benchmarks_print_one_object_each() -> None:
    presence, match = run(*SMALL)
    assert (presence["name"], presence["reads"], presence["members"]) == ("presence", 2000, 1000)
    assert presence["ns_per_read"] == sorted(presence["passes_ns_per_read"])[1]
    assert presence["events"]["arrived"] > 0
    assert presence["refused"] == 0
    assert presence["baseline"]["ratio"] > 0
    assert (match["name"], match["hits"], match["look_ups"]) == ("match", 500_000, 1_000_000)


def test_people_can_read_it_too() -> None:
    result = CliRunner().invoke(bench_app, ["presence", *SMALL[:-1]], catch_exceptions=False)
    assert "ns_per_read" in result.output


def test_arrays_from_outside(tmp_path: Path) -> None:
    reads, members = tmp_path / "reads.npz", tmp_path / "members.npy"
    epc = np.zeros((40, 12), np.uint8)
    epc[:, 0] = np.arange(40) % 4
    t_ns = np.arange(40, dtype=np.int64) * 100_000_000
    np.savez(
        reads, t_ns=t_ns, antenna=np.arange(40, dtype=np.uint16) % 2, epc=epc, rssi_cdbm=np.full(40, -5000, np.int16)
    )
    np.save(members, epc[:1])
    (presence,) = run("presence", "--reads", str(reads), "--members", str(members), "--json")
    assert (presence["reads"], presence["members"], presence["events"]["arrived"]) == (40, 1, 4)


def test_arrays_of_another_shape_are_refused(tmp_path: Path) -> None:
    reads = tmp_path / "reads.npz"
    np.savez(reads, t_ns=np.zeros(3, np.int64), antenna=np.zeros(3), epc=np.zeros((3, 11)), rssi_cdbm=np.zeros(3))
    with pytest.raises(ConfigError, match="wants t_ns"):
        run("presence", "--reads", str(reads))
    with pytest.raises(ConfigError, match="cannot read"):
        run("presence", "--reads", str(tmp_path / "missing.npz"))
    with pytest.raises(ConfigError, match="--members goes with --reads"):
        run("presence", "--members", str(reads))


def test_a_match_without_members_is_refused_not_silent(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--members"):
        run("match", "--reads", str(tmp_path / "reads.npz"))
