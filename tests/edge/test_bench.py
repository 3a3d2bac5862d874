"""`tacet bench`, small: that it measures the engine and says so, never how fast it is."""

import functools
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from typer.testing import CliRunner

from broker_config.errors import ConfigError
from edge.bench import Name, bench_app
from edge.bench_baseline import make_rows, watch_with_dicts
from edge.bench_crafted import EPCS, KNOWN_SEED, MERSENNE, SAME_HASH_BITS, make_kinds
from edge.bench_flood import make_chunks
from edge.bench_start import run_probe
from edge.bench_workload import CARDS_READ, make_cards, make_workload, measure_shape, pad_epcs
from edge.kernels import cache_folder, prepare_kernels
from hotpath import index
from hotpath import words as words_layout
from hotpath._jit import entry_kernel

SMALL = (
    "--read-count",
    "20000",
    "--member-count",
    "1000",
    "--stray-count",
    "100000",
    "--tag-count",
    "2000",
    "--passes",
    "3",
    "--json",
)


def run(*options: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(bench_app, list(options), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@entry_kernel
def hash_row(keys: np.ndarray, words: np.ndarray, row: int) -> int:
    """The index's own hash, which only kernels can call."""
    return index.hash_epc(keys, words, row, 12)


@functools.cache
def result_of(name: str) -> dict[str, Any]:
    """A small run, once for all tests that look at it."""
    (result,) = run(name, *SMALL)
    return result


@pytest.mark.parametrize("name", sorted(set(get_args(Name)) - {"all", "start"}))  # a start compiles everything anew
def test_each_benchmark_prints_one_object_with_what_it_compares_with(name: str) -> None:
    result = result_of(name)
    assert result["name"] == name
    assert result["baseline"]["name"]
    assert result["baseline"]["ratio"] > 0


def test_presence_is_measured_for_each_batch_and_limit() -> None:
    presence = result_of("presence")
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


def test_crafted_epcs_are_what_they_are_said_to_be() -> None:
    kinds = make_kinds(np.random.default_rng(1))
    assert {epcs.shape for epcs in kinds.values()} == {(EPCS, 12)}
    assert {len(np.unique(epcs, axis=0)) for epcs in kinds.values()} == {EPCS}
    numbers = [int.from_bytes(row.tobytes(), "little") for row in kinds["multiples of 2^61-1"]]
    assert all(number % MERSENNE == 0 for number in numbers)
    assert len(np.unique(pad_epcs(kinds["equal low bits"]) & np.uint64(0xFFFFFFFF))) == 1
    (serials,) = [pad_epcs(epcs)[:, 0] for name, epcs in kinds.items() if "serials" in name]
    assert len(np.unique(serials)) == 1


def test_epcs_crafted_for_known_keys_collide_under_these_and_under_no_others() -> None:
    (epcs,) = [epcs for name, epcs in make_kinds(np.random.default_rng(1)).items() if "colliding" in name]
    words = pad_epcs(epcs)[:200]
    homes = []
    for seed in (KNOWN_SEED, KNOWN_SEED + 1):
        keys = np.concatenate([np.zeros(words_layout.MEMBER_KEYS, np.uint64), index.make_index_keys(seed)])
        homes.append(len({int(hash_row(keys, words, row)) % (1 << SAME_HASH_BITS) for row in range(len(words))}))
    assert homes[0] == 1
    assert homes[1] > 100


def test_crafted_epcs_are_measured_beside_random_ones() -> None:
    crafted = result_of("crafted")
    assert crafted["patterns"][0]["epcs"] == "random"
    assert crafted["worst_p99_ratio"] == max(each["p99_ratio"] for each in crafted["patterns"][1:])


def test_a_flood_of_strays_hides_no_member_and_pushes_strays_only() -> None:
    flood = result_of("flood")
    assert (flood["members_seen"], flood["member_recall_percent"]) == (1000, 100)
    assert flood["evicted"] > 0


def test_a_flood_is_the_same_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = make_cards(50)
    whole = list(make_chunks(20_000, cards))
    monkeypatch.setattr("edge.bench_flood.CHUNK", 3000)
    parts = list(make_chunks(20_000, cards))
    assert (len(whole), len(parts)) == (1, 7)
    assert sum(map(len, parts)) == len(whole[0]) == 20_000 + 5 * 50
    times = np.concatenate([part.t_ns for part in parts])
    assert (times == whole[0].t_ns).all()
    assert (np.diff(times) >= 0).all()


def test_a_snapshot_is_restored_whole() -> None:
    snapshot = result_of("snapshot")
    assert snapshot["tags"] == snapshot["restored"] == 2000
    assert snapshot["size_bytes"] > 2000


def test_a_warm_start_compiles_nothing() -> None:
    prepare_kernels(cache_folder(), lambda *_: None)
    probe, process_s = run_probe(cache_folder())
    assert probe.steps_s == {}
    assert 0 < probe.numba_s + probe.kernels_s + probe.engine_s < process_s


def test_every_streaming_protocol_is_scanned_and_nothing_of_it_lost_but_to_false_frames() -> None:
    scan = result_of("scan")
    protocols = [each["protocol"] for each in scan["measured"]]
    assert [name.split()[0] for name in protocols] == [
        "magicrf-m100", "r2000-a0", "uhfreader18", "uhfreader288", "uhfreader18", "uhfreader288", "mercury", "mercury",
    ]  # fmt: skip
    for each in scan["measured"]:
        assert each["reads"] + each["lost_reads"] == 20_000
        assert each["discarded_bytes"] > 0
        assert each["baseline"]["ratio"] > 0
        assert each["lost_reads"] == 0 or each["protocol"].startswith("uhfreader")
    assert scan["slowest"] in protocols


def test_every_codec_is_measured_beside_its_line() -> None:
    codec = result_of("codec")
    assert {"mercury", "tfmini", "mt-sics", "rdm6300", "modbus-rtu"} <= {each["protocol"] for each in codec["measured"]}
    assert all(each["times_the_line"] > 0 for each in codec["measured"])
    assert codec["slowest"] in {each["protocol"] for each in codec["measured"]}


def test_one_batch_size_of_ones_own() -> None:
    (presence,) = run("presence", *SMALL, "--batch", "777")
    assert [each["batch"] for each in presence["measured"]] == [777, 777]


def test_match_finds_every_other_card() -> None:
    match = result_of("match")
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
