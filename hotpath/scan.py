"""The wire scan: the bytes of a streaming reader in, rows of reads out, without an object per frame.

One scanner for all protocols whose frames carry their length: `FRAME` of `wire_layout` says where things stand in every
frame, `REPORT` which frames report tags and where in them.  What no constant can say is chosen by a form: a protocol with
another check adds a branch to `_is_sound`, one that tells an EPC's length in another way a branch to `_find_tag`.
After a failure the search goes on one byte further, so noise never takes a following sound frame with it.
"""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, hot_kernel, load_word
from hotpath.crc16 import crc16
from hotpath.wire_bytes import byte, pair, put_epc, reversed_pair
from hotpath.wire_layout import (
    BAD_FRAMES,
    BYTES,
    CRC16,
    CRC_UNKNOWN,
    DISCARDED_BYTES,
    MAX_EPC_BYTES,
    MERCURY,
    NO_ANTENNA,
    NO_NAME,
    NONE,
    OPERATION_FAILED,
    REST,
    SUM8,
    UNKNOWN_ANTENNA,
    Rows,
    Wire,
)

_WAIT, _BROKEN, _ALL = 0, -1, -1
_PRESET = 0xFFFF
_MERCURY_PRESET = 0x0F1D


@entry_kernel
def scan(
    wire: Wire,
    data: NDArray[np.uint8],
    start: int,
    done: int,
    end: int,
    final: int,
    received_ns: int,
    rows: Rows,
    row: int,
    stop: int,
    others: NDArray[np.int64],
    tally: NDArray[np.int64],
) -> tuple[int, int, int, int]:
    """Scan from `start` until the bytes, the rows or the room for other frames end.

    Args:
        data, end: what arrived, behind the bytes that an earlier call left over; `PADDING` more follow the end.
        start, done: where to go on, and how many reads of the frame there are done already: as the call before said.
        final: 1 when the line is quiet, so that an unfinished frame is noise; else 0.
        received_ns: the reads' time.
        rows, row, stop: reads go to the rows from `row` up to `stop`, exclusive; all words of an EPC are written.
        others: int64[m, 2], written: where sound frames that report no tag begin, and their size, in order.
        tally: int64[TALLIES], added to: frames that report tags wrongly, noise, reads of an antenna nobody configured.

    Returns: how many bytes are done, the row after the last one written, the number of others, and how many reads of the
        next frame are done.  Where the row is `stop` or `others` is full, more may follow: make room and call again.
        What is not done then waits for more bytes.
    """
    at, found = start, 0
    while at < end:
        size = _frame_size(wire, data, at, end)
        if size == _WAIT and final == 0:
            break
        if size <= 0:
            tally[DISCARDED_BYTES] += 1
            at += 1
            continue
        if found == others.shape[0]:
            break
        number, tags = _which_report(wire.reports, data, at, size), 0
        if number != NONE:
            report = wire.reports[number]
            tags = _count_tags(wire, report, data, at, size)
            if tags > 0:
                row, done = _put_reads(wire, report, data, at, size, done, tags, received_ns, rows, row, stop, tally)
                if done != _ALL:
                    break
                done = 0
        if tags == _BROKEN:
            tally[BAD_FRAMES] += 1
        elif tags == 0:
            others[found, 0], others[found, 1] = at, size
            found += 1
        at += size
    return at, row, found, done


@hot_kernel
def _frame_size(wire: Wire, data: NDArray[np.uint8], at: int, end: int) -> int:
    """The size of the sound frame at `at`; `_WAIT` while too few bytes are here to tell, `_BROKEN` where none stands."""
    frame = wire.frame[0]
    if frame["header"] != NONE and byte(data, at) != frame["header"]:
        return _BROKEN
    here = end - at
    if here > frame["kind_at"] and byte(data, at + frame["kind_at"]) > frame["kind_max"]:
        return _BROKEN
    if here < frame["length_at"] + frame["length_size"]:
        return _WAIT
    length = pair(data, at + frame["length_at"]) if frame["length_size"] == 2 else byte(data, at + frame["length_at"])
    if length < frame["length_min"] or length > frame["length_max"]:
        return _BROKEN
    size = frame["overhead"] + length
    if here < size:
        return _WAIT
    return size if _is_sound(wire, data, at, at + size) else _BROKEN


@hot_kernel
def _is_sound(wire: Wire, data: NDArray[np.uint8], at: int, end: int) -> bool:
    """Whether the frame ends as it must and its check is right.

    Mercury's CRC takes four bits at a time into the register's low end instead of adding them to its high end.  So it is
    the remainder of the message itself, not of the message with sixteen zeroes behind it: the plain CRC of all but the last
    two bytes, begun with 0xFFFF * x^16 = 0x1D0F, and then those two bytes added.
    """
    frame = wire.frame[0]
    if frame["trailer"] != NONE and byte(data, end - 1) != frame["trailer"]:
        return False
    begin, end = at + frame["check_from"], end - frame["after_check"]
    if frame["check"] == CRC16:
        return crc16(wire.check_table, data, begin, end - 2, _PRESET) == reversed_pair(data, end - 2)
    if frame["check"] == MERCURY:
        added = reversed_pair(data, end - 4) ^ reversed_pair(data, end - 2)
        return crc16(wire.check_table, data, begin, end - 4, _MERCURY_PRESET) == added
    total = 0
    for i in range(begin, end - 1):
        total += byte(data, i)
    check = byte(data, end - 1)
    return total & 0xFF == check if frame["check"] == SUM8 else total + check & 0xFF == 0


@hot_kernel
def _which_report(reports: NDArray[np.void], data: NDArray[np.uint8], at: int, size: int) -> int:
    """The first report that the frame is, or `NONE`."""
    for i in range(reports.shape[0]):
        report = reports[i]
        begin = at + report["marks_at"]
        if (
            size >= report["size_min"]
            and load_word(data, begin) & report["mask_0"] == report["marks_0"]
            and load_word(data, begin + 8) & report["mask_1"] == report["marks_1"]
            and load_word(data, begin + 16) & report["mask_2"] == report["marks_2"]
        ):
            return i
    return NONE


@hot_kernel
def _count_tags(wire: Wire, report: np.void, data: NDArray[np.uint8], at: int, size: int) -> int:
    """How many tags the frame reports, or `_BROKEN` where what it says about them does not add up."""
    tags = 1 if report["count_at"] == NONE else byte(data, at + report["count_at"])
    next_at, limit = at + report["tag_at"], at + size - report["after_tags"]
    for _ in range(tags):
        tag_at, tag_len = _find_tag(report, data, next_at, limit)
        next_at = tag_at + tag_len + report["after_epc"]
        if next_at > limit:
            return _BROKEN
        if report["pc_size"] and byte(data, tag_at) >> 3 << 1 != tag_len - 2:
            return _BROKEN
        epc_len = tag_len - _before_epc(report, data, tag_at)
        if epc_len < report["epc_min"] or epc_len > MAX_EPC_BYTES or epc_len & 1:
            return _BROKEN
    names = byte(data, at + report["antenna_at"]) & report["antenna_mask"]
    if tags and (wire.antennas[_first_name(report, names)] == NO_NAME or (next_at != limit and not report["loose"])):
        return _BROKEN
    return tags


@hot_kernel
def _find_tag(report: np.void, data: NDArray[np.uint8], at: int, limit: int) -> tuple[int, int]:
    """Where what a tag sent stands, its CRC apart, in what is said of it from `at`, and its length; below zero for no room."""
    form = report["tag_length"]
    if form == REST:
        return at, limit - report["after_epc"] - at
    if form == BYTES:
        return at + 1, byte(data, at)
    bits_at = at
    if report["embedded_data"]:
        data_bits = pair(data, at)
        bits_at += 2 + (2 if data_bits == OPERATION_FAILED else data_bits + 7 >> 3) + report["behind_data"]
    if bits_at >= limit:
        return at, _BROKEN
    return bits_at + 2, (pair(data, bits_at) + 7 >> 3) - 2


@hot_kernel
def _before_epc(report: np.void, data: NDArray[np.uint8], tag_at: int) -> int:
    """The size of the control words before an EPC: none, PC, or PC and one or two words of XPC.

    Source: EPC Gen2 air interface, 6.3.2.1.2: bit 0x0200 of the PC and bit 0x8000 of the first XPC word say that one follows.
    """
    size: int = report["pc_size"]
    if report["xpc"] and byte(data, tag_at) & 0x02:
        size += 4 if byte(data, tag_at + 2) & 0x80 else 2
    return size


@hot_kernel
def _put_reads(
    wire: Wire,
    report: np.void,
    data: NDArray[np.uint8],
    at: int,
    size: int,
    done: int,
    tags: int,
    received_ns: int,
    rows: Rows,
    row: int,
    stop: int,
    tally: NDArray[np.int64],
) -> tuple[int, int]:
    """Write the reads of a sound report but the first `done`; the row after the last, and how many are done, or `_ALL`."""
    number, next_at, limit = 0, at + report["tag_at"], at + size - report["after_tags"]
    for _ in range(tags):
        tag_at, tag_len = _find_tag(report, data, next_at, limit)
        tag_end = tag_at + tag_len
        next_at = tag_end + report["after_epc"]
        signal = byte(data, report["rssi_at"] + (tag_end if report["rssi_behind_epc"] else at))
        names = byte(data, at + report["antenna_at"]) & report["antenna_mask"] | signal & report["antenna_rssi_mask"]
        while True:
            name = _first_name(report, names)
            if number >= done:
                if row == stop:
                    return row, number
                antenna = wire.antennas[name]
                if antenna == NO_ANTENNA:
                    tally[UNKNOWN_ANTENNA] += 1
                else:
                    _put_read(wire, report, data, tag_at, tag_end, signal, antenna, received_ns, rows, row)
                    row += 1
            number += 1
            names ^= name
            if names == 0:
                break
    return row, _ALL


@hot_kernel
def _first_name(report: np.void, names: int) -> int:
    """The lowest bit, where each names an antenna; else all of them."""
    return names & -names if report["antenna_bits"] else names


@hot_kernel
def _put_read(
    wire: Wire,
    report: np.void,
    data: NDArray[np.uint8],
    tag_at: int,
    tag_end: int,
    signal: int,
    antenna: int,
    received_ns: int,
    rows: Rows,
    row: int,
) -> None:
    """Write one read."""
    i = np.uint64(row)
    rows.t_ns[i] = received_ns
    rows.antenna[i] = antenna
    rows.rssi_cdbm[i] = 100 * ((signal & report["rssi_mask"]) ^ report["rssi_flip"]) + report["rssi_add"]
    rows.crc_ok[i] = CRC_UNKNOWN
    if report["tag_crc"]:
        tag_crc = crc16(wire.tag_table, data, tag_at, tag_end, _PRESET) ^ _PRESET
        rows.crc_ok[i] = tag_crc == reversed_pair(data, tag_end)
    epc_at = tag_at + _before_epc(report, data, tag_at)
    rows.epc_len[i] = tag_end - epc_at
    put_epc(data, epc_at, tag_end - epc_at, rows.epc, i)
