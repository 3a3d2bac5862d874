"""UHFReader18 / UHFReader288: their unasked reports and inventory answers, for the wire scan.

    length u8 | address u8 | 0xEE | 0 | EPC | CRC u16le                                                        18
    length u8 | address u8 | 0xEE | 0 | antennas u8 | size u8 | EPC | RSSI u8 | CRC u16le                       288
    length u8 | address u8 | 0x01 or 0x0F | status | count u8 | (size u8 | EPC) ... | CRC u16le                  18
    length u8 | address u8 | 0x01 | status | antennas u8 | count u8 | (size u8 | EPC | RSSI u8) ... | CRC u16le  288

`codec.py` and `answers.parse_sighting` say the same; a test holds the scan to them.
"""

from collections.abc import Mapping
from dataclasses import replace

from readers.uhfreader18.answers import MEMORY_FULL, OK, RSSI_OFFSET_DBM
from readers.uhfreader18.codec import ANSWER_LENGTH, CHECK_SIZE, MAX_LENGTH
from readers.uhfreader18.commands import MAX_ANTENNAS, Command
from readers.wire_format import Mark, TagReport, WireFormat

ONLY_ANTENNA = 1
_SHORTEST_EPC = 2
_FIRST_STATUSES = 0xFC
"""With this mask, those up to `MORE` are `OK`."""


def wire_18(assumed_dbm: float) -> WireFormat:
    """The frames of a reader of the 18 dialect.

    Args:
        assumed_dbm: what stands for the signal, which it does not tell.
    """
    return _wire(_report_18(assumed_dbm), {0: ONLY_ANTENNA})


def wire_288() -> WireFormat:
    """The frames of a reader of the 288 dialect."""
    return _wire(_report_288(), {1 << bit: bit + 1 for bit in range(MAX_ANTENNAS)})


def _wire(report: TagReport, antennas: Mapping[int, int]) -> WireFormat:
    inventory = replace(report, count_at=report.tag_at, tag_at=report.tag_at + 1, tag_length="bytes")
    answers = [
        replace(inventory, marks=_marks(command, status, mask))
        for command in (Command.INVENTORY, Command.INVENTORY_SINGLE)
        for status, mask in ((OK, _FIRST_STATUSES), (MEMORY_FULL, 0xFF))
    ]
    return WireFormat(
        header=None,
        trailer=None,
        length_at=0,
        length_size=1,
        length_min=ANSWER_LENGTH,
        length_max=MAX_LENGTH,
        overhead=1,
        check="crc16_8408",
        check_from=0,
        after_check=0,
        antennas=antennas,
        reports=(report, *answers),
    )


def _report_18(assumed_dbm: float) -> TagReport:
    return TagReport(
        marks=_marks(Command.REPORT, OK),
        tag_at=4,
        has_pc=False,
        epc_min=_SHORTEST_EPC,
        rssi_add_db=assumed_dbm,
        after_tags=CHECK_SIZE,
    )


def _report_288() -> TagReport:
    return TagReport(
        marks=_marks(Command.REPORT, OK),
        antenna_at=4,
        antenna_mask=0xFF,
        antenna_bits=True,
        tag_at=5,
        tag_length="bytes",
        has_pc=False,
        epc_min=_SHORTEST_EPC,
        rssi_at="behind_epc",
        rssi_add_db=RSSI_OFFSET_DBM,
        after_tags=CHECK_SIZE,
    )


def _marks(command: int, status: int, mask: int = 0xFF) -> tuple[Mark, ...]:
    return Mark(2, command), Mark(3, status, mask)
