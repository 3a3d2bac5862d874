"""Compiles every kernel that is called from Python, before the first read waits for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from hotpath import dedup, index, members, presence, record
from hotpath._jit import keep_compiled
from hotpath.memory import allocate, no_prefixes

Progress = Callable[[str, int, int], None]
"""Told before each step: what is compiled, and the how manyth of how many it is."""

ENTRY_POINTS = (
    members.fill_slots,
    members.match,
    members.hash_cards,
    index.rebuild,
    dedup.suppress_repeats,
    presence.tick,
    presence.recheck_person,
    presence.feed,
)


def warm_up(progress: Progress, cache_folder: Path | None = None) -> None:
    """Compile, or load from `cache_folder`, all kernels: seconds at the first start, well under one later.

    Args:
        cache_folder: a private folder (made with mode 0700); None: compile for this process only.

    Raises:
        CacheFolderError: the folder cannot be made, or others may write to it.
    """
    if cache_folder is not None:
        keep_compiled(ENTRY_POINTS, cache_folder)
    steps = _steps()
    for number, (name, run) in enumerate(steps, 1):
        progress(name, number, len(steps))
        run()


def _steps() -> list[tuple[str, Callable[[], object]]]:
    """Each kernel called once, on next to nothing, with arrays of just the types that it will meet."""
    zones, antennas = np.zeros(1, record.ZONE), np.zeros(1, record.ANTENNA)
    state = allocate(1, 0, zones, antennas, None, no_prefixes(), presence.EVENTS_PER_ROW)
    epc, epc_len = np.zeros((0, record.MAX_EPC_BYTES), np.uint8), np.zeros(0, np.uint8)
    times, found = np.zeros(0, np.int64), np.zeros(0, np.int64)
    row = (times, np.zeros(0, np.uint16), epc, epc_len, np.zeros(0, np.int16), np.zeros(0, np.int8))
    key, rows, slots = state.member_key, state.member_rows, state.member_slots
    return [
        ("member table", lambda: members.fill_slots(rows, slots)),
        ("member match", lambda: members.match(key, rows, slots, epc, epc_len, found, members.make_ahead())),
        ("card hashes", lambda: members.hash_cards(key, epc, epc_len, np.zeros((0, 2), np.uint64))),
        ("tag index", lambda: index.rebuild(state)),
        ("repeats", lambda: dedup.suppress_repeats(found, times, 1, times, np.zeros(0, np.bool_))),
        ("deadlines", lambda: presence.tick(state, 0)),
        ("withdrawal", lambda: presence.recheck_person(_with_one_tag(state), 0)),
        ("presence", lambda: presence.feed(state, *row, 0, 0)),
    ]


def _with_one_tag(state: record.State) -> record.State:
    """`state` with a candidate in it, that may be erased again."""
    state.tags[0]["state"], state.tags[0]["kind"] = record.CANDIDATE, record.PERSON
    state.numbers[record.HEAP_SIZE], state.numbers[record.FREE_COUNT] = 1, 0
    index.rebuild(state)
    return state
