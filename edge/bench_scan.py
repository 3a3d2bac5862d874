"""`tacet bench scan`: bytes of a streaming reader into columns, beside the Python codec on the same bytes."""

import statistics
import time
from collections.abc import Iterator

import msgspec
import numpy as np

from edge.bench_frames import NOISE, make_frames, with_noise
from edge.bench_report import Baseline, Sizes
from edge.bench_workload import make_workload
from edge.health import Tally
from edge.read_ring import ReadRing
from edge.wire_scan import WireScan
from readers.magicrf_m100.answers import parse_tag_notice
from readers.magicrf_m100.codec import FrameDecoder
from readers.magicrf_m100.scan import NOTICE, ONLY_ANTENNA
from readers.model import Chunk
from readers.ports import READ_BYTES

BASELINE_BYTES = 1 << 20
ROOM = 4096


class ScanResult(msgspec.Struct, frozen=True, kw_only=True):
    """Frames found, structure, checksum and tag CRC verified, and written as rows; chunks as large as a port gives.

    Args:
        noise: share of the frames that are followed by 1 to 8 random bytes.
        discarded_bytes: of that noise.
    """

    name: str = "scan"
    protocol: str = "magicrf-m100"
    frames: int
    noise: float
    bytes_per_chunk: int
    ns_per_frame: float
    passes_ns_per_frame: list[float]
    frames_per_s: int
    discarded_bytes: int
    baseline: Baseline


def bench_scan(sizes: Sizes) -> Iterator[ScanResult]:
    """A stream of tag notices with noise between them, in memory."""
    columns = make_workload(sizes.read_count, 1000).columns
    stream = with_noise(make_frames(columns), np.random.default_rng(1))
    chunks = [Chunk(stream[at : at + READ_BYTES], 1) for at in range(0, len(stream), READ_BYTES)]
    each_ns, discarded_bytes = [], 0
    for _ in range(sizes.passes + 1):
        elapsed_s, discarded_bytes = _scan(chunks, len(columns))
        each_ns.append(1e9 * elapsed_s / len(columns))
    median_ns = statistics.median(each_ns[1:])
    yield ScanResult(
        frames=len(columns),
        noise=NOISE,
        bytes_per_chunk=READ_BYTES,
        ns_per_frame=round(median_ns, 1),
        passes_ns_per_frame=[round(each, 1) for each in each_ns[1:]],
        frames_per_s=round(1e9 / median_ns),
        discarded_bytes=discarded_bytes,
        baseline=_measure_codec(stream[:BASELINE_BYTES], median_ns),
    )


def _scan(chunks: list[Chunk], frames: int) -> tuple[float, int]:
    """Seconds, and the bytes of noise."""
    ring = ReadRing(ROOM)
    stream, reads, discarded_bytes = WireScan(NOTICE, {ONLY_ANTENNA: 0}, ring, Tally()), 0, 0
    start_s = time.perf_counter()
    for chunk in chunks:
        found = stream.take(chunk)
        reads += found.reads
        discarded_bytes += found.discarded_bytes
    elapsed_s = time.perf_counter() - start_s
    if reads != frames:
        raise AssertionError(f"{reads} of {frames} frames found")
    return elapsed_s, discarded_bytes


def _measure_codec(data: bytes, median_ns: float) -> Baseline:
    decoder, tags = FrameDecoder(), []
    start_s = time.perf_counter()
    for frame in decoder.feed(data):
        tags.append(parse_tag_notice(frame))
    each_ns = 1e9 * (time.perf_counter() - start_s) / len(tags)
    name = f"the Python codec, an object per frame, first {len(tags)} frames"
    return Baseline(name=name, ns_each=round(each_ns, 1), ratio=round(each_ns / median_ns, 1))
