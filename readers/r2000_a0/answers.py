"""R2000 class UHF reader, command layer: what the answers mean.

An inventory is answered by any number of reports, then by an end of round or a failure; only the length of the data
tells them apart, which works because a report of an EPC of whole words never has 1, 2 or 7 bytes.
Source: UHF RFID Reader Serial Interface Protocol V3.7, sections 2 and 3; pyImpinj and the vendors' own samples.
"""

from binascii import crc_hqx
from collections.abc import Mapping
from dataclasses import dataclass

from readers.errors import FrameError
from readers.r2000_a0.codec import Frame
from readers.r2000_a0.commands import INVENTORIES, PORTS, Command

OK, ANTENNA_MISSING, NO_TAG, NO_RETURN_LOSS = 0x10, 0x22, 0x36, 0xEE
ERROR_MEANINGS: Mapping[int, str] = {
    0x11: "failed",
    0x20: "mcu_reset_error",
    0x21: "carrier_on_error",
    ANTENNA_MISSING: "antenna_missing",
    0x23: "write_flash_error",
    0x24: "read_flash_error",
    0x25: "set_power_error",
    0x31: "inventory_error",
    0x32: "read_error",
    0x33: "write_error",
    0x34: "lock_error",
    0x35: "kill_error",
    NO_TAG: "no_tag",
    0x37: "inventory_ok_access_failed",
    0x38: "buffer_empty",
    0x40: "access_failed_or_wrong_password",
    0x41: "invalid_parameter",
    0x42: "too_many_words",
    0x43: "memory_bank_out_of_range",
    0x44: "lock_region_out_of_range",
    0x45: "lock_type_out_of_range",
    0x46: "invalid_reader_address",
    0x47: "invalid_antenna",
    0x48: "power_out_of_range",
    0x49: "invalid_region",
    0x4A: "invalid_baud_rate",
    0x4B: "invalid_beeper_mode",
    0x4C: "epc_match_too_long",
    0x4D: "epc_match_length_wrong",
    0x4E: "invalid_epc_match_mode",
    0x4F: "invalid_frequency_range",
    0x50: "no_rn16_from_tag",
    0x51: "invalid_drm_mode",
    0x52: "pll_lock_failed",
    0x53: "rf_chip_error",
    0x54: "cannot_reach_power",
    0x55: "copyright_authentication_failed",
    0x56: "spectrum_regulation_error",
    0x57: "power_too_low",
}
RSSI_ZERO_DBM = -129
_FAILURE, _ANTENNA_FAILURE, _ROUND_END = 1, 2, 7
_LOW_PORTS, _HIGH_PORTS = 0x03, 0x80


@dataclass(frozen=True, slots=True)
class TagReport:
    """One read of one tag.

    Args:
        channel: see `commands.frequency_mhz`.
        antenna: counted from 1.
        pc: the tag's protocol control word.
        rssi_raw: 0..127, as the reader counts.
    """

    channel: int
    antenna: int
    pc: int
    epc: bytes
    rssi_raw: int

    @property
    def rssi_dbm(self) -> int:
        """The signal strength: raw - 129, as pyImpinj and the vendors' samples have it.

        The manual's table says raw - 130 below 90; nobody knows whether that step is meant, so a decibel is in doubt.
        """
        return self.rssi_raw + RSSI_ZERO_DBM


@dataclass(frozen=True, slots=True)
class RoundEnd:
    """An order to look for tags is done, and the reader rests until the next.

    Args:
        antenna, reads_per_s: None of a fast switch order; antennas count from 1.
        total_reads: reads, not tags.
        duration_ms: of a fast switch order; None of any other.
    """

    antenna: int | None
    reads_per_s: int | None
    total_reads: int
    duration_ms: int | None


@dataclass(frozen=True, slots=True)
class Failure:
    """The reader could not do what it was told.

    Args:
        code: see `ERROR_MEANINGS`.
        antenna: counted from 1; set where a fast switch order goes on with its other antennas.
    """

    code: int
    antenna: int | None = None


NO_TAG_FAILURE, EMPTY_ROUND = Failure(NO_TAG), RoundEnd(None, None, 0, None)


@dataclass(frozen=True, slots=True)
class BufferedTag:
    """One tag of the reader's buffer.

    Args:
        kept: how many tags the buffer holds.
        crc_ok: whether `tag_crc` is the CRC-16 of PC and EPC.
        reads: how often it was read, up to 255.
    """

    kept: int
    pc: int
    epc: bytes
    tag_crc: int
    crc_ok: bool
    rssi_raw: int
    channel: int
    antenna: int
    reads: int


def is_sign_of_life(frame: Frame) -> bool:
    """Whether the frame proves that the reader reads: a report of a tag, or an end of round, that of an empty one, too."""
    return frame.command in INVENTORIES and (len(frame.data) > _ANTENNA_FAILURE or frame.data == bytes([NO_TAG]))


def parse_inventory(frame: Frame) -> TagReport | RoundEnd | Failure | None:
    """What an answer to one of `INVENTORIES` says; None for any other frame.

    Raises:
        FrameError: too short for any of them, or the EPC is not as long as its PC says.
    """
    if frame.command not in INVENTORIES:
        return None
    data = frame.data
    if len(data) == _FAILURE:
        return Failure(data[0])
    if len(data) == _ANTENNA_FAILURE:
        return Failure(data[1], data[0] + 1)
    if len(data) == _ROUND_END:
        return _parse_round_end(frame.command, data)
    return _parse_report(data)


def _parse_round_end(command: int, data: bytes) -> RoundEnd:
    if command == Command.FAST_SWITCH_INVENTORY:
        return RoundEnd(None, None, int.from_bytes(data[:3], "big"), int.from_bytes(data[3:], "big"))
    return RoundEnd(data[0] + 1, int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:], "big"), None)


def _parse_report(data: bytes) -> TagReport:
    if len(data) < 4:
        raise FrameError(f"tag report of {len(data)} bytes")
    announced, carried = data[1] >> 3 << 1, len(data) - 4
    if announced != carried:
        raise FrameError(f"PC {data[1:3].hex()} announces {announced} bytes of EPC, the frame carries {carried}")
    antenna = _antenna(data[0], data[-1])
    return TagReport(data[0] >> 2, antenna, data[1] << 8 | data[2], data[3:-1], data[-1] & ~_HIGH_PORTS)


def _antenna(channel_and_port: int, high: int) -> int:
    """Two bits tell one of four ports; on readers with eight, the next byte's highest tells the upper four.

    Source: two programs of the vendors, which do so with every reader; the manual has four ports only.
    """
    return (channel_and_port & _LOW_PORTS) + (4 if high & _HIGH_PORTS else 0) + 1


def parse_buffered_tag(frame: Frame) -> BufferedTag | Failure | None:
    """A tag of the buffer, or why there is none; None for any other frame.

    Raises:
        FrameError: the lengths do not agree.
    """
    if frame.command not in (Command.GET_BUFFER, Command.GET_AND_RESET_BUFFER):
        return None
    data = frame.data
    if len(data) == _FAILURE:
        return Failure(data[0])
    if len(data) < 10 or data[2] != len(data) - 6:
        raise FrameError(f"buffered tag of {len(data)} bytes")
    tag = data[3:-3]
    if tag[0] >> 3 << 1 != len(tag) - 4:
        raise FrameError(f"PC {tag[:2].hex()} does not fit an EPC of {len(tag) - 4} bytes")
    tag_crc = int.from_bytes(tag[-2:], "big")
    return BufferedTag(
        kept=int.from_bytes(data[:2], "big"),
        pc=int.from_bytes(tag[:2], "big"),
        epc=tag[2:-2],
        tag_crc=tag_crc,
        crc_ok=crc_hqx(tag[:-2], 0xFFFF) ^ 0xFFFF == tag_crc,
        rssi_raw=data[-3] & ~_HIGH_PORTS,
        channel=data[-2] >> 2,
        antenna=_antenna(data[-2], data[-3]),
        reads=data[-1],
    )


def error_meaning(code: int) -> str:
    """The error in words, `unknown` for codes the manual does not list."""
    return ERROR_MEANINGS.get(code, "unknown")


def describe_error(code: int) -> str:
    """The error's number and words."""
    return f"error 0x{code:02x}, {error_meaning(code)}"


def parse_firmware(frame: Frame) -> str:
    """The firmware's version.

    Raises:
        FrameError: not two bytes.
    """
    major, minor = _exactly(frame, 2)
    return f"{major}.{minor}"


def parse_byte(frame: Frame) -> int:
    """The answer that is one number.

    Raises:
        FrameError: not one byte.
    """
    return _exactly(frame, 1)[0]


def parse_temperature_c(frame: Frame) -> int | None:
    """How warm the reader is; None where it refuses to say.

    Raises:
        FrameError: not two bytes.
    """
    if len(frame.data) == _FAILURE:
        return None
    above_zero, degrees = _exactly(frame, 2)
    return degrees if above_zero else -degrees


def parse_powers_dbm(frame: Frame) -> tuple[int, ...]:
    """The transmit power of each port, or the one number of all.

    Raises:
        FrameError: neither.
    """
    if len(frame.data) in PORTS:
        return tuple(frame.data)
    return tuple(_exactly(frame, 1))


def _exactly(frame: Frame, size: int) -> bytes:
    data = frame.data
    if len(data) == size:
        return data
    said = f": {describe_error(data[0])}" if len(data) == _FAILURE else ""
    raise FrameError(f"answer to command 0x{frame.command:02x} of {len(data)} bytes, not {size}{said}")
