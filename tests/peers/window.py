"""Builds the C++ peer, feeds it a workload through a flat file, and runs its passes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

from edge.bench_workload import EPC_BYTES, Workload

SOURCE = Path(__file__).with_name("window.cpp")
FLAGS = ("-O3", "-march=native", "-std=c++20", "-Wall", "-Wextra")
READ = np.dtype([("t_ns", "<i8"), ("epc", "u1", EPC_BYTES), ("zone", "<u2"), ("cdbm", "<i2")])


class PeerPass(msgspec.Struct, frozen=True):
    """One pass over the workload with fresh state."""

    ns_per_read: float
    members_ready_s: float
    kept: int
    arrivals: int
    moves: int
    departures: int
    hits: int


def compiler() -> str | None:
    """Where the C++ compiler is, if anywhere."""
    return shutil.which("g++")


def build(folder: Path) -> Path:
    """The peer, compiled for this very processor."""
    program = folder / "window"
    found = compiler()
    assert found is not None
    subprocess.run([found, *FLAGS, "-o", str(program), str(SOURCE)], check=True, timeout=120)
    return program


def write_reads(workload: Workload, path: Path) -> None:
    """The workload as the peer reads it."""
    columns = workload.columns
    rows = np.empty(len(columns), READ)
    rows["t_ns"], rows["zone"], rows["cdbm"] = columns.t_ns, columns.antenna, columns.rssi_cdbm
    rows["epc"] = columns.epc_bytes[:, :EPC_BYTES]
    with path.open("wb") as file:
        np.array([len(rows), len(workload.cards)], "<u8").tofile(file)
        rows.tofile(file)
        workload.cards.tofile(file)


class Peer:
    """A running peer."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run_pass(self) -> PeerPass:
        """One pass; the other side of the pipe waits meanwhile."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=PeerPass)


@contextmanager
def running_peer(program: Path, reads: Path) -> Iterator[Peer]:
    """The peer with this file read in, on the processor that we are on; ended on leaving."""
    environment = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(
        [str(program), str(reads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield Peer(process)
        finally:
            process.kill()
