"""Waiting reads in columns: nothing is lost but the oldest of too many, and that is counted."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.columns import CRC_UNKNOWN
from edge.read_ring import ReadRing
from readers.model import Epc, Read, ReaderId

ITEM = bytes.fromhex("3034257bf400cb0000000001")


def a_read(epc: bytes, at_ns: int = 5, rssi_dbm: float = -50.0, crc_ok: bool | None = None) -> Read:
    return Read(Epc(epc), ReaderId("r"), 1, rssi_dbm, at_ns, crc_ok)


Step = st.tuples(st.sampled_from(["put", "write", "take"]), st.integers(0, 9))


@given(st.integers(1, 7), st.lists(Step, max_size=60))
def test_it_is_a_queue_that_drops_its_oldest(capacity: int, steps: list[tuple[str, int]]) -> None:
    ring, model, clock = ReadRing(capacity), deque[int](), 0
    for step, count in steps:
        if step == "take":
            columns = ring.front(count)
            taken = columns.t_ns.tolist()
            assert len(taken) <= count
            assert bool(taken) == bool(model and count)
            assert taken == [model.popleft() for _ in taken]
            ring.done(len(taken))
            continue
        row, stop = ring.room()
        assert row < stop
        if step == "put":
            lost, written = ring.put(a_read(ITEM, clock), 0), 1
        else:
            written = min(count, stop - row)
            ring.columns.t_ns[row : row + written] = np.arange(clock, clock + written)
            lost = ring.wrote(written)
        model.extend(range(clock, clock + written))
        clock += written
        assert lost == max(len(model) - capacity, 0)
        for _ in range(lost):
            model.popleft()
        assert len(ring) == len(model)
    rest = []
    while len(ring):
        columns = ring.front(100)
        rest += columns.t_ns.tolist()
        ring.done(len(columns))
    assert rest == list(model)


def test_a_read_becomes_a_row() -> None:
    ring = ReadRing(2)
    ring.put(a_read(bytes(range(62)), 5, float("nan"), crc_ok=False), 3)
    ring.put(a_read(ITEM, 6, 1e9, crc_ok=True), 4)
    columns = ring.front(2)
    assert columns.rssi_cdbm.tolist() == [-32768, 32767]
    assert (columns.crc_ok.tolist(), columns.antenna.tolist(), columns.t_ns.tolist()) == ([0, 1], [3, 4], [5, 6])
    assert columns.epc_len.tolist() == [62, 12]
    assert columns.epc_bytes[0].tobytes() == bytes(range(62)) + bytes(2)
    ring.put(a_read(b"\x01"), 0)
    assert ring.columns.epc_bytes[0].tobytes() == b"\x01" + bytes(63), "nothing is left of the longer one before it"
    assert ring.columns.crc_ok[0] == CRC_UNKNOWN


def test_an_epc_that_does_not_fit_is_left_for_the_engine_to_refuse_and_count() -> None:
    ring = ReadRing(3)
    for epc in (b"", bytes(63), bytes(1000)):
        ring.put(a_read(epc), 0)
    assert ring.front(3).epc_len.tolist() == [0, 63, 63]


def test_a_ring_that_holds_nothing_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="holds nothing"):
        ReadRing(0)
