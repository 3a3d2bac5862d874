"""Mercury UHF modules: the streamed record of a tag, for the wire scan.

    0xFF | length u8 | 0x22 | status u16be, 0 | option u8 | search flags u16be | metadata flags u16be | 1 | record | CRC u16be

An option with 0x80 has a second option behind it.  Where things stand in the record its metadata flags tell; records with
others than those the scan knows are left to the driver.  `codec.py`, `answers.parse_tag` and `records.py` say the same; a test holds
the scan to them.
"""

from collections.abc import Mapping

from readers.mercury import statuses
from readers.mercury.answers import SECOND_OPTION, TAG, WITH_METADATA
from readers.mercury.codec import ANSWER_OVERHEAD, HEADER, MAX_ANSWER, MAX_STATUS_CLASS
from readers.mercury.commands import Opcode
from readers.mercury.records import GEN2, SIXTEENTH, Metadata
from readers.wire_format import Mark, TagReport, WireFormat

_SIZES: Mapping[Metadata, int] = {
    Metadata.READ_COUNT: 1,
    Metadata.RSSI: 1,
    Metadata.ANTENNA: 1,
    Metadata.FREQUENCY: 3,
    Metadata.TIMESTAMP: 4,
    Metadata.PHASE: 2,
    Metadata.PROTOCOL: 1,
    Metadata.DATA: 0,
    Metadata.GPIO: 1,
    Metadata.GEN2_Q: 1,
    Metadata.GEN2_LINK: 1,
    Metadata.GEN2_TARGET: 1,
}
"""Of the fields of a record, in their order, the embedded data apart."""
METADATA = Metadata.RSSI | Metadata.ANTENNA | Metadata.PROTOCOL
"""What the driver asks to be told of a tag."""
USUAL_METADATA = 0x01FF
"""What most hosts ask for, read count to GPIO."""
_RECORD_AT = 11
_TX_PORT = 0xF0


def wire_of(*metadata: int) -> WireFormat:
    """The frames of a module, with the records of these kinds.

    Args:
        metadata: bits of `Metadata`, those of signal and antenna among them; the likeliest first.
    """
    return WireFormat(
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
        reports=tuple(_report(each, second) for second in (0, 1) for each in metadata),
    )


def _report(metadata: int, second_options: int) -> TagReport:
    """The record behind one option, or behind two."""
    fields = [flag for flag in _SIZES if metadata & flag]
    at, ends = {}, _RECORD_AT + second_options
    for flag in fields:
        at[flag] = ends
        ends += _SIZES[flag]
    tag_at = at.get(Metadata.DATA, ends)
    return TagReport(
        marks=(
            Mark(2, Opcode.READ_MULTIPLE),
            Mark(3, statuses.OK >> 8),
            Mark(4, statuses.OK & 0xFF),
            Mark(5, SECOND_OPTION * second_options, mask=SECOND_OPTION),
            Mark(5 + second_options, WITH_METADATA, mask=WITH_METADATA),
            Mark(8 + second_options, metadata >> 8),
            Mark(9 + second_options, metadata & 0xFF),
            Mark(10 + second_options, TAG),
            *(Mark(at[flag], GEN2) for flag in fields if flag == Metadata.PROTOCOL),
        ),
        size_min=tag_at + 2,
        rssi_at=at[Metadata.RSSI],
        rssi_signed=True,
        antenna_at=at[Metadata.ANTENNA],
        antenna_mask=_TX_PORT,
        tag_at=tag_at,
        tag_length="bits",
        embedded_data=Metadata.DATA in at,
        behind_data=ends - tag_at,
        has_xpc=True,
        tag_crc=True,
        after_tags=2,
        loose=True,
    )


STREAM = wire_of(METADATA, USUAL_METADATA)
