"""The tag index: open addressing with linear probing, a per-start key, and deletion by backward shift.

The hash is multilinear (strongly universal: for keys unknown to the sender any two EPCs collide with probability 2^-32),
so that crafted EPCs cost what random ones cost.  An insertion that would probe too far asks for a rebuild with new keys.
Source: Lemire and Kaser, Strongly universal string hashing is fast, 2013.
"""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, hot_kernel
from hotpath.record import MAX_EPC_BYTES, State

Word = np.uint64
KEYS = 18
"""One to start with, one per 32-bit word of the longest EPC, one for the length."""
MAX_PROBES = 96
ABSENT = -1
_LOW = Word(0xFFFFFFFF)
_32 = Word(32)


def make_hash_keys(seed: int) -> NDArray[np.uint64]:
    """The keys that a seed gives."""
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 1 << 64, KEYS, np.uint64)


def make_buckets(capacity: int) -> NDArray[np.uint64]:
    """An empty index for so many tags, at most half full."""
    return np.zeros(1 << max(4, (2 * capacity - 1).bit_length()), np.uint64)


@hot_kernel
def hash_epc(keys: NDArray[np.uint64], epc: NDArray[np.uint8], size: int) -> Word:
    """32 bits in a word."""
    total = keys[0] + keys[KEYS - 1] * Word(size)
    for word in range((size + 3) // 4):
        at = 4 * word
        value = Word(epc[at]) | Word(epc[at + 1]) << Word(8)
        if at + 3 < MAX_EPC_BYTES:  # 62 is no multiple of 4; rows are zero-padded
            value |= Word(epc[at + 2]) << Word(16) | Word(epc[at + 3]) << Word(24)
        total += keys[1 + word] * value
    return Word(total >> _32)


@hot_kernel
def find_tag(state: State, epc: NDArray[np.uint8], size: int, wanted: Word) -> int:
    """The tag with this EPC and hash, or ABSENT."""
    mask = state.buckets.shape[0] - 1
    at = np.int64(wanted) & mask
    while state.buckets[at] != 0:
        entry = state.buckets[at]
        if entry >> _32 == wanted:
            tag = np.int64(entry & _LOW) - 1
            if same_epc(state.tags[tag]["epc"], state.tags[tag]["epc_len"], epc, size):
                return int(tag)
        at = (at + 1) & mask
    return ABSENT


@hot_kernel
def same_epc(mine: NDArray[np.uint8], my_size: int, epc: NDArray[np.uint8], size: int) -> bool:
    """Whether two EPCs are equal."""
    if my_size != size:
        return False
    equal = True
    for byte in range(size):
        equal = equal and mine[byte] == epc[byte]
    return equal


@entry_kernel
def enter(index: NDArray[np.uint64], tag: int, wanted: Word) -> bool:
    """Put a tag into the index; False when that would probe too far."""
    mask = index.shape[0] - 1
    at = np.int64(wanted) & mask
    for _ in range(MAX_PROBES):
        if index[at] == 0:
            index[at] = (wanted << _32) | Word(tag + 1)
            return True
        at = (at + 1) & mask
    return False


@entry_kernel
def leave(index: NDArray[np.uint64], tag: int, wanted: Word) -> None:
    """Take a tag out, and shift back what probed past it: no tombstones."""
    mask = index.shape[0] - 1
    hole = np.int64(wanted) & mask
    entry = (wanted << _32) | Word(tag + 1)
    while index[hole] != entry:
        hole = (hole + 1) & mask
    at = (hole + 1) & mask
    while index[at] != 0:
        home = np.int64(index[at] >> _32) & mask
        if ((at - home) & mask) >= ((at - hole) & mask):
            index[hole] = index[at]
            hole = at
        at = (at + 1) & mask
    index[hole] = 0


@entry_kernel
def rebuild(state: State) -> bool:
    """Enter every tag anew, after the caller has changed `hash_keys`; False when some tag still probes too far."""
    state.buckets[:] = 0
    for tag in range(state.tags.shape[0]):
        record = state.tags[tag]
        if record["state"] != 0:
            wanted = hash_epc(state.hash_keys, record["epc"], record["epc_len"])
            record["hash"] = wanted
            if not enter(state.buckets, tag, wanted):
                return False
    return True
