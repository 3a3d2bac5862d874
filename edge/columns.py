"""Reads as columns: what the kernels take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_EPC_BYTES = 62
"""496 bits, the longest EPC that a Gen2 tag's PC word can announce."""

MIN_EPC_WORDS, MAX_EPC_WORDS = 2, 8

_TYPES = tuple(np.dtype(each) for each in (np.int64, np.uint16, np.uint64, np.uint8, np.int16, np.int8))

CRC_RIGHT, CRC_WRONG, CRC_UNKNOWN = 1, 0, -1

_LOWEST_CDBM, _HIGHEST_CDBM = -32768, 32767


@dataclass(frozen=True, slots=True)
class Columns:
    """A batch of reads, in the order in which they came.  All arrays have the same length n.

    Args:
        t_ns: int64, UTC.
        antenna: uint16, index into `Layout.antennas`.
        epc: uint64[n, w], zero-padded, as little-endian words: `epc_bytes` shows the bytes.  `w` is 2 to 8, enough for the
            longest EPC of the batch: the fewer, the less memory there is to read.
        epc_len: uint8, bytes.
        rssi_cdbm: int16, hundredths of a dBm.
        crc_ok: int8, the tag's own CRC: 1 right, 0 wrong, -1 unknown.
    """

    t_ns: NDArray[np.int64]
    antenna: NDArray[np.uint16]
    epc: NDArray[np.uint64]
    epc_len: NDArray[np.uint8]
    rssi_cdbm: NDArray[np.int16]
    crc_ok: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.t_ns)

    @property
    def epc_bytes(self) -> NDArray[np.uint8]:
        """The EPCs as uint8[n, 8 * w], the same memory."""
        return self.epc.view(np.uint8)

    def __post_init__(self) -> None:
        """See that the kernels can take these as they are, because they do not look again.

        Raises:
            ValueError: an array is of another type or length, has gaps, or EPCs have too few words.
        """
        if not self._is_plain():
            raise ValueError(
                f"columns are arrays of one length, of their types, without gaps; EPCs of {MIN_EPC_WORDS} words or more"
            )

    def _is_plain(self) -> bool:
        arrays = self.t_ns, self.antenna, self.epc, self.epc_len, self.rssi_cdbm, self.crc_ok
        return (
            tuple(each.ndim for each in arrays) == (1, 1, 2, 1, 1, 1)
            and len({len(each) for each in arrays}) == 1
            and tuple(each.dtype for each in arrays) == _TYPES
            and all(each.flags.c_contiguous and each.flags.aligned for each in arrays)
            and self.epc.shape[1] >= MIN_EPC_WORDS
        )

    def part(self, start: int, stop: int) -> "Columns":
        """Rows `start` to `stop`, without copying."""
        cut = slice(start, stop)
        return Columns(
            self.t_ns[cut], self.antenna[cut], self.epc[cut], self.epc_len[cut], self.rssi_cdbm[cut], self.crc_ok[cut]
        )


def make_columns(capacity: int, words: int = MAX_EPC_WORDS) -> Columns:
    """Zeroed columns of `capacity` rows, for a caller who fills them itself; every CRC unknown.

    Args:
        words: of an EPC; 2 hold EPCs of up to 16 bytes.
    """
    return Columns(
        np.zeros(capacity, np.int64),
        np.zeros(capacity, np.uint16),
        np.zeros((capacity, words), np.uint64),
        np.zeros(capacity, np.uint8),
        np.zeros(capacity, np.int16),
        np.full(capacity, CRC_UNKNOWN, np.int8),
    )


def to_cdbm(rssi_dbm: float) -> int:
    """Hundredths of a dBm, clamped to 16 bits; a signal that is not a number counts as the weakest."""
    if rssi_dbm != rssi_dbm:  # NaN
        return _LOWEST_CDBM
    return round(min(max(rssi_dbm * 100, _LOWEST_CDBM), _HIGHEST_CDBM))
