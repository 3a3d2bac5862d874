"""What the kernels compare with: the same store watched in plain Python with dictionaries, doing less."""

from collections.abc import Iterable
from dataclasses import dataclass

from edge.columns import Columns

SWEEP_NS = 1_000_000_000
WINDOW_NS = 2_000_000_000
DEPART_NS = 10_000_000_000
NEVER = -(1 << 62)
SMOOTHING_SHIFT = 2
MOVE_CDBM = 600
EPC_BYTES = 12

Row = tuple[int, int, bytes, int]
"""Time, zone, EPC, signal in hundredths of a dBm."""


@dataclass(slots=True)
class Counts:
    """What was seen: reads that passed the window, changes of place, and members among the reads that passed."""

    kept: int = 0
    arrivals: int = 0
    moves: int = 0
    departures: int = 0
    hits: int = 0


@dataclass(slots=True)
class _Tag:
    zone: int
    cdbm: int
    last_ns: int


def make_rows(columns: Columns) -> list[Row]:
    """The reads as a Python program would have them."""
    epcs = [row[:EPC_BYTES].tobytes() for row in columns.epc_bytes]
    return list(zip(columns.t_ns.tolist(), columns.antenna.tolist(), epcs, columns.rssi_cdbm.tolist(), strict=True))


def watch_with_dicts(rows: Iterable[Row], members: set[bytes]) -> Counts:
    """Window de-duplication, smoothed signal, arrive / move / depart with a sweep each second, member look-up.

    One read makes an arrival, and a place is the last one that was 6 dB stronger: none of the engine's confirmation,
    means or ordered deadlines.  `tests/peers/window.cpp` does exactly the same.
    """
    tags: dict[bytes, _Tag] = {}
    kept: dict[tuple[bytes, int], int] = {}
    counts, sweep_ns = Counts(), NEVER
    for t_ns, zone, epc, cdbm in rows:
        if t_ns >= sweep_ns:
            gone = [epc for epc, tag in tags.items() if t_ns - tag.last_ns > DEPART_NS]
            for each in gone:
                del tags[each]
            counts.departures += len(gone)
            sweep_ns = t_ns + SWEEP_NS
        if t_ns - kept.get((epc, zone), NEVER) >= WINDOW_NS:
            kept[epc, zone] = t_ns
            counts.kept += 1
            counts.hits += epc in members
        tag = tags.get(epc)
        if tag is None:
            tags[epc] = _Tag(zone, cdbm, t_ns)
            counts.arrivals += 1
            continue
        tag.last_ns = t_ns
        if tag.zone == zone:
            tag.cdbm += (cdbm - tag.cdbm) >> SMOOTHING_SHIFT
        elif cdbm > tag.cdbm + MOVE_CDBM:
            tag.zone, tag.cdbm = zone, cdbm
            counts.moves += 1
    return counts
