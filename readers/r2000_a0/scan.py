"""R2000 class UHF reader: its reports of tags, for the wire scan.

    0xA0 | length u8 | address u8 | 0x89, 0x8A or 0x8B | channel, 6 bits; port, 2 bits | PC u16be | EPC | RSSI u8 | check u8

What else these commands are answered with is shorter, or of even length where a report's is odd.  `codec.py` and
`answers.parse_inventory` say the same; a test holds the scan to them.
"""

from readers.r2000_a0.answers import RSSI_ZERO_DBM
from readers.r2000_a0.codec import HEADER, MIN_LENGTH, OVERHEAD
from readers.r2000_a0.commands import INVENTORIES
from readers.wire_format import Mark, TagReport, WireFormat

_LOW_PORTS, _HIGH_PORTS = 0x03, 0x80
_SHORTEST_REPORT = 9
_ODD = 1


def _report(command: int) -> TagReport:
    return TagReport(
        marks=(Mark(1, _ODD, mask=1), Mark(3, command)),
        size_min=_SHORTEST_REPORT,
        antenna_at=4,
        antenna_mask=_LOW_PORTS,
        antenna_rssi_mask=_HIGH_PORTS,
        tag_at=5,
        rssi_at="behind_epc",
        rssi_mask=0xFF & ~_HIGH_PORTS,
        rssi_add_db=RSSI_ZERO_DBM,
        after_tags=1,
    )


REPORTS = WireFormat(
    header=HEADER,
    trailer=None,
    length_at=1,
    length_size=1,
    length_min=MIN_LENGTH,
    length_max=0xFF,
    overhead=OVERHEAD,
    check="negated_sum8",
    check_from=0,
    after_check=0,
    antennas={high | port: port + 1 + (4 if high else 0) for high in (0, _HIGH_PORTS) for port in range(4)},
    reports=tuple(map(_report, INVENTORIES)),
)
