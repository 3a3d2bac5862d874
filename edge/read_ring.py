"""Reads that wait for the engine, in columns that are used round and round: no object per read, no copy on the way out."""

import numpy as np

from edge.columns import CRC_UNKNOWN, MAX_EPC_BYTES, MAX_EPC_WORDS, Columns, make_columns, to_cdbm
from readers.model import Read


class ReadRing:
    """Waiting reads, in the order in which they came; of too many the oldest are overwritten.

    A writer asks for `room`, fills rows of `columns` from there and says how many it `wrote`; the engine is fed the
    `front`, whose rows stay as they are until the next write, and then that many are `done`.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a ring of {capacity} reads holds nothing")
        self.columns = make_columns(capacity)
        self._capacity, self._first, self._count = capacity, 0, 0

    def __len__(self) -> int:
        return self._count

    def room(self) -> tuple[int, int]:
        """The next row to write, and the row to stop before: the end of the memory, not the oldest read."""
        return (self._first + self._count) % self._capacity, self._capacity

    def wrote(self, rows: int) -> int:
        """Rows have been filled from `room` on; returns how many waiting reads they have overwritten."""
        self._count += rows
        lost = max(self._count - self._capacity, 0)
        self.done(lost)
        return lost

    def front(self, limit: int) -> Columns:
        """The oldest reads, at most `limit` of them; fewer than wait where the memory's end cuts them."""
        return self.columns.part(self._first, min(self._first + min(self._count, limit), self._capacity))

    def done(self, rows: int) -> None:
        """That many of the oldest reads wait no longer."""
        self._first = (self._first + rows) % self._capacity
        self._count -= rows

    def put(self, read: Read, antenna_index: int) -> int:
        """Add one read; returns how many were overwritten by it.

        The signal is clamped to what 16 bits hold.  An EPC that does not fit keeps a length that the engine refuses.
        """
        (row, _), columns, size = self.room(), self.columns, len(read.epc)
        columns.t_ns[row] = read.read_at_ns
        columns.antenna[row] = antenna_index
        columns.epc[row] = np.frombuffer(read.epc[:MAX_EPC_BYTES].ljust(8 * MAX_EPC_WORDS, b"\0"), np.uint64)
        columns.epc_len[row] = min(size, MAX_EPC_BYTES + 1)
        columns.rssi_cdbm[row] = to_cdbm(read.rssi_dbm)
        columns.crc_ok[row] = CRC_UNKNOWN if read.crc_ok is None else int(read.crc_ok)
        return self.wrote(1)
