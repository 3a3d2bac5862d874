"""What the benchmarks run on: a made-up store of the shape of DESIGN section 11, or arrays from outside."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from broker_config.errors import ConfigError
from edge.columns import CRC_UNKNOWN, Columns

NS_PER_S = 1_000_000_000
EPC_BYTES = 12
READS_PER_S = 50_000
ZONES = 200
READS_PER_TAG = 100
GHOSTS = 0.005
CARDS_READ = 500
START_NS = 1_700_000_000 * NS_PER_S

Epcs = NDArray[np.uint8]


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
    cards: Epcs


def make_workload(reads: int, members: int, seed: int = 1) -> Workload:
    """A store: tags read at very different rates, most reads repeats, some tags moving, half a percent of ghosts."""
    rng = np.random.default_rng(seed)
    tags = max(CARDS_READ + 1, reads // READS_PER_TAG)
    epcs = _random_epcs(rng, tags)
    cards = np.concatenate([epcs[:CARDS_READ], _random_epcs(rng, max(0, members - CARDS_READ))])
    weights = 1 / np.arange(1, tags + 1) ** 0.8
    tag = rng.choice(tags, reads, p=rng.permutation(weights / weights.sum()))
    t_ns = START_NS + np.sort(rng.integers(0, reads * NS_PER_S // READS_PER_S, reads))
    # Each tag changes its zone every 20 to 200 s; one read in fifty leaks into the next zone, weaker.
    stay_ns = rng.integers(20, 200, tags) * NS_PER_S
    zone = (rng.integers(0, ZONES, tags)[tag] + (t_ns - START_NS + tag * NS_PER_S) // stay_ns[tag]) % ZONES
    leaks = rng.random(reads) < 0.02
    rssi = rng.normal(-58, 3, reads) - 8 * leaks
    epc = epcs[tag]
    ghosts = rng.random(reads) < GHOSTS
    epc[ghosts] = _random_epcs(rng, int(ghosts.sum()))
    columns = _columns(t_ns, (zone + leaks) % ZONES, epc, (100 * rssi).astype(np.int16))
    return Workload(f"{reads} reads, {tags} tags, {ZONES} zones", columns, ZONES, cards)


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
    columns = _columns(t_ns, antenna, epc, rssi)
    return Workload(f"{len(t_ns)} reads of {reads.name}", columns, int(antenna.max()) + 1, cards.astype(np.uint8))


def _random_epcs(rng: np.random.Generator, count: int) -> Epcs:
    epcs = rng.integers(0, 256, (count, EPC_BYTES), np.uint8)
    epcs[:, 0] = 0x30
    return epcs


def _columns(t_ns: NDArray[np.int64], antenna: NDArray[np.int64], epc: Epcs, rssi: NDArray[np.int16]) -> Columns:
    rows = len(t_ns)
    return Columns(
        np.ascontiguousarray(t_ns, np.int64),
        antenna.astype(np.uint16),
        pad_epcs(epc),
        np.full(rows, epc.shape[1], np.uint8),
        rssi.astype(np.int16),
        np.full(rows, CRC_UNKNOWN, np.int8),
    )


def pad_epcs(epcs: Epcs) -> NDArray[np.uint64]:
    """EPCs of 12 bytes as the words that kernels take, two each."""
    padded = np.zeros((len(epcs), 2), np.uint64)
    padded.view(np.uint8)[:, : epcs.shape[1]] = epcs
    return padded
