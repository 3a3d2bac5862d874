"""One field of a log's row: decimal times, signals, hex text.  What is none is left to the caller."""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import hot_kernel

NO_TIME, NO_SIGNAL = -2, 1 << 20
_NO_DIGIT = -1
_POINT, _MINUS = 46, 45
_NS_PER_S = 1_000_000_000
_LATEST_T_S = 1 << 33
_STRONGEST_DBM = 327.0
_EXACT_DIGITS = 15
"""So many digits, and a power of ten of so many zeros, are exact in a double: their quotient is the nearest double."""
_MAX_EPC_BYTES = 62


@hot_kernel
def parse_t(data: NDArray[np.uint8], first: int, last: int) -> int:
    """Digits, and perhaps a point and at most nine more, as ns; or NO_TIME."""
    t_s, i = 0, first
    while i < last and data[i] != _POINT:
        digit = int(np.int64(data[i])) - 48
        if digit < 0 or digit > 9 or i - first == 10:
            return NO_TIME
        t_s = 10 * t_s + digit
        i += 1
    if i == first or last - i > 10:
        return NO_TIME
    rest_ns, unit_ns = 0, _NS_PER_S
    for j in range(i + 1, last):
        digit = int(np.int64(data[j])) - 48
        if digit < 0 or digit > 9:
            return NO_TIME
        unit_ns //= 10
        rest_ns += digit * unit_ns
    return t_s * _NS_PER_S + rest_ns if t_s < _LATEST_T_S else NO_TIME


@hot_kernel
def parse_cdbm(data: NDArray[np.uint8], first: int, last: int) -> int:
    """A plain decimal number of at most 15 digits, as Python rounds the double times 100; or NO_SIGNAL."""
    i = first + 1 if first < last and data[first] == _MINUS else first
    if i == last or data[i] == _POINT:
        return NO_SIGNAL
    digits, count, scale, has_point = 0, 0, 1.0, False
    for j in range(i, last):
        digit = int(np.int64(data[j])) - 48
        if digit == _POINT - 48 and not has_point:
            has_point = True
            continue
        count += 1
        if digit < 0 or digit > 9 or count > _EXACT_DIGITS:
            return NO_SIGNAL
        digits = 10 * digits + digit
        if has_point:
            scale *= 10.0
    dbm = digits / scale
    if dbm > _STRONGEST_DBM:
        return NO_SIGNAL
    whole = int(np.rint(dbm * 100.0))
    return -whole if i != first else whole


@hot_kernel
def unhex(data: NDArray[np.uint8], first: int, last: int, key: NDArray[np.uint8]) -> int:
    """Write the bytes that hex text stands for; how many, or 0 when it is none or too long."""
    size = (last - first) // 2
    if (last - first) % 2 or size > _MAX_EPC_BYTES:
        return 0
    for i in range(size):
        high, low = _nibble(data[first + 2 * i]), _nibble(data[first + 2 * i + 1])
        if high < 0 or low < 0:
            return 0
        key[i] = 16 * high + low
    return int(size)


@hot_kernel
def _nibble(letter: np.uint8) -> int:
    code = np.int64(letter)
    if 48 <= code <= 57:
        return int(code - 48)
    code |= 32
    return int(code - 87) if 97 <= code <= 102 else _NO_DIGIT
