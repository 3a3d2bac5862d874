"""Compiles every kernel that is called from Python, before the first read waits for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from hotpath import expiry, goods, index, members, people, presence, record, scan, snapshot, warm_log, wire_layout
from hotpath._jit import keep_compiled, stop_keeping
from hotpath.crc16 import make_table
from hotpath.lists import PEOPLE_LIST
from hotpath.memory import allocate, no_prefixes

Group = Literal["engine", "logs"]
Progress = Callable[[str, int, int], None]
"""Told before each step: what is compiled, and the how manyth of how many it is."""

ENTRY_POINTS = (
    members.fill_slots,
    members.match,
    members.hash_cards,
    index.rebuild,
    scan.scan,
    presence.tick,
    presence.feed,
    people.recheck_persons,
    goods.mark_sold,
    snapshot.copy_kept,
    snapshot.put_back,
    snapshot.checksum,
)


def warm_up(progress: Progress, cache_folder: Path | None = None, group: Group = "engine") -> None:
    """Compile, or load from `cache_folder`, a group of kernels: seconds at the first start, well under one later.

    Args:
        cache_folder: as `keep_compiled` takes it; None: compile for this process only.
        group: the engine's, or those that read and write recorded logs.
    """
    entry_points = ENTRY_POINTS if group == "engine" else warm_log.ENTRY_POINTS
    steps = _steps() if group == "engine" else warm_log.log_steps()
    if cache_folder is not None:
        keep_compiled(entry_points, cache_folder)
    for number, (name, run) in enumerate(steps, 1):
        progress(name, number, len(steps))
        run()
    if cache_folder is not None:
        stop_keeping(entry_points)


def _steps() -> list[tuple[str, Callable[[], object]]]:
    """Each kernel called once, on next to nothing, with arrays of just the types that it will meet."""
    zones, antennas = np.zeros(1, record.ZONE), np.zeros(1, record.ANTENNA)
    state = allocate(1, 0, zones, antennas, no_prefixes(), expiry.EVENTS_PER_ROW, has_goods=False)
    epc, epc_len = np.zeros((0, record.EPC_WORDS), np.uint64), np.zeros(0, np.uint8)
    times, found = np.zeros(0, np.int64), np.zeros(0, np.int64)
    row = (times, np.zeros(0, np.uint16), epc, epc_len, np.zeros(0, np.int16), np.zeros(0, np.int8))
    key, rows, slots = np.zeros(2, np.uint64), state.member_rows, state.member_slots
    hot, cold = np.zeros(0, record.HOT), np.zeros(0, record.COLD)
    return [
        ("member table", lambda: members.fill_slots(rows, slots)),
        ("member match", lambda: members.match(key, rows, slots, epc, epc_len, found, members.make_ahead())),
        ("card hashes", lambda: members.hash_cards(key, epc, epc_len, np.zeros((0, 2), np.uint64))),
        ("tag index", lambda: index.rebuild(state)),
        ("wire scan", lambda: _scan_nothing(wire_layout.Rows(*row))),
        ("deadlines", lambda: presence.tick(state, 0)),
        ("presence", lambda: presence.feed(state, *row, 0, 0)),
        ("sold goods", lambda: goods.mark_sold(state, np.zeros((1, 8), np.uint64), 0, 0, 0, False)),
        ("snapshot", lambda: snapshot.copy_kept(state, hot, cold)),
        ("restart", lambda: snapshot.put_back(state, hot, cold)),
        ("checksum", lambda: snapshot.checksum(found.view(np.uint64))),
        ("withdrawal", lambda: people.recheck_persons(_with_one_person(state), np.zeros(1, np.int64), 0)),
    ]


def _scan_nothing(rows: wire_layout.Rows) -> None:
    table = make_table(0x1021)
    wire = wire_layout.Wire(
        np.zeros(1, wire_layout.FRAME), np.zeros(0, wire_layout.REPORT), np.zeros(256, np.int32), table, table
    )
    data, others, tally = (
        np.frombuffer(b"", np.uint8),
        np.zeros((0, 2), np.int64),
        np.zeros(wire_layout.TALLIES, np.int64),
    )
    scan.scan(wire, data, 0, 0, 0, 0, 0, rows, 0, 0, others, tally)


def _with_one_person(state: record.State) -> record.State:
    """`state` with a candidate in it, that may be erased again."""
    state.hot[0]["state"], state.hot[0]["kind"], state.hot[0]["epc_len"] = record.CANDIDATE, record.PERSON, 1
    state.cold[0]["older"] = state.cold[0]["newer"] = record.NOWHERE
    state.numbers[record.OLDEST + PEOPLE_LIST] = state.numbers[record.NEWEST + PEOPLE_LIST] = 0
    state.numbers[record.HEAP_SIZE], state.numbers[record.FREE_COUNT] = 1, 0
    index.rebuild(state)
    return state
