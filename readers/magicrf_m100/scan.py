"""MagicRF M100 UHF module: its tag notice, for the wire scan.

    0xBB | 2 | 0x22 | length u16be | RSSI i8 dBm | PC u16be | EPC | tag CRC u16be | checksum u8 | 0x7E

`codec.py` and `answers.parse_tag_notice` say the same; a test holds the scan to them.
"""

from readers.magicrf_m100.codec import HEADER, MAX_PAYLOAD, OVERHEAD, TRAILER, FrameType
from readers.magicrf_m100.commands import Command
from readers.wire_format import Mark, TagReport, WireFormat

ONLY_ANTENNA = 1
NOTICE = WireFormat(
    header=HEADER,
    trailer=TRAILER,
    kind_at=1,
    kind_max=max(FrameType),
    length_at=3,
    length_size=2,
    length_max=MAX_PAYLOAD,
    overhead=OVERHEAD,
    check="sum8",
    check_from=1,
    after_check=1,
    antennas={0: ONLY_ANTENNA},
    reports=(
        TagReport(
            marks=(Mark(1, FrameType.NOTICE), Mark(2, Command.SINGLE_POLL)),
            rssi_at=5,
            rssi_signed=True,
            tag_at=6,
            tag_crc=True,
            after_tags=2,
        ),
    ),
)
