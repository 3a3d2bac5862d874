"""The wire scan: the bytes of a streaming reader in, rows of reads out, without an object per frame.

One scanner for all protocols whose frames carry their length: `WIRE` says where things stand.  What no constant can say
is chosen by its `check`; a protocol with another check adds a branch to `_is_sound`, one with several tags in a frame
another way to `_put_read`.
After a failure the search goes on one byte further, so noise never takes a following sound frame with it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, hot_kernel, load_word

NONE = -1
"""A first or last byte that the protocol does not have."""
SUM8 = 0
"""The check that is the low byte of the sum of the bytes it covers."""
NO_ANTENNA = -1
CRC_UNKNOWN = -1
_WAIT, _BROKEN = 0, -1
_EIGHT = np.uint64(8)
_ONE = np.uint64(1)

BAD_FRAMES, DISCARDED_BYTES, UNKNOWN_ANTENNA, TALLIES = range(4)
"""Columns of `tally`."""


WIRE = np.dtype(
    [
        (name, np.int64)
        for name in (
            "header", "trailer", "kind_at", "kind_max", "length_at", "length_size", "length_max", "overhead",
            "check", "check_from", "after_check", "report_at", "report", "report_min",
            "antenna_at", "antenna_mask", "antenna_first", "rssi_at", "pc_at", "after_epc", "tag_crc",
        )
    ]
)  # fmt: skip
"""A protocol's frame, in bytes from the frame's first, and its report of a tag.

`header`, `trailer`: first and last byte, or `NONE`; `kind_at`, `kind_max`: a byte that is at most this in every frame;
`length_at`, `length_size`: the length field, big-endian; the frame is `overhead` longer than it says; `length_max`: more is
noise, which bounds how long a false header can hold up what follows it; `check`, `check_from`, `after_check`: which check,
the first byte it covers, and how many bytes follow it; it stands right behind what it covers; `report_at`, `report`,
`report_min`: the two bytes, big-endian, that say "a tag", and the size such a frame has at least; `antenna_at`,
`antenna_mask`, `antenna_first`: `(byte & mask) + first` is the antenna's number; `rssi_at`: signed dBm; `pc_at`,
`after_epc`: the tag's protocol control word, right before its EPC, and how many bytes follow the EPC; `tag_crc`: 1 where
the tag's own CRC-16 stands right behind the EPC, else 0.
"""


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


@entry_kernel
def scan(
    wires: NDArray[np.void],
    data: NDArray[np.uint8],
    start: int,
    final: int,
    received_ns: int,
    antennas: NDArray[np.int32],
    rows: Rows,
    row: int,
    stop: int,
    others: NDArray[np.int64],
    tally: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Scan from `start` until the bytes, the rows or the room for other frames end.

    Args:
        wires: WIRE[1].
        data: what arrived, behind the bytes that an earlier call left over.
        final: 1 when the line is quiet, so that an unfinished frame is noise; else 0.
        received_ns: the reads' time.
        antennas: by antenna number, the engine's index or `NO_ANTENNA`.
        rows, row, stop: reads go to the rows from `row` up to `stop`, exclusive; all words of an EPC are written.
        others: int64[m, 2], written: where sound frames that report no tag begin, and their size, in order.
        tally: int64[TALLIES], added to: frames that report a tag wrongly, noise, reads of an antenna nobody knows.

    Returns: how many bytes are done, the row after the last one written, and the number of others.  Where `row` equals
        `stop` or `others` is full, more may follow: make room and call again.  What is not done then waits for more bytes.
    """
    wire, at, end, found = wires[0], start, data.shape[0], 0
    while at < end:
        size = _frame_size(wire, data, at, end)
        if size == _WAIT and final == 0:
            break
        if size <= 0:
            tally[DISCARDED_BYTES] += 1
            at += 1
            continue
        if _pair(data, at + wire["report_at"]) != wire["report"]:
            if found == others.shape[0]:
                break
            others[found, 0], others[found, 1] = at, size
            found += 1
        else:
            if row == stop:
                break
            row += _put_read(wire, data, at, size, received_ns, antennas, rows, row, tally)
        at += size
    return at, row, found


@hot_kernel
def _frame_size(wire: np.void, data: NDArray[np.uint8], at: int, end: int) -> int:
    """The size of the sound frame at `at`; `_WAIT` while too few bytes are here to tell, `_BROKEN` where none stands."""
    if wire["header"] != NONE and _byte(data, at) != wire["header"]:
        return _BROKEN
    here = end - at
    if here > wire["kind_at"] and _byte(data, at + wire["kind_at"]) > wire["kind_max"]:
        return _BROKEN
    if here < wire["length_at"] + wire["length_size"]:
        return _WAIT
    length = _pair(data, at + wire["length_at"]) if wire["length_size"] == 2 else _byte(data, at + wire["length_at"])
    if length > wire["length_max"]:
        return _BROKEN
    size = wire["overhead"] + length
    if here < size:
        return _WAIT
    return size if _is_sound(wire, data, at, at + size) else _BROKEN


@hot_kernel
def _is_sound(wire: np.void, data: NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether the frame ends as it must and its check is right."""
    if wire["trailer"] != NONE and _byte(data, end - 1) != wire["trailer"]:
        return False
    check_at = end - wire["after_check"] - 1
    total = 0
    for i in range(at + wire["check_from"], check_at):
        total += _byte(data, i)
    return total & 0xFF == _byte(data, check_at)


@hot_kernel
def _put_read(
    wire: np.void,
    data: NDArray[np.uint8],
    at: int,
    size: int,
    received_ns: int,
    antennas: NDArray[np.int32],
    rows: Rows,
    row: int,
    tally: NDArray[np.int64],
) -> int:
    """Write the read that a frame reports; 1, or 0 where it reports none that anybody could use, which is counted."""
    pc_at, epc_end = at + wire["pc_at"], at + size - wire["after_epc"]
    epc_len = epc_end - pc_at - 2
    if size < wire["report_min"] or _byte(data, pc_at) >> 3 << 1 != epc_len:
        tally[BAD_FRAMES] += 1
        return 0
    index = antennas[(_byte(data, at + wire["antenna_at"]) & wire["antenna_mask"]) + wire["antenna_first"]]
    if index == NO_ANTENNA:
        tally[UNKNOWN_ANTENNA] += 1
        return 0
    signal, i = _byte(data, at + wire["rssi_at"]), np.uint64(row)
    rows.t_ns[i] = received_ns
    rows.antenna[i] = index
    rows.epc_len[i] = epc_len
    rows.rssi_cdbm[i] = 100 * (signal - ((signal & 0x80) << 1))
    if wire["tag_crc"]:
        rows.crc_ok[i] = _gen2_crc(data, pc_at, epc_end) == _pair(data, epc_end)
    else:
        rows.crc_ok[i] = CRC_UNKNOWN
    _put_epc(data, pc_at + 2, epc_len, rows.epc, i)
    return 1


@hot_kernel
def _put_epc(data: NDArray[np.uint8], at: int, size: int, epc: NDArray[np.uint64], row: np.uint64) -> None:
    """Write an EPC as little-endian words, zeroes behind it."""
    words = epc.shape[1]
    if at + 8 * words <= data.shape[0]:  # whole words can be loaded, whatever follows the EPC
        for word in range(words):
            left, value = size - 8 * word, np.uint64(0)
            if left > 0:
                value = load_word(data, at + 8 * word)
                if left < 8:
                    value &= (_ONE << (_EIGHT * np.uint64(left))) - _ONE
            epc[row, np.uint64(word)] = value
    else:
        for word in range(words):
            value = np.uint64(0)
            for i in range(8 * word, min(8 * word + 8, size)):
                value |= np.uint64(data[np.uint64(at + i)]) << np.uint64(8 * (i - 8 * word))
            epc[row, np.uint64(word)] = value


@hot_kernel
def _gen2_crc(data: NDArray[np.uint8], at: int, end: int) -> int:
    """The CRC-16 that a tag sends behind its PC and EPC, which are whole words: sixteen bits a step, without a table.

    A step is word * x^16 modulo x^16 + x^12 + x^5 + 1, so word * (x^12 + x^5 + 1), and what leaves the sixteen bits at
    the top comes back in the same way; `folded` is the word with all that comes back.
    Source: EPC Gen2 air interface, annex F (polynomial 0x1021, preset 0xFFFF, inverted).
    """
    crc = 0xFFFF
    for i in range(at, end, 2):
        word = crc ^ _pair(data, i)
        folded = word ^ (word >> 4) ^ (word >> 8) ^ (word >> 11) ^ (word >> 12)
        crc = (folded ^ (folded << 5) ^ (folded << 12)) & 0xFFFF
    return crc ^ 0xFFFF


@hot_kernel
def _pair(data: NDArray[np.uint8], at: int) -> int:
    """Two bytes, big-endian."""
    return _byte(data, at) << 8 | _byte(data, at + 1)


@hot_kernel
def _byte(data: NDArray[np.uint8], at: int) -> int:
    """A byte as a number that does not wrap.  The index is unsigned so that nobody looks whether it is negative."""
    return np.int64(data[np.uint64(at)])  # type: ignore[return-value]
