"""Whose tag is it?"""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import hot_kernel, kernel
from hotpath.members import NO_ROW, find_row
from hotpath.record import HAS_GOODS, ITEM, LEASED_UNTIL, PERSON, STAFF, STRAY, State
from hotpath.siphash import siphash

Word = np.uint64
Words = NDArray[np.uint64]
GSRNP_96, GSRNP_PLUS = 0x2E, 0xF5
"""EPC headers of service relations of the provider, that is, of staff.  Source: GS1 TDS, EPC header values."""
_FF = Word(0xFF)
_7 = Word(7)
_3 = Word(3)


@hot_kernel
def byte_of(epc: Words, row: int, byte: int) -> Word:
    """One byte of an EPC."""
    return Word((epc[row, byte >> 3] >> ((Word(byte) & _7) << _3)) & _FF)


@kernel
def has_prefix(prefixes: NDArray[np.uint8], garment: bool, epc: Words, row: int, size: int) -> bool:
    """Whether some prefix of own goods, or of garments, begins the EPC."""
    for each in range(prefixes.shape[0]):
        length = prefixes[each, 0]
        if length <= size and prefixes[each, 1] == garment:
            equal = True
            for byte in range(length):
                equal = equal and prefixes[each, 2 + byte] == byte_of(epc, row, byte)
            if equal:
                return True
    return False


@hot_kernel
def classify(state: State, epc: Words, row: int, size: int, t_ns: int) -> tuple[int, int]:
    """Whose tag this is, and a member's row or NO_ROW: staff, a member with a lease that holds, our goods, or a stray."""
    has_goods = state.numbers[HAS_GOODS] != 0
    header = byte_of(epc, row, 0)
    if has_goods and header in (GSRNP_96, GSRNP_PLUS):
        return STAFF, NO_ROW
    if state.member_rows.shape[0] > 0 and t_ns < state.numbers[LEASED_UNTIL]:
        h0, h1 = siphash(state.words[0], state.words[1], epc[row], size)
        member = find_row(state.member_rows, state.member_slots, h0, h1)
        if member != NO_ROW:
            return PERSON, member
    if not has_goods or has_prefix(state.prefixes, False, epc, row, size):
        return ITEM, NO_ROW
    return STRAY, NO_ROW
