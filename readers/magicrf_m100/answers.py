"""MagicRF M100 UHF module, command layer: what the answers and notices mean.

Source: M100 & QM100 user protocol, notice and error frames.
"""

from binascii import crc_hqx
from collections.abc import Mapping
from dataclasses import dataclass

from readers.errors import FrameError
from readers.magicrf_m100.codec import Frame, FrameType
from readers.magicrf_m100.commands import Command

NO_TAG, CHANNELS_OCCUPIED = 0x15, 0x20
ERROR_MEANINGS: Mapping[int, str] = {
    0x09: "read_failed",
    0x10: "write_failed",
    0x12: "kill_failed",
    0x13: "lock_failed",
    0x14: "block_lock_failed",
    NO_TAG: "no_tag_or_crc_error",
    0x16: "wrong_access_password",
    0x17: "command_error",
    0x1A: "change_config_failed",
    0x1B: "change_eas_failed",
    0x1D: "no_eas_tag",
    CHANNELS_OCCUPIED: "all_channels_occupied",
    0x2A: "read_protect_failed",
    0x2B: "reset_read_protect_failed",
    0x2E: "monza_qt_failed",
}
TAG_ERRORS: Mapping[int, str] = {  # low nibble: the Gen2 error the tag itself answered
    0xA0: "read_refused_by_tag",
    0xB0: "write_refused_by_tag",
    0xC0: "lock_refused_by_tag",
    0xD0: "kill_refused_by_tag",
    0xE0: "block_lock_refused_by_tag",
}


@dataclass(frozen=True, slots=True)
class TagNotice:
    """One report of one tag.

    Args:
        rssi_dbm: at the chip's input, without antenna gain.
        pc: the tag's protocol control word.
        tag_crc: as the tag sent it.
        crc_ok: whether `tag_crc` is the CRC-16 of PC and EPC.
    """

    rssi_dbm: int
    pc: int
    epc: bytes
    tag_crc: int
    crc_ok: bool


def parse_tag_notice(frame: Frame) -> TagNotice | None:
    """The tag that a frame reports, None for any other frame.

    Raises:
        FrameError: too short, or the EPC is not as long as its PC says.
    """
    if frame.type != FrameType.NOTICE or frame.command != Command.SINGLE_POLL:
        return None
    payload = frame.payload
    if len(payload) < 5:
        raise FrameError(f"tag notice of {len(payload)} bytes")
    announced, carried = payload[1] >> 3 << 1, len(payload) - 5
    if announced != carried:
        raise FrameError(f"PC {payload[1:3].hex()} announces {announced} bytes of EPC, the frame carries {carried}")
    tag_crc = int.from_bytes(payload[-2:], "big")
    rssi_dbm = payload[0] - 256 if payload[0] > 127 else payload[0]
    crc_ok = crc_hqx(payload[1:-2], 0xFFFF) ^ 0xFFFF == tag_crc
    return TagNotice(rssi_dbm, payload[1] << 8 | payload[2], payload[3:-2], tag_crc, crc_ok)


def parse_error(frame: Frame) -> int | None:
    """The error code of an answer, None for any other frame.

    Raises:
        FrameError: an error without a code.
    """
    if frame.type != FrameType.ANSWER or frame.command != Command.ERROR:
        return None
    if not frame.payload:
        raise FrameError("error answer without a code")
    return frame.payload[0]


def error_meaning(code: int) -> str:
    """The error in words, `unknown` for codes the manual does not list."""
    return ERROR_MEANINGS.get(code) or TAG_ERRORS.get(code & 0xF0, "unknown")


def parse_power_cdbm(frame: Frame) -> int:
    """The transmit power of an answer to `get_power`, in hundredths of a dBm.

    Raises:
        FrameError: the answer is not two bytes long.
    """
    if len(frame.payload) != 2:
        raise FrameError(f"power answer of {len(frame.payload)} bytes")
    return int.from_bytes(frame.payload, "big")


def parse_info(frame: Frame) -> str:
    """The version text of an answer to `info`, which is ASCII but for what a clone calls itself."""
    return frame.payload[1:].decode("ascii", "replace").rstrip("\0 ")
