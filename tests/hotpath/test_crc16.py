"""The CRC eight bytes at a step is the CRC bit by bit, at any length and place."""

from binascii import crc_hqx

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotpath import crc16
from hotpath._jit import entry_kernel

SPARE = bytes([0xA5]) * 8


@entry_kernel
def crc_of(table: np.ndarray, data: np.ndarray, at: int, end: int, crc: int) -> int:
    """The kernel, which only kernels can call."""
    return crc16.crc16(table, data, at, end, crc)


def swapped(word: int) -> int:
    return word >> 8 | (word & 0xFF) << 8


def reflected(data: bytes, crc: int) -> int:
    """CRC-16 0x8408, bit by bit."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8408 * (crc & 1)
    return crc


@given(st.binary(max_size=80), st.binary(max_size=9), st.integers(0, 0xFFFF))
@settings(deadline=None)
def test_any_bytes_anywhere_from_any_beginning(message: bytes, before: bytes, begin: int) -> None:
    data = np.frombuffer(before + message + SPARE, np.uint8)
    at, end = len(before), len(before) + len(message)
    low_first = crc_of(crc16.make_reflected_table(0x8408), data, at, end, begin)
    assert low_first == reflected(message, begin)
    high_first = crc_of(crc16.make_table(0x1021), data, at, end, swapped(begin))
    assert swapped(high_first) == crc_hqx(message, begin)


@pytest.mark.parametrize("size", range(18))
def test_every_length_around_a_step(size: int) -> None:
    message = bytes(range(1, size + 1))
    data = np.frombuffer(message + SPARE, np.uint8)
    assert crc_of(crc16.make_reflected_table(0x8408), data, 0, size, 0xFFFF) == reflected(message, 0xFFFF)
    assert swapped(crc_of(crc16.make_table(0x1021), data, 0, size, 0xFFFF)) == crc_hqx(message, 0xFFFF)


def test_nobody_can_write_to_a_table() -> None:
    with pytest.raises(ValueError, match="read-only"):
        crc16.make_table(0x1021)[0] = 1
