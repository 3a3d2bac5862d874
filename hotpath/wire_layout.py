"""What the wire scan is given and where it writes: a protocol's frames as constants, rows of reads, counts."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PADDING = 64
"""So many bytes have to stand behind the last one, of any value: what is loaded by the word is loaded without looking."""
NONE = -1
NO_ANTENNA, NO_NAME = -1, -2
"""Instead of an antenna's index: nobody configured it; no antenna has that name, so that the report is a bad one."""
CRC_UNKNOWN = -1
MAX_EPC_BYTES = 62
SUM8, NEGATED_SUM8, CRC16, MERCURY = range(4)
"""Checks: the low byte of the sum, the byte that makes this sum zero, a CRC, ThingMagic's form of one (see `scan`)."""
REST, BYTES, BITS = range(3)
"""Where the length of what a tag sent stands: it is what is left of the frame; a byte before it; 16 bits before it, which
count bits, behind embedded data whose length in bits stands before these."""
OPERATION_FAILED = 0x8000
"""Instead of the length of embedded data: the two bytes of an error code follow."""

BAD_FRAMES, DISCARDED_BYTES, UNKNOWN_ANTENNA, TALLIES = range(4)
"""Columns of `tally`."""

FRAME = np.dtype(
    [
        (name, np.int64)
        for name in (
            "header", "trailer", "kind_at", "kind_max", "length_at", "length_size", "length_min", "length_max", "overhead",
            "check", "check_from", "after_check",
        )
    ]
)  # fmt: skip
"""A protocol's frame, in bytes from the frame's first; see `readers.wire_format.WireFormat`.

`header`, `trailer`: the byte, or `NONE`; `check`: one of the forms above; it stands right behind what it covers.
"""

REPORT = np.dtype(
    [(name, np.uint64) for name in ("mask_0", "mask_1", "mask_2", "marks_0", "marks_1", "marks_2")]
    + [
        (name, np.int64)
        for name in (
            "marks_at", "size_min", "count_at", "tag_at", "after_tags", "loose", "tag_length", "embedded_data", "behind_data",
            "pc_size", "xpc", "epc_min", "tag_crc", "after_epc", "rssi_at", "rssi_behind_epc", "rssi_mask", "rssi_flip",
            "rssi_add", "antenna_at", "antenna_mask", "antenna_rssi_mask", "antenna_bits",
        )
    ]
)  # fmt: skip
"""A frame that reports tags; see `readers.wire_format.TagReport`.

`mask_*`, `marks_*`: the three words from `marks_at` on say that it is one, where it has at least `size_min` bytes;
`count_at`: `NONE` where it reports one tag; `rssi_at`: from the frame's first byte, or from the EPC's end where
`rssi_behind_epc` is 1; the signal is `100 * ((byte & mask) ^ flip) + add` hundredths of a dBm; the antenna is named by
`byte & antenna_mask | signal byte & antenna_rssi_mask`, or each of its bits names one, where `antenna_bits` is 1.
"""


class Wire(NamedTuple):
    """A protocol, as one reader speaks it.

    Args:
        frame: FRAME[1].
        reports: REPORT[r]; the first that fits a frame counts.
        antennas: int32[256], by the byte that names an antenna: the engine's index, or one of the codes below zero.
        check_table, tag_table: uint16[2048], of `hotpath.crc16`: of the frame's check where it is one, and of the tag's.
    """

    frame: NDArray[np.void]
    reports: NDArray[np.void]
    antennas: NDArray[np.int32]
    check_table: NDArray[np.uint16]
    tag_table: NDArray[np.uint16]


class Rows(NamedTuple):
    """Where reads are written: the columns of the engine, whole.

    Args:
        t_ns: int64[n].
        antenna: uint16[n].
        epc: uint64[n, 8], zero-padded; the words of an EPC of up to 62 bytes.
        epc_len: uint8[n].
        rssi_cdbm: int16[n].
        crc_ok: int8[n]: 1 right, 0 wrong, -1 not reported.
    """

    t_ns: NDArray[np.int64]
    antenna: NDArray[np.uint16]
    epc: NDArray[np.uint64]
    epc_len: NDArray[np.uint8]
    rssi_cdbm: NDArray[np.int16]
    crc_ok: NDArray[np.int8]
