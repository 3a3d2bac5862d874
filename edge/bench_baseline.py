"""What the kernels compare with: the same store watched in plain Python with dictionaries, doing less."""

from edge.columns import Columns

SWEEP_NS = 1_000_000_000
WINDOW_NS = 2_000_000_000
DEPART_NS = 10_000_000_000
SMOOTHING = 0.2
MOVE_DB = 6.0


def watch_with_dicts(columns: Columns, members: set[bytes]) -> tuple[int, int, int, int]:
    """Window de-duplication, smoothed signal, arrive / move / depart with a sweep each second, member look-up.

    One read makes an arrival, and a place is the last one that was stronger: none of the engine's confirmation, means
    or ordered deadlines.  Returns arrivals, moves, departures and member reads.
    """
    tags: dict[bytes, list[float]] = {}
    kept: dict[tuple[bytes, int], int] = {}
    arrivals = moves = departures = hits = 0
    sweep_at = int(columns.t_ns[0]) + SWEEP_NS
    rows = zip(
        columns.t_ns.tolist(), columns.antenna.tolist(), columns.epc_bytes, columns.rssi_cdbm.tolist(), strict=True
    )
    for t_ns, zone, row, cdbm in rows:
        epc = row[:12].tobytes()
        if t_ns >= sweep_at:
            gone = [tag for tag, state in tags.items() if t_ns - state[2] > DEPART_NS]
            for tag in gone:
                del tags[tag]
            departures += len(gone)
            sweep_at = t_ns + SWEEP_NS
        if t_ns - kept.get((epc, zone), -WINDOW_NS) >= WINDOW_NS:
            kept[epc, zone] = t_ns
            hits += epc in members
        state = tags.get(epc)
        if state is None:
            tags[epc] = [zone, cdbm / 100, t_ns]
            arrivals += 1
        elif state[0] == zone:
            state[1] += SMOOTHING * (cdbm / 100 - state[1])
            state[2] = t_ns
        elif cdbm / 100 > state[1] + MOVE_DB:
            state[:] = zone, cdbm / 100, t_ns
            moves += 1
        else:
            state[2] = t_ns
    return arrivals, moves, departures, hits
