"""What the benchmarks run on: a made-up store of the shape of DESIGN section 11, or arrays from outside."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from broker_config.errors import ConfigError
from edge.clock import NS_PER_S
from edge.columns import CRC_UNKNOWN, Columns

EPC_BYTES, EPC_WORDS = 12, 2
START_NS = 1_700_000_000 * NS_PER_S
SPAN_S = 100
ZONES = 200
READS_PER_TAG = 100
READS_PER_S = 30
GHOSTS = 0.005
CARDS_READ = 500
MOVERS, BETWEEN_ZONES, LEAKS, COME_BACK = 0.12, 0.08, 0.25, 0.2
REPEAT_WINDOW_NS = 2 * NS_PER_S
MIX = np.uint64(0x9E3779B97F4A7C15)

Bytes = NDArray[np.uint8]
Int64s = NDArray[np.int64]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a workload, counted; a repeat is a read within 2 s of the last counted one of its tag in its zone."""

    reads: int
    span_s: float
    epcs: int
    read_once: int
    zones: int
    repeats_percent: float


@dataclass(frozen=True, slots=True)
class Workload:
    """Reads, and the cards that are members' among them.

    Args:
        antennas: how many, a zone each.
        cards: uint8[m, 12].
    """

    name: str
    columns: Columns
    antennas: int
    cards: Bytes


@dataclass(frozen=True, slots=True)
class _Stays:
    """Who is in the field when: tag, first moment and length of each stay, by number; and how many reads it gives."""

    tag: Int64s
    start_ns: Int64s
    length_ns: Int64s
    reads: Int64s


def make_workload(reads: int, members: int, seed: int = 1) -> Workload:
    """100 s of a store: a tag for each hundred reads, read at Zipf-like rates, and half a percent of ghosts.

    A tag in the field is read about 30 times a second; how long it stays is what is Zipf-like, from half a second at a
    gate to all the time on a shelf.  One in eight moves on once, one in twelve lies between two zones, one in five comes
    back.  A ghost is a real read with three bits flipped.  Cards carry serial numbers in a row, as real ones do.
    """
    rng = np.random.default_rng(seed)
    tags = max(2 * CARDS_READ, reads // READS_PER_TAG)
    stays = _make_stays(rng, tags, reads)
    stay = np.repeat(np.arange(len(stays.tag)), stays.reads)
    share = rng.random(len(stay))
    t_ns = stays.start_ns[stay] + (share * stays.length_ns[stay]).astype(np.int64)
    order = np.argsort(t_ns, kind="stable")
    stay, share, t_ns = stay[order], share[order], t_ns[order]
    tag = stays.tag[stay]
    moved = (rng.random(tags) < MOVERS)[tag] & (share > 0.5)
    leaks = (rng.random(tags) < BETWEEN_ZONES)[tag] & (rng.random(len(tag)) < LEAKS)
    zone = (rng.integers(0, ZONES, tags)[tag] + moved + 2 * leaks) % ZONES
    rssi = rng.normal(-58, 4, tags)[tag] + rng.normal(0, 3, len(tag)) - 8 * leaks
    cards = make_cards(members)
    columns = _columns(t_ns, zone, _read_epcs(rng, tag, tags, cards), (100 * rssi).astype(np.int16))
    return Workload(f"{len(t_ns)} reads, {tags} tags, {ZONES} zones", columns, ZONES, cards)


def _make_stays(rng: np.random.Generator, tags: int, reads: int) -> _Stays:
    tag = np.concatenate([np.arange(tags), rng.integers(0, tags, round(tags * COME_BACK))])
    weights = 1 / (np.arange(len(tag)) + len(tag) / 1000)
    counts = rng.multinomial(reads, rng.permutation(weights / weights.sum()))
    span_ns = SPAN_S * NS_PER_S
    length_ns = np.minimum(counts * (NS_PER_S // READS_PER_S), span_ns)
    start_ns = START_NS + (rng.random(len(tag)) * (span_ns - length_ns)).astype(np.int64)
    return _Stays(tag, start_ns, length_ns, counts)


def _read_epcs(rng: np.random.Generator, tag: Int64s, tags: int, cards: Bytes) -> NDArray[np.uint64]:
    """The EPC of each read, ghosts among them; `CARDS_READ` of the tags carry one of the cards."""
    epcs = random_epcs(rng, tags)
    carriers = rng.permutation(tags)[: min(CARDS_READ, len(cards))]
    epcs[carriers] = cards[:: max(1, len(cards) // CARDS_READ)][: len(carriers)]
    words = pad_epcs(epcs)[tag]
    ghosts = np.flatnonzero(rng.random(len(tag)) < GHOSTS)
    flips = np.zeros((len(ghosts), EPC_BYTES), np.uint8)
    for _ in range(3):
        bit = rng.integers(0, 8 * EPC_BYTES, len(ghosts))
        flips[np.arange(len(ghosts)), bit // 8] ^= (1 << bit % 8).astype(np.uint8)
    words[ghosts] ^= pad_epcs(flips)
    return words


def make_cards(members: int) -> Bytes:
    """Members' cards: one prefix, serial numbers in a row."""
    cards = np.zeros((members, EPC_BYTES), np.uint8)
    cards[:, :8] = (0x30, 0x7A, 0xC3, 0x55, 0x10, 0x0F, 0x20, 0x00)
    cards[:, 8:] = np.arange(1_000_000, 1_000_000 + members, dtype=">u4").view(np.uint8).reshape(-1, 4)
    return cards


def load_workload(reads: Path, members: Path | None) -> Workload:
    """Arrays from outside: t_ns, antenna, epc [n, 12], rssi_cdbm in an .npz; members [m, 12] in an .npy.

    Raises:
        ConfigError: missing, or not of this shape.
    """
    try:
        with np.load(reads, allow_pickle=False) as arrays:
            t_ns, antenna, epc, rssi = (arrays[name] for name in ("t_ns", "antenna", "epc", "rssi_cdbm"))
        cards = np.zeros((0, EPC_BYTES), np.uint8) if members is None else np.load(members, allow_pickle=False)
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(f"cannot read the workload: {error}") from error
    shapes = (t_ns.ndim, antenna.shape, rssi.shape, epc.shape, cards.shape[1:])
    if shapes != (1, t_ns.shape, t_ns.shape, (len(t_ns), EPC_BYTES), (EPC_BYTES,)) or len(t_ns) == 0:
        raise ConfigError(
            f"{reads}: wants t_ns [n], antenna [n], epc [n, 12], rssi_cdbm [n], n above 0; members [m, 12]"
        )
    columns = _columns(t_ns, antenna, pad_epcs(epc.astype(np.uint8)), rssi)
    return Workload(f"{len(t_ns)} reads of {reads.name}", columns, int(antenna.max()) + 1, cards.astype(np.uint8))


def measure_shape(workload: Workload) -> Shape:
    """Count what is in a workload, by its columns alone."""
    from hotpath.dedup import suppress_repeats
    from hotpath.record import NEVER

    columns = workload.columns
    epc, places = fingerprints(columns.epc), np.uint64(workload.antennas)
    counts = np.unique(epc, return_counts=True)[1]
    pairs, source = np.unique(epc * places + columns.antenna, return_inverse=True)
    keep = np.zeros(len(columns), np.bool_)
    kept = suppress_repeats(
        source.astype(np.int64), columns.t_ns, REPEAT_WINDOW_NS, np.full(len(pairs), NEVER, np.int64), keep
    )
    return Shape(
        reads=len(columns),
        span_s=round(float(columns.t_ns.max() - columns.t_ns.min()) / NS_PER_S, 1),
        epcs=len(counts),
        read_once=int((counts == 1).sum()),
        zones=len(np.unique(columns.antenna)),
        repeats_percent=round(100 * (1 - kept / len(columns)), 1),
    )


def fingerprints(epc: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A word for each EPC, good enough to count them by."""
    mixed = np.zeros(len(epc), np.uint64)
    for word in epc.T:
        mixed = (mixed ^ word) * MIX
        mixed ^= mixed >> np.uint64(29)
    return mixed * MIX


def random_epcs(rng: np.random.Generator, count: int) -> Bytes:
    """EPCs of 12 bytes, an SGTIN's header and then anything."""
    epcs = rng.integers(0, 256, (count, EPC_BYTES), np.uint8)
    epcs[:, 0] = 0x30
    return epcs


def pad_epcs(epcs: Bytes) -> NDArray[np.uint64]:
    """EPCs of 12 bytes as the words that kernels take, two each."""
    padded = np.zeros((len(epcs), EPC_WORDS), np.uint64)
    padded.view(np.uint8)[:, : epcs.shape[1]] = epcs
    return padded


def make_reads(t_ns: Int64s, antenna: Int64s, epcs: Bytes) -> Columns:
    """Columns of these reads, all of the same signal."""
    return _columns(t_ns, antenna, pad_epcs(epcs), np.full(len(t_ns), -5500, np.int16))


def _columns(t_ns: Int64s, antenna: Int64s, epc: NDArray[np.uint64], rssi: NDArray[np.int16]) -> Columns:
    rows = len(t_ns)
    return Columns(
        np.ascontiguousarray(t_ns, np.int64),
        antenna.astype(np.uint16),
        epc,
        np.full(rows, EPC_BYTES, np.uint8),
        rssi.astype(np.int16),
        np.full(rows, CRC_UNKNOWN, np.int8),
    )
