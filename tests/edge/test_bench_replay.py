"""`tacet bench replay`."""

from dataclasses import replace
from pathlib import Path

from edge.bench_replay import bench_replay, write_log
from edge.bench_report import Sizes
from edge.bench_workload import make_workload
from edge.recording_file import read_blocks
from edge.recording_reader import read_recording


def test_the_log_says_what_the_workload_says(tmp_path: Path) -> None:
    columns = make_workload(2000, 0).columns
    write_log(columns, tmp_path / "log.csv")
    log = read_recording(read_blocks(str(tmp_path / "log.csv")), "log")
    (read,) = log.batches(log.rows.t_ns)
    assert log.bad_rows.count == 0
    assert (read.t_ns == columns.t_ns // 1000 * 1000).all()
    assert (read.epc == columns.epc).all()
    assert abs(read.rssi_cdbm - columns.rssi_cdbm).max() <= 6
    numbers = [4 * int(name.reader.removeprefix("r-")) + name.number - 1 for name in log.antennas]
    assert [numbers[each] for each in read.antenna] == columns.antenna.tolist()


def test_each_output_is_measured_from_both_files_beside_pythons_csv() -> None:
    (result,) = bench_replay(replace(Sizes(), read_count=2000, passes=3))
    assert [(run.file, run.emit) for run in result.runs] == [
        (file, emit) for file in ("csv", "csv.gz") for emit in ("events", "summary", "reads")
    ]
    assert all(run.rows_per_s > 0 for run in result.runs)
    assert (result.rows, result.packed_size_bytes < result.size_bytes) == (2000, True)
    assert result.baseline.ns_each > 0
