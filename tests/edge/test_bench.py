"""`tacet bench`, small: that it measures the engine and says so, never how fast it is."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from typer.testing import CliRunner

from broker_config.errors import ConfigError
from edge.bench import Name, bench_app
from edge.bench_baseline import make_rows, watch_with_dicts
from edge.bench_workload import CARDS_READ, make_workload, measure_shape

SMALL = ("--read-count", "20000", "--member-count", "1000", "--passes", "3", "--json")


def run(*options: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(bench_app, list(options), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_all_benchmarks_print_one_object_each() -> None:
    results = {result["name"]: result for result in run(*SMALL)}
    assert set(results) == set(get_args(Name)) - {"all"}
    assert all(result["baseline"]["ratio"] > 0 for result in results.values())


def test_presence_is_measured_for_each_batch_and_limit() -> None:
    (presence,) = run("presence", *SMALL)
    assert (presence["reads"], presence["members"], presence["refused"]) == (20_000, 1000, 0)
    assert presence["ns_per_read"] == sorted(presence["passes_ns_per_read"])[1]
    assert [(each["batch"], each["item_departs_s"]) for each in presence["measured"]] == [
        (batch, limit_s) for limit_s in (600, 10) for batch in (4096, 1000, 100)
    ]
    whole, short = presence["measured"][:3], presence["measured"][3:]
    assert whole[0]["events"]["arrived"] > 0
    assert whole[0]["events"] == whole[1]["events"] == whole[2]["events"] == presence["events"]
    assert short[0]["events"]["departed"] > whole[0]["events"]["departed"]
    assert short[0]["events"] == short[1]["events"] == short[2]["events"]


def test_one_batch_size_of_ones_own() -> None:
    (presence,) = run("presence", *SMALL, "--batch", "777")
    assert [each["batch"] for each in presence["measured"]] == [777, 777]


def test_match_finds_every_other_card() -> None:
    (match,) = run("match", *SMALL)
    assert (match["hits"], match["look_ups"]) == (500_000, 1_000_000)
    assert match["swap"]["present"] == 500  # of the members that were there nobody left


def test_the_made_up_store_has_the_shape_that_is_said() -> None:
    workload = make_workload(200_000, 1000)
    shape = measure_shape(workload)
    assert (shape.reads, shape.zones) == (200_000, 200)
    assert shape.epcs - shape.read_once == pytest.approx(2000, rel=0.02)
    assert shape.read_once == pytest.approx(0.005 * 200_000, rel=0.1)
    assert shape.repeats_percent == pytest.approx(97, abs=0.3)
    carried = {card.tobytes() for card in workload.cards} & {row[:12].tobytes() for row in workload.columns.epc_bytes}
    assert len(carried) == pytest.approx(CARDS_READ, rel=0.05)
    assert (np.diff(workload.columns.t_ns) >= 0).all()


def test_a_repeat_is_what_a_window_of_two_seconds_drops() -> None:
    workload = make_workload(20_000, 1000)
    kept = watch_with_dicts(make_rows(workload.columns), set()).kept
    assert measure_shape(workload).repeats_percent == pytest.approx(100 * (1 - kept / 20_000), abs=0.06)


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
    reads = tmp_path / "reads.npz"
    np.savez(
        reads,
        t_ns=np.zeros(3, np.int64), antenna=np.zeros(3, np.uint16),
        epc=np.zeros((3, 12), np.uint8), rssi_cdbm=np.zeros(3, np.int16),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="--members"):
        run("match", "--reads", str(reads))
