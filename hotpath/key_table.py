"""A table that numbers byte strings in the order in which they first come: the EPCs of a log, the names of its antennas.

Open addressing over a keyed multilinear hash (strongly universal), so that crafted keys cost what random ones cost.
Source: Lemire and Kaser, Strongly universal string hashing is fast, 2013.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, hot_kernel

MAX_KEY_BYTES = 512
NO_ROOM = -1
ABSENT = -1
_32 = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


class KeyTable(NamedTuple):
    """The table's memory; the caller allocates it, the kernels change it in place.

    Args:
        slots: u8, a power of two, at most half full; 0, or hash << 32 | number + 1.
        ends: i8[capacity + 1]; key n is `pool[ends[n] : ends[n + 1]]`.
        pool: u1, the keys one after the other.
        hash_keys: u8[514], random.
        held: i8[1], how many keys.
    """

    slots: NDArray[np.uint64]
    ends: NDArray[np.int64]
    pool: NDArray[np.uint8]
    hash_keys: NDArray[np.uint64]
    held: NDArray[np.int64]


def make_key_table(capacity: int, pool_bytes: int, seed: int) -> KeyTable:
    """An empty table with room for so many keys of so many bytes in all."""
    return KeyTable(
        np.zeros(1 << max(4, (2 * capacity - 1).bit_length()), np.uint64),
        np.zeros(capacity + 1, np.int64),
        np.zeros(pool_bytes, np.uint8),
        np.random.Generator(np.random.PCG64(seed)).integers(0, 1 << 64, MAX_KEY_BYTES + 2, np.uint64),
        np.zeros(1, np.int64),
    )


def grow(table: KeyTable) -> KeyTable:
    """A table of twice the room with the same keys and numbers."""
    count = int(table.held[0])
    ends = np.zeros(2 * len(table.ends) - 1, np.int64)
    ends[: count + 1] = table.ends[: count + 1]
    pool = np.zeros(2 * len(table.pool), np.uint8)
    pool[: ends[count]] = table.pool[: ends[count]]
    larger = KeyTable(np.zeros(2 * len(table.slots), np.uint64), ends, pool, table.hash_keys, table.held)
    fill_slots(larger)
    return larger


@hot_kernel
def _hash(hash_keys: NDArray[np.uint64], key: NDArray[np.uint8], first: int, size: int) -> np.uint64:
    total = hash_keys[0] + hash_keys[1] * np.uint64(size)
    for i in range(size):
        total += hash_keys[i + 2] * np.uint64(key[first + i])
    return np.uint64(total >> _32)


@hot_kernel
def _is_key(table: KeyTable, number: int, key: NDArray[np.uint8], size: int) -> bool:
    first = table.ends[number]
    if table.ends[number + 1] - first != size:
        return False
    for i in range(size):  # noqa: SIM110 - a kernel
        if table.pool[first + i] != key[i]:
            return False
    return True


@hot_kernel
def find(table: KeyTable, key: NDArray[np.uint8], size: int) -> int:
    """The number of `key[:size]`, or ABSENT."""
    wanted = _hash(table.hash_keys, key, 0, size)
    mask = table.slots.shape[0] - 1
    at = np.int64(wanted) & mask
    while table.slots[at] != 0:
        entry = table.slots[at]
        number = int(np.int64(entry & _LOW)) - 1
        if entry >> _32 == wanted and _is_key(table, number, key, size):
            return int(number)
        at = (at + 1) & mask
    return ABSENT


@hot_kernel
def add(table: KeyTable, key: NDArray[np.uint8], size: int) -> int:
    """The number of a key that is not in the table, from now on; or NO_ROOM, and nothing is changed."""
    number = table.held[0]
    first = table.ends[number]
    if number + 1 == table.ends.shape[0] or first + size > table.pool.shape[0]:
        return NO_ROOM
    for i in range(size):
        table.pool[first + i] = key[i]
    table.ends[number + 1] = first + size
    table.held[0] = number + 1
    _enter(table, int(number))
    return int(number)


@hot_kernel
def _enter(table: KeyTable, number: int) -> None:
    first = table.ends[number]
    own = _hash(table.hash_keys, table.pool, first, table.ends[number + 1] - first)
    mask = table.slots.shape[0] - 1
    at = np.int64(own) & mask
    while table.slots[at] != 0:
        at = (at + 1) & mask
    table.slots[at] = own << _32 | np.uint64(number + 1)


@entry_kernel
def fill_slots(table: KeyTable) -> None:
    """Enter all keys into empty slots."""
    for number in range(table.held[0]):
        _enter(table, number)


@entry_kernel
def find_or_add(table: KeyTable, key: NDArray[np.uint8]) -> int:
    """The number of a key of 1 to 512 bytes, a new one if need be; NO_ROOM when the table must grow first."""
    number = find(table, key, key.shape[0])
    return number if number != ABSENT else add(table, key, key.shape[0])


@entry_kernel
def find_all(table: KeyTable, keys: NDArray[np.uint8], sizes: NDArray[np.uint8], found: NDArray[np.int64]) -> None:
    """Number many keys at once, ABSENT for those that are not in the table.

    Args:
        keys, sizes: [n, any], [n]; key n is `keys[n, : sizes[n]]`.
        found: [n], written.
    """
    for i in range(sizes.shape[0]):
        found[i] = find(table, keys[i], sizes[i])
