"""The tag index: open addressing with linear probing, a per-start key, and deletion by backward shift.

The hash is multilinear (strongly universal: for keys unknown to the sender any two EPCs collide with probability 2^-32)
and then stirred, since serials in sequence would stay an arithmetic progression, which linear probing pays for dearly.  So
crafted EPCs cost what random ones cost.  An insertion that would probe too far asks for a rebuild with new keys.
Source: Lemire and Kaser, Strongly universal string hashing is fast, 2013.
"""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, hot_kernel
from hotpath.record import EPC_WORDS, HOT_WORDS, State
from hotpath.words import EPC_AT, INDEX_KEYS, MEMBER_KEYS

Word = np.uint64
Words = NDArray[np.uint64]
MAX_PROBES = 96
ABSENT = -1
_LOW = Word(0xFFFFFFFF)
_32 = Word(32)
STIR = Word(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio, odd."""


def make_index_keys(seed: int) -> Words:
    """The keys that a seed gives."""
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 1 << 64, INDEX_KEYS, np.uint64)


def make_buckets(capacity: int) -> Words:
    """An empty index for so many tags, at most half full."""
    return np.zeros(1 << max(4, (2 * capacity - 1).bit_length()), np.uint64)


@hot_kernel
def hash_epc(keys: Words, epc: Words, row: int, size: int) -> Word:
    """32 bits in a word.

    Args:
        epc: [n, w], zero-padded; the first `size` bytes of `row` count.
    """
    first, second = epc[row, 0], epc[row, 1]
    total = keys[MEMBER_KEYS] + keys[MEMBER_KEYS + 1] * Word(size)
    total += keys[MEMBER_KEYS + 2] * (first & _LOW) + keys[MEMBER_KEYS + 3] * (first >> _32)
    total += keys[MEMBER_KEYS + 4] * (second & _LOW) + keys[MEMBER_KEYS + 5] * (second >> _32)
    for word in range(HOT_WORDS, (size + 7) >> 3):
        value = epc[row, word]
        total += keys[MEMBER_KEYS + 2 + 2 * word] * (value & _LOW) + keys[MEMBER_KEYS + 3 + 2 * word] * (value >> _32)
    return Word((total ^ total >> _32) * STIR >> _32)


@hot_kernel
def find_tag(state: State, epc: Words, row: int, size: int, wanted: Word) -> int:
    """The tag with this EPC and hash, or ABSENT."""
    mask = Word(state.buckets.shape[0] - 1)
    at = wanted & mask
    while state.buckets[at] != 0:
        entry = state.buckets[at]
        if entry >> _32 == wanted:
            tag = np.int64(entry & _LOW) - 1
            if is_epc(state, int(tag), epc, row, size):
                return int(tag)
        at = (at + Word(1)) & mask
    return ABSENT


@hot_kernel
def peek_tag(state: State, wanted: Word) -> int:
    """The tag that `find_tag` will most likely find, or ABSENT for sure; it looks at no record."""
    mask = Word(state.buckets.shape[0] - 1)
    at = wanted & mask
    while state.buckets[at] != 0:
        entry = state.buckets[at]
        if entry >> _32 == wanted:
            return int(np.int64(entry & _LOW) - 1)
        at = (at + Word(1)) & mask
    return ABSENT


@hot_kernel
def is_epc(state: State, tag: int, epc: Words, row: int, size: int) -> bool:
    """Whether a tag has this EPC."""
    hot = state.hot[tag]
    if hot["epc_len"] != size or hot["epc"][0] != epc[row, 0] or hot["epc"][1] != epc[row, 1]:
        return False
    for word in range(HOT_WORDS, (size + 7) // 8):  # noqa: SIM110 - numba has no generators
        if state.cold[tag]["tail"][word - HOT_WORDS] != epc[row, word]:
            return False
    return True


@entry_kernel
def enter(index: Words, tag: int, wanted: Word) -> bool:
    """Put a tag into the index; False when that would probe too far."""
    mask = Word(index.shape[0] - 1)
    at = wanted & mask
    for _ in range(MAX_PROBES):
        if index[at] == 0:
            index[at] = (wanted << _32) | Word(tag + 1)
            return True
        at = (at + Word(1)) & mask
    return False


@entry_kernel
def replace(index: Words, tag: int, other: int, wanted: Word) -> None:
    """Let a tag's place in the index be that of another one with the same EPC."""
    mask = Word(index.shape[0] - 1)
    at = wanted & mask
    while index[at] != (wanted << _32) | Word(tag + 1):
        at = (at + Word(1)) & mask
    index[at] = (wanted << _32) | Word(other + 1)


@entry_kernel
def leave(index: Words, tag: int, wanted: Word) -> None:
    """Take a tag out, and shift back what probed past it: no tombstones."""
    mask = Word(index.shape[0] - 1)
    hole = wanted & mask
    entry = (wanted << _32) | Word(tag + 1)
    while index[hole] != entry:
        hole = (hole + Word(1)) & mask
    at = (hole + Word(1)) & mask
    while index[at] != 0:
        home = (index[at] >> _32) & mask
        if ((at - home) & mask) >= ((at - hole) & mask):
            index[hole] = index[at]
            hole = at
        at = (at + Word(1)) & mask
    index[hole] = 0


@entry_kernel
def rebuild(state: State) -> bool:
    """Enter every tag anew, after the caller has changed the keys; False when some tag still probes too far."""
    state.buckets[:] = 0
    epc = state.words[EPC_AT:].reshape(1, EPC_WORDS)
    for tag in range(state.hot.shape[0]):
        hot = state.hot[tag]
        if hot["state"] == 0 or hot["epc_len"] == 0:
            continue
        copy_epc(state, tag, epc[0])
        wanted = hash_epc(state.words, epc, 0, hot["epc_len"])
        hot["hash"] = wanted
        if not enter(state.buckets, tag, wanted):
            return False
    return True


@hot_kernel
def copy_epc(state: State, tag: int, words: Words) -> None:
    """Write a tag's EPC into `words` [8]."""
    for word in range(EPC_WORDS):
        if word < HOT_WORDS:
            words[word] = state.hot[tag]["epc"][word]
        else:
            words[word] = state.cold[tag]["tail"][word - HOT_WORDS]
