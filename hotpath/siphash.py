"""SipHash-2-4 with 128-bit output over the rows of a column of EPCs."""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import hot_kernel

Word = np.uint64

_C0, _C1 = Word(0x736F6D6570736575), Word(0x646F72616E646F6D)
_C2, _C3 = Word(0x6C7967656E657261), Word(0x7465646279746573)
_EE, _DD = Word(0xEE), Word(0xDD)
_1, _3, _7 = Word(1), Word(3), Word(7)
_13, _16, _17, _21, _32, _56 = Word(13), Word(16), Word(17), Word(21), Word(32), Word(56)
_64 = Word(64)


@hot_kernel
def rotate(word: Word, bits: Word) -> Word:
    """`word` rotated left."""
    return (word << bits) | (word >> (_64 - bits))


@hot_kernel
def sip_round(v0: Word, v1: Word, v2: Word, v3: Word) -> tuple[Word, Word, Word, Word]:
    """One SipRound."""
    v0 = v0 + v1
    v1 = rotate(v1, _13) ^ v0
    v0 = rotate(v0, _32)
    v2 = v2 + v3
    v3 = rotate(v3, _16) ^ v2
    v0 = v0 + v3
    v3 = rotate(v3, _21) ^ v0
    v2 = v2 + v1
    v1 = rotate(v1, _17) ^ v2
    v2 = rotate(v2, _32)
    return v0, v1, v2, v3


@hot_kernel
def _last_word(words: NDArray[np.uint64], size: int) -> Word:
    """The bytes after the last whole word, and the size in the highest byte."""
    last, rest = Word(size) << _56, Word(size) & _7
    if rest != 0:  # else there may be no further word to read
        last |= words[np.int64(size) // 8] & ((_1 << (rest << _3)) - _1)
    return last


@hot_kernel
def siphash(k0: Word, k1: Word, words: NDArray[np.uint64], size: int) -> tuple[Word, Word]:
    """The hash of the first `size` bytes, as two little-endian words.

    Args:
        words: the bytes as little-endian words, so many that they hold `size` bytes; what lies beyond does not matter.

    Source: Aumasson and Bernstein, SipHash, reference implementation with 16-byte output.
    """
    v0, v1, v2, v3 = k0 ^ _C0, k1 ^ _C1 ^ _EE, k0 ^ _C2, k1 ^ _C3
    whole = np.int64(size) // 8
    for block in range(whole + 1):
        word = words[block] if block < whole else _last_word(words, size)
        v3 ^= word
        for _ in range(2):
            v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
        v0 ^= word
    v2 ^= _EE
    for _ in range(4):
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    first = v0 ^ v1 ^ v2 ^ v3
    v1 ^= _DD
    for _ in range(4):
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    return first, v0 ^ v1 ^ v2 ^ v3
