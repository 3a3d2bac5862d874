"""Mercury UHF modules: the streamed record of a tag, for the wire scan.

    0xFF | length u8 | 0x22 | status u16be, 0 | option u8 | search flags u16be | 0x01FF | 1 | record | CRC u16be
    record: read count u8 | RSSI i8 dBm | ports u8 | kHz u24be | ms u32be | phase u16be | 5 | bits of data u16be | data
            | GPIO u8 | bits of PC to CRC u16be | PC u16be | XPC | EPC | tag CRC u16be

An option with 0x80 has a second option behind it.  Records with other metadata than 0x01FF, which is what the driver asks
for, are left to the driver.  `codec.py`, `answers.parse_tag` and `records.py` say the same; a test holds the scan to them.
"""

from readers.mercury import statuses
from readers.mercury.answers import SECOND_OPTION, TAG, WITH_METADATA
from readers.mercury.codec import ANSWER_OVERHEAD, HEADER, MAX_ANSWER, MAX_STATUS_CLASS
from readers.mercury.commands import Opcode
from readers.mercury.records import GEN2, SIXTEENTH
from readers.wire_format import Mark, TagReport, WireFormat

METADATA = 0x01FF
"""What the driver asks to be told of a tag: read count to GPIO, bits of `records.Metadata`."""
_SHORTEST_REPORT = 26


def _report(second_options: int) -> TagReport:
    """The record behind one option, or behind two."""
    return TagReport(
        marks=(
            Mark(2, Opcode.READ_MULTIPLE),
            Mark(3, statuses.OK >> 8),
            Mark(4, statuses.OK & 0xFF),
            Mark(5, SECOND_OPTION * second_options, mask=SECOND_OPTION),
            Mark(5 + second_options, WITH_METADATA, mask=WITH_METADATA),
            Mark(8 + second_options, METADATA >> 8),
            Mark(9 + second_options, METADATA & 0xFF),
            Mark(10 + second_options, TAG),
            Mark(23 + second_options, GEN2),
        ),
        size_min=_SHORTEST_REPORT + second_options,
        rssi_at=12 + second_options,
        rssi_signed=True,
        antenna_at=13 + second_options,
        antenna_mask=0xF0,
        tag_at=24 + second_options,
        tag_length="mercury_bits",
        has_xpc=True,
        tag_crc=True,
        after_tags=2,
        loose=True,
    )


STREAM = WireFormat(
    header=HEADER,
    trailer=None,
    kind_at=3,
    kind_max=MAX_STATUS_CLASS,
    length_at=1,
    length_size=1,
    length_max=MAX_ANSWER,
    overhead=ANSWER_OVERHEAD,
    check="mercury",
    check_from=1,
    after_check=0,
    antennas={port << 4: port or SIXTEENTH for port in range(16)},
    reports=(_report(0), _report(1)),
)
