"""Mercury UHF modules: the record of a tag, as the stream and the tag buffer hold it.

    metadata, for each flag set, in the order of the flags | length u16be in bits | PC u16be | XPC | EPC | tag CRC u16be

The length counts PC to CRC.  Which fields there are is told by the flags that stand before the record, never by an offset.
Source: Mercury API, `TMR_SR_parseMetadataOnly` and `TMR_SR_parseMetadataFromMessage`; PC and XPC: EPC UHF Gen2, 6.3.2.1.2.
"""

from binascii import crc_hqx
from dataclasses import dataclass
from enum import IntEnum

from readers.errors import FrameError

GEN2 = 5
HAS_XPC, HAS_SECOND_XPC = 0x0200, 0x8000
OPERATION_FAILED = 0x8000
"""Instead of the embedded data's length: what follows is the two bytes of an error code."""
SIXTEENTH = 16
"""The antenna that its four bits give as 0."""


class Metadata(IntEnum):
    """What a record tells of a tag besides the EPC.  Source: Mercury API, `TMR_TRD_MetadataFlag`."""

    READ_COUNT = 0x0001
    RSSI = 0x0002
    ANTENNA = 0x0004
    FREQUENCY = 0x0008
    TIMESTAMP = 0x0010
    PHASE = 0x0020
    PROTOCOL = 0x0040
    DATA = 0x0080
    GPIO = 0x0100
    GEN2_Q = 0x0200
    GEN2_LINK = 0x0400
    GEN2_TARGET = 0x0800


KNOWN = sum(Metadata)


@dataclass(frozen=True, slots=True)
class Sighting:
    """How the tag was seen; None for what the flags do not announce.

    Args:
        antenna_tx, antenna_rx: ports, counted from 1.
        timestamp_ms: since the last keep-alive.
        phase_deg: 0 to 180.
        data_bits: of what an embedded command read, or `OPERATION_FAILED`.
        data: what it read, or its error code.
        gpio: the pins, one bit each.
    """

    read_count: int | None
    rssi_dbm: int | None
    antenna_tx: int | None
    antenna_rx: int | None
    frequency_khz: int | None
    timestamp_ms: int | None
    phase_deg: int | None
    tag_protocol: int | None
    data_bits: int | None
    data: bytes
    gpio: int | None
    gen2_q: int | None
    gen2_link: int | None
    gen2_target: int | None


@dataclass(frozen=True, slots=True)
class TagRecord:
    """One tag.

    Args:
        epc_bits: the length as it stands in the record.
        xpc: no, one or two words.
        tag_crc: as the tag sent it.
        crc_ok: whether `tag_crc` is the CRC-16 of PC, XPC and EPC.
    """

    sighting: Sighting
    epc_bits: int
    pc: int
    xpc: bytes
    epc: bytes
    tag_crc: int
    crc_ok: bool


class _Fields:
    """Takes one field after the other."""

    def __init__(self, payload: bytes, at: int, flags: int) -> None:
        self.at = at
        self._payload, self._flags = payload, flags

    def take(self, size: int) -> bytes:
        if self.at + size > len(self._payload):
            raise FrameError(f"the record of a tag is cut off after {len(self._payload)} bytes")
        self.at += size
        return self._payload[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def announced(self, flag: Metadata, size: int) -> int | None:
        return self.number(size) if self._flags & flag else None


def parse_record(payload: bytes, at: int, flags: int) -> tuple[TagRecord, int]:
    """The record that begins at `at`, and where it ends.

    Args:
        flags: `Metadata` bits, as the frame gives them.

    Raises:
        FrameError: unknown flags, a tag of another protocol, a record cut off, or a length that contradicts PC or XPC.
    """
    if flags & ~KNOWN:
        raise FrameError(f"metadata flags 0x{flags:04x}, of which 0x{flags & ~KNOWN:04x} are unknown")
    fields = _Fields(payload, at, flags)
    sighting = _take_sighting(fields)
    if sighting.tag_protocol not in (None, GEN2):
        raise FrameError(f"a tag of protocol {sighting.tag_protocol}, not of Gen2")
    epc_bits = fields.number(2)
    backscatter = fields.take(-(-epc_bits // 8))
    pc, xpc, epc = _split(backscatter)
    tag_crc = int.from_bytes(backscatter[-2:], "big")
    crc_ok = crc_hqx(backscatter[:-2], 0xFFFF) ^ 0xFFFF == tag_crc
    return TagRecord(sighting, epc_bits, pc, xpc, epc, tag_crc, crc_ok), fields.at


def _take_sighting(fields: _Fields) -> Sighting:
    read_count = fields.announced(Metadata.READ_COUNT, 1)
    rssi = fields.announced(Metadata.RSSI, 1)
    antenna = fields.announced(Metadata.ANTENNA, 1)
    frequency_khz = fields.announced(Metadata.FREQUENCY, 3)
    timestamp_ms = fields.announced(Metadata.TIMESTAMP, 4)
    phase_deg = fields.announced(Metadata.PHASE, 2)
    tag_protocol = fields.announced(Metadata.PROTOCOL, 1)
    data_bits = fields.announced(Metadata.DATA, 2)
    return Sighting(
        read_count=read_count,
        rssi_dbm=None if rssi is None else rssi - (rssi >> 7 << 8),
        antenna_tx=None if antenna is None else antenna >> 4 or SIXTEENTH,
        antenna_rx=None if antenna is None else antenna & 0xF or SIXTEENTH,
        frequency_khz=frequency_khz,
        timestamp_ms=timestamp_ms,
        phase_deg=phase_deg,
        tag_protocol=tag_protocol,
        data_bits=data_bits,
        data=fields.take(_data_size(data_bits)),
        gpio=fields.announced(Metadata.GPIO, 1),
        gen2_q=fields.announced(Metadata.GEN2_Q, 1),
        gen2_link=fields.announced(Metadata.GEN2_LINK, 1),
        gen2_target=fields.announced(Metadata.GEN2_TARGET, 1),
    )


def _data_size(bits: int | None) -> int:
    if bits is None:
        return 0
    return 2 if bits == OPERATION_FAILED else -(-bits // 8)


def _split(backscatter: bytes) -> tuple[int, bytes, bytes]:
    """PC, XPC and EPC of what a tag sent, the CRC last.

    The length in the PC, as sent over the air, counts XPC and EPC.
    """
    if len(backscatter) < 4:
        raise FrameError(f"{len(backscatter)} bytes are too few for PC and CRC")
    pc, body = int.from_bytes(backscatter[:2], "big"), backscatter[2:-2]
    announced = pc >> 11 << 1
    if announced != len(body):
        raise FrameError(f"PC {pc:04x} announces {announced} bytes of XPC and EPC, the record carries {len(body)}")
    words = 0
    if pc & HAS_XPC:
        words = 2 if int.from_bytes(body[:2], "big") & HAS_SECOND_XPC else 1
    if len(body) < 2 * words:
        raise FrameError(f"PC {pc:04x} announces {words} words of XPC, the record carries {len(body)} bytes")
    return pc, body[: 2 * words], body[2 * words :]
