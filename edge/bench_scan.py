"""`tacet bench scan`: bytes of each streaming protocol into columns, beside its Python codec on the same bytes."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from edge import bench_frames
from edge.bench_frames import NOISE, Bytes, with_noise
from edge.bench_report import Baseline, Sizes
from edge.bench_workload import make_workload
from edge.columns import Columns
from edge.health import Tally
from edge.read_ring import ReadRing
from edge.wire_scan import WireScan
from readers.framing import StreamDecoder
from readers.magicrf_m100 import answers as m100
from readers.magicrf_m100.codec import FrameDecoder as M100Decoder
from readers.magicrf_m100.scan import NOTICE
from readers.mercury import answers as mercury
from readers.mercury.codec import AnswerDecoder
from readers.mercury.scan import STREAM
from readers.model import Chunk
from readers.ports import READ_BYTES
from readers.r2000_a0 import answers as r2000
from readers.r2000_a0.codec import FrameDecoder as R2000Decoder
from readers.r2000_a0.scan import REPORTS
from readers.uhfreader18 import answers as uhfreader18
from readers.uhfreader18.codec import Frame as UhfFrame
from readers.uhfreader18.codec import FrameDecoder as UhfDecoder
from readers.uhfreader18.commands import Dialect
from readers.uhfreader18.scan import wire_18, wire_288
from readers.wire_format import WireFormat

BASELINE_BYTES = 1 << 18
ROOM = 4096
MAX_LOST = 0.001
ANTENNAS = {number: number - 1 for number in range(1, 5)}


@dataclass(frozen=True, slots=True)
class Spoken:
    """A protocol and what of it is measured.

    Args:
        parse: a frame of the decoder's as what it says of tags.
    """

    name: str
    wire: WireFormat
    make_frames: Callable[[Columns], Bytes]
    new_decoder: Callable[[], StreamDecoder[Any]]
    parse: Callable[[Any], object]


class ProtocolScan(msgspec.Struct, frozen=True, kw_only=True):
    """One protocol.

    Args:
        lost_reads: taken for a part of something else: where no byte marks a start and the check has 16 bits, one byte of
            noise in 65 536 begins a false frame, which may swallow a dozen true ones; the codec reads the same.
        discarded_bytes: of the noise.
    """

    protocol: str
    frames: int
    reads: int
    lost_reads: int
    bytes_per_frame: int
    ns_per_frame: float
    passes_ns_per_frame: list[float]
    frames_per_s: int
    discarded_bytes: int
    baseline: Baseline


class ScanResult(msgspec.Struct, frozen=True, kw_only=True):
    """Frames found, structure, check and tag CRC verified, and written as rows; chunks as large as a port gives.

    Processor time, so that it is one core's rate also where others use it, too.

    Args:
        noise: share of the frames that are followed by 1 to 8 random bytes.
        slowest, ns_per_frame, frames_per_s, baseline: of the protocol that takes longest for a frame of one read.
    """

    name: str = "scan"
    noise: float
    bytes_per_chunk: int
    slowest: str
    ns_per_frame: float
    frames_per_s: int
    measured: list[ProtocolScan]
    baseline: Baseline


def bench_scan(sizes: Sizes) -> Iterator[ScanResult]:
    """A stream of reports with noise between them, in memory, for each protocol."""
    columns = make_workload(sizes.read_count, 1000).columns
    measured = [_measure(spoken, columns, sizes.passes) for spoken in _protocols()]
    slowest = max((each for each in measured if each.reads <= each.frames), key=lambda each: each.ns_per_frame)
    yield ScanResult(
        noise=NOISE,
        bytes_per_chunk=READ_BYTES,
        slowest=slowest.protocol,
        ns_per_frame=slowest.ns_per_frame,
        frames_per_s=slowest.frames_per_s,
        measured=measured,
        baseline=slowest.baseline,
    )


def _protocols() -> Sequence[Spoken]:
    def old(frame: UhfFrame) -> object:
        return uhfreader18.parse_sighting(frame, Dialect.OLD)

    def new(frame: UhfFrame) -> object:
        return uhfreader18.parse_sighting(frame, Dialect.NEW)

    wire_old, wire_new = wire_18(assumed_dbm=-60), wire_288()
    return (
        Spoken("magicrf-m100", NOTICE, bench_frames.make_frames, M100Decoder, m100.parse_tag_notice),
        Spoken("r2000-a0", REPORTS, bench_frames.make_r2000_frames, R2000Decoder, r2000.parse_inventory),
        Spoken("uhfreader18 active", wire_old, bench_frames.make_reports_18, UhfDecoder, old),
        Spoken("uhfreader288 active", wire_new, bench_frames.make_reports_288, UhfDecoder, new),
        Spoken("uhfreader18 inventory", wire_old, bench_frames.make_answers_18, UhfDecoder, old),
        Spoken("uhfreader288 inventory", wire_new, bench_frames.make_answers_288, UhfDecoder, new),
        Spoken("mercury", STREAM, bench_frames.make_short_mercury_frames, AnswerDecoder, mercury.parse_tag),
        Spoken("mercury 0x01FF", STREAM, bench_frames.make_mercury_frames, AnswerDecoder, mercury.parse_tag),
    )


def _measure(spoken: Spoken, columns: Columns, passes: int) -> ProtocolScan:
    frames = spoken.make_frames(columns)
    reads = len(columns) // len(frames) * len(frames)  # of an answer that is not full nothing is sent
    stream = with_noise(frames, np.random.default_rng(1))
    chunks = [Chunk(stream[at : at + READ_BYTES], 1) for at in range(0, len(stream), READ_BYTES)] + [Chunk(b"", 1)]
    each_ns, found, discarded_bytes = [], 0, 0
    for _ in range(passes + 1):
        elapsed_s, found, discarded_bytes = _scan(spoken.wire, chunks)
        each_ns.append(1e9 * elapsed_s / len(frames))
    if not reads * (1 - MAX_LOST) < found <= reads:
        raise AssertionError(f"{found} of {reads} reads of {spoken.name} found")
    median_ns = statistics.median(each_ns[1:])
    return ProtocolScan(
        protocol=spoken.name,
        frames=len(frames),
        reads=found,
        lost_reads=reads - found,
        bytes_per_frame=frames.shape[1],
        ns_per_frame=round(median_ns, 1),
        passes_ns_per_frame=[round(each, 1) for each in each_ns[1:]],
        frames_per_s=round(1e9 / median_ns),
        discarded_bytes=discarded_bytes,
        baseline=_measure_codec(spoken, stream[:BASELINE_BYTES], median_ns),
    )


def _scan(wire: WireFormat, chunks: list[Chunk]) -> tuple[float, int, int]:
    """Seconds, reads, and the bytes of noise."""
    ring = ReadRing(ROOM)
    stream, reads, discarded_bytes = WireScan(wire, ANTENNAS, ring, Tally()), 0, 0
    start_s = time.thread_time()
    for chunk in chunks:
        found = stream.take(chunk)
        reads += found.reads
        discarded_bytes += found.discarded_bytes
    return time.thread_time() - start_s, reads, discarded_bytes


def _measure_codec(spoken: Spoken, data: bytes, median_ns: float) -> Baseline:
    decoder, tags = spoken.new_decoder(), []
    start_s = time.thread_time()
    for frame in decoder.feed(data):
        tags.append(spoken.parse(frame))
    each_ns = 1e9 * (time.thread_time() - start_s) / len(tags)
    name = f"the Python codec, an object per frame, first {len(tags)} frames"
    return Baseline(name=name, ns_each=round(each_ns, 1), ratio=round(each_ns / median_ns, 1))
