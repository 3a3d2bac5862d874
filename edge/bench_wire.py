"""`tacet bench wire`: bytes in memory to events, wire scan, presence and match, beside the same with an object per read."""

import secrets
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from edge.bench_engine import KINDS, make_table, make_tracker
from edge.bench_frames import FRAME_BYTES, make_frames
from edge.bench_report import Baseline, Sizes
from edge.bench_workload import make_workload
from edge.health import Tally
from edge.member_file import OpenedMembers, index_members
from edge.pipeline import MAX_BATCH, MAX_WAITING_READS
from edge.presence import Tracker
from edge.read_ring import ReadRing
from edge.wire_scan import WireScan
from readers.magicrf_m100.answers import parse_tag_notice
from readers.magicrf_m100.codec import FrameDecoder
from readers.magicrf_m100.scan import NOTICE, ONLY_ANTENNA
from readers.model import Chunk, Epc, Read, ReaderId
from readers.ports import READ_BYTES

TTY_BYTES = 4096
"""What Linux hands over of a tty at once, at most."""
CHUNK_BYTES = (TTY_BYTES, READ_BYTES, 512)
BASELINE_CHUNKS = 200

Stream = Sequence[tuple[int, Chunk]]
"""Reader's number, and what came from it, in the order of coming."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Chunks of one size; `scan` and `presence` are the two parts of `ns_per_read`."""

    chunk_bytes: int
    ns_per_read: float
    passes_ns_per_read: list[float]
    scan_ns_per_read: float
    presence_ns_per_read: float
    events: dict[str, int]


class WireResult(msgspec.Struct, frozen=True, kw_only=True):
    """The headline (chunks as a tty gives them), then every measurement.

    Every reader has one antenna, and all reads of a chunk the time of its arrival.  Processor time, as in `bench scan`.
    """

    name: str = "wire"
    protocol: str = "magicrf-m100"
    reads: int
    readers: int
    members: int
    ns_per_read: float
    measured: list[Measured]
    baseline: Baseline


@dataclass(frozen=True, slots=True)
class Members:
    """A table and its key."""

    key: bytes
    table: OpenedMembers


def bench_wire(sizes: Sizes) -> Iterator[WireResult]:
    """The store of `bench presence` behind readers of one antenna each, all its reads as bytes in memory."""
    workload = make_workload(sizes.read_count, sizes.member_count)
    key = secrets.token_bytes(16)
    members = Members(key, index_members(make_table(workload.cards, key)))
    frames, readers = make_frames(workload.columns), workload.antennas
    measured = []
    for chunk_bytes in CHUNK_BYTES:
        stream = _cut(frames, workload.columns.antenna, workload.columns.t_ns, chunk_bytes // FRAME_BYTES)
        measured.append(_measure(stream, readers, members, sizes.passes, chunk_bytes))
    stream = _cut(frames, workload.columns.antenna, workload.columns.t_ns, TTY_BYTES // FRAME_BYTES)
    yield WireResult(
        reads=len(frames),
        readers=readers,
        members=len(workload.cards),
        ns_per_read=measured[0].ns_per_read,
        measured=measured,
        baseline=_measure_objects(stream[:BASELINE_CHUNKS], readers, members, measured[0].ns_per_read),
    )


def _cut(
    frames: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
    antenna: np.ndarray[tuple[int], np.dtype[np.uint16]],
    t_ns: np.ndarray[tuple[int], np.dtype[np.int64]],
    frames_per_chunk: int,
) -> Stream:
    """Each reader's frames in chunks, a chunk dated when its last frame came."""
    stream = []
    for reader in np.unique(antenna).tolist():
        own = np.flatnonzero(antenna == reader)
        for at in range(0, len(own), frames_per_chunk):
            part = own[at : at + frames_per_chunk]
            stream.append((reader, Chunk(frames[part].tobytes(), int(t_ns[part[-1]]))))
    return sorted(stream, key=lambda each: each[1].read_at_ns)


def _measure(stream: Stream, readers: int, members: Members, passes: int, chunk_bytes: int) -> Measured:
    reads = sum(len(chunk.data) for _, chunk in stream) // FRAME_BYTES
    runs, kinds = [], Counter[int]()
    for _ in range(passes):
        *seconds, kinds = _run(stream, readers, members)
        runs.append([1e9 * each / reads for each in seconds])
    whole = [sum(run) for run in runs]
    return Measured(
        chunk_bytes=chunk_bytes,
        ns_per_read=round(statistics.median(whole), 1),
        passes_ns_per_read=[round(each, 1) for each in whole],
        scan_ns_per_read=round(statistics.median(run[0] for run in runs), 1),
        presence_ns_per_read=round(statistics.median(run[1] for run in runs), 1),
        events={name: kinds[kind] for kind, name in enumerate(KINDS)},
    )


def _run(stream: Stream, readers: int, members: Members) -> tuple[float, float, Counter[int]]:
    """Seconds for the scan and for the engine, and the events, in a fresh state."""
    tracker, ring = _make_engine(readers, members), ReadRing(MAX_WAITING_READS)
    scans = [WireScan(NOTICE, {ONLY_ANTENNA: index}, ring, Tally()) for index in range(readers)]
    taken: list[bytes] = []
    scan_s = presence_s = 0.0
    start_s = time.thread_time()
    for reader, chunk in stream:
        scans[reader].take(chunk)
        if len(ring) >= MAX_BATCH:
            scanned_s = time.thread_time()
            scan_s += scanned_s - start_s
            _feed(tracker, ring, taken)
            start_s = time.thread_time()
            presence_s += start_s - scanned_s
    _feed(tracker, ring, taken)
    presence_s += time.thread_time() - start_s
    kinds: Counter[int] = Counter()
    for each in taken:
        kinds.update(each)
    return scan_s, presence_s, kinds


def _feed(tracker: Tracker, ring: ReadRing, taken: list[bytes]) -> None:
    while len(ring):
        columns = ring.front(MAX_BATCH)
        for events in tracker.feed_columns(columns):
            taken.append(events["kind"].tobytes())
        ring.done(len(columns))


def _make_engine(readers: int, members: Members) -> Tracker:
    tracker = make_tracker(readers)
    tracker.set_members(members.key, members.table)
    return tracker


def _measure_objects(stream: Stream, readers: int, members: Members, median_ns: float) -> Baseline:
    """The slow path of the agent: the codec, an object per read, the same engine."""
    tracker, ring = _make_engine(readers, members), ReadRing(MAX_WAITING_READS)
    decoders = [FrameDecoder() for _ in range(readers)]
    reads = 0
    start_s = time.thread_time()
    for reader, chunk in stream:
        for frame in decoders[reader].feed(chunk.data):
            tag = parse_tag_notice(frame)
            assert tag is not None
            read = Read(Epc(tag.epc), ReaderId("bench"), reader, tag.rssi_dbm, chunk.read_at_ns, tag.crc_ok)
            ring.put(read, reader)
            reads += 1
        _feed(tracker, ring, [])
    each_ns = 1e9 * (time.thread_time() - start_s) / reads
    name = f"the same with the Python codec and an object per read, first {reads} reads"
    return Baseline(name=name, ns_each=round(each_ns, 1), ratio=round(each_ns / median_ns, 1))
