"""Rows of integers written as lines of JSON, without an object per line."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, hot_kernel

# What a column holds: a number of `Texts` to be written as it is; of the other `Texts`; a whole number; hundredths, as a
# decimal; ns, as seconds.
TEXT, OTHER_TEXT, WHOLE, HUNDREDTHS, SECONDS = range(5)

MAX_NUMBER_BYTES = 24
_NS_PER_S = 1_000_000_000
_MINUS, _ZERO, _POINT = 45, 48, 46


class Texts(NamedTuple):
    """Numbered texts: n is `pool[ends[n] : ends[n + 1]]`, UTF-8, escaped for JSON where that is needed."""

    ends: NDArray[np.int64]
    pool: NDArray[np.uint8]


@entry_kernel
def write_lines(
    values: NDArray[np.int64],
    row: int,
    kinds: NDArray[np.int8],
    between: Texts,
    texts: Texts,
    others: Texts,
    out: NDArray[np.uint8],
) -> tuple[int, int]:
    """Write the lines of `values[row:]` to `out`, as many as fit.

    Args:
        values: [n, columns], what `kinds` says of each column; times are not negative.
        between: columns + 1 of them, what stands before each column, and what ends the line.

    Returns:
        the row to go on with, and how many bytes were written.
    """
    at, columns = 0, kinds.shape[0]
    while row < values.shape[0]:
        size = between.ends[columns + 1]
        for column in range(columns):
            size += _most_bytes(kinds[column], values[row, column], texts, others)
        if at + size > out.shape[0]:
            break
        for column in range(columns):
            at = _put_text(between, column, out, at)
            at = _put(kinds[column], values[row, column], texts, others, out, at)
        at = _put_text(between, columns, out, at)
        row += 1
    return row, at


@hot_kernel
def _most_bytes(kind: int, value: int, texts: Texts, others: Texts) -> int:
    if kind == TEXT:
        return int(texts.ends[value + 1] - texts.ends[value])
    if kind == OTHER_TEXT:
        return int(others.ends[value + 1] - others.ends[value])
    return MAX_NUMBER_BYTES


@hot_kernel
def _put(kind: int, value: int, texts: Texts, others: Texts, out: NDArray[np.uint8], at: int) -> int:
    if kind == TEXT:
        return int(_put_text(texts, value, out, at))
    if kind == OTHER_TEXT:
        return int(_put_text(others, value, out, at))
    if kind == SECONDS:
        at = _put_digits(value // _NS_PER_S, 1, out, at)
        return int(_put_fraction(value % _NS_PER_S, 9, 0, out, at))
    if value < 0:
        out[at] = _MINUS
        at, value = at + 1, -value
    if kind == WHOLE:
        return int(_put_digits(value, 1, out, at))
    at = _put_digits(value // 100, 1, out, at)
    return int(_put_fraction(value % 100, 2, 1, out, at))


@hot_kernel
def _put_text(texts: Texts, number: int, out: NDArray[np.uint8], at: int) -> int:
    for i in range(texts.ends[number], texts.ends[number + 1]):
        out[at] = texts.pool[i]
        at += 1
    return at


@hot_kernel
def _put_digits(value: int, least: int, out: NDArray[np.uint8], at: int) -> int:
    """Write a number of at least 0 with at least so many digits; where it ends."""
    size, rest = least, value // 10**least
    while rest > 0:
        size, rest = size + 1, rest // 10
    for i in range(size):
        out[at + size - 1 - i] = _ZERO + value % 10
        value //= 10
    return at + size


@hot_kernel
def _put_fraction(value: int, digits: int, least: int, out: NDArray[np.uint8], at: int) -> int:
    """Write a point and the digits of a fraction, without the last zeros but for the first `least` digits."""
    while digits > least and value % 10 == 0:
        digits, value = digits - 1, value // 10
    if digits == 0:
        return at
    out[at] = _POINT
    return int(_put_digits(value, digits, out, at + 1))
