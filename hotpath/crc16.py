"""Any CRC-16 over bytes, eight at a step ("slicing by 8"): tables that the host makes, and the kernel that follows them.

The state is kept as the CRC stands in memory, its first byte lowest, which is the natural form of a CRC whose low bits go
first.  One whose high bits go first has its table's entries with their two bytes swapped; its state is then swapped as
well, and both kinds are one kernel.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import hot_kernel, load_word

_EIGHT = np.uint64(8)
_BYTE = np.uint64(0xFF)
_BYTES_A_STEP = 8


@cache
def make_reflected_table(polynomial: int) -> NDArray[np.uint16]:
    """Of a CRC whose low bits go first: uint16[8 * 256].

    Args:
        polynomial: its bits reversed, as 0x8408 for x^16 + x^12 + x^5 + 1.
    """
    table = np.arange(256, dtype=np.uint16)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ polynomial, table >> 1).astype(np.uint16)
    return _with_steps(table)


@cache
def make_table(polynomial: int) -> NDArray[np.uint16]:
    """Of a CRC whose high bits go first, as 0x1021 for the same polynomial: uint16[8 * 256]."""
    table = np.arange(256, dtype=np.uint16) << np.uint16(8)
    for _ in range(8):
        table = np.where(table & 0x8000, table << 1 ^ polynomial, table << 1).astype(np.uint16)
    return _with_steps(table.byteswap())


def _with_steps(table: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The table of one byte, then of that byte with one to seven zeroes behind it."""
    steps = [table]
    for _ in range(_BYTES_A_STEP - 1):
        steps.append(steps[-1] >> 8 ^ table[steps[-1] & 0xFF])
    made = np.concatenate(steps).astype(np.uint16)
    made.setflags(write=False)
    return made


@hot_kernel
def crc16(table: NDArray[np.uint16], data: NDArray[np.uint8], at: int, end: int, crc: int) -> int:
    """The CRC over `data[at:end]`, begun with `crc`, both with the byte that goes first over the wire lowest.

    What is more than a multiple of eight goes first, behind as many zeroes as it takes: zeroes leave a state of zero as it
    is, and the beginning state is added to the bytes it meets, so one is as good as eight.  Eight bytes must be there to
    load from `at`, whether they belong to the message or not.
    """
    state = np.uint64(crc)
    odd = (end - at) % _BYTES_A_STEP
    if odd:
        bits = np.uint64(odd) * _EIGHT
        first = (load_word(data, at) ^ state) << (np.uint64(64) - bits)
        state = _step(table, first, np.uint64(0)) ^ (state >> bits)
        at += odd
    while at < end:
        state = _step(table, load_word(data, at), state)
        at += _BYTES_A_STEP
    return np.int64(state)  # type: ignore[return-value]


@hot_kernel
def _step(table: NDArray[np.uint16], word: np.uint64, state: np.uint64) -> np.uint64:
    """The state after the eight bytes of `word`.  Only its first two meet the state before: they are added last."""
    after = np.uint64(0)
    for i in range(2, _BYTES_A_STEP):
        after ^= _effect(table, word, i)
    return after ^ _effect(table, word ^ state, 0) ^ _effect(table, word ^ state, 1)


@hot_kernel
def _effect(table: NDArray[np.uint16], word: np.uint64, i: int) -> np.uint64:
    """What the `i`-th byte of a word does to the state at the word's end."""
    return np.uint64(table[np.uint64(256 * (_BYTES_A_STEP - 1 - i)) + (word >> np.uint64(8 * i) & _BYTE)])
