"""Bytes of the wire as numbers, and an EPC's as the words of a column."""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import hot_kernel, load_word

_EIGHT = np.uint64(8)
_ONE = np.uint64(1)


@hot_kernel
def put_epc(data: NDArray[np.uint8], at: int, size: int, epc: NDArray[np.uint64], row: np.uint64) -> None:
    """Write an EPC as little-endian words, zeroes behind it."""
    for word in range(epc.shape[1]):
        left, value = size - 8 * word, np.uint64(0)
        if left > 0:
            value = load_word(data, at + 8 * word)
            if left < 8:
                value &= (_ONE << (_EIGHT * np.uint64(left))) - _ONE
        epc[row, np.uint64(word)] = value


@hot_kernel
def pair(data: NDArray[np.uint8], at: int) -> int:
    """Two bytes, big-endian."""
    return byte(data, at) << 8 | byte(data, at + 1)


@hot_kernel
def reversed_pair(data: NDArray[np.uint8], at: int) -> int:
    """Two bytes, little-endian, as `crc16` has its states."""
    return byte(data, at) | byte(data, at + 1) << 8


@hot_kernel
def byte(data: NDArray[np.uint8], at: int) -> int:
    """A byte as a number that does not wrap.  The index is unsigned so that nobody looks whether it is negative."""
    return np.int64(data[np.uint64(at)])  # type: ignore[return-value]
