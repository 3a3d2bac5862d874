"""UHFReader18 / UHFReader288, command layer: what the answers and the unasked reports mean.

Source: UHFReader18 and ZK-RFID102 manuals V2.0 (18); UR series manual v1.14 (288); captures of both families.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from readers.errors import FrameError
from readers.uhfreader18.codec import Frame
from readers.uhfreader18.commands import MAX_ANTENNAS, Command, Dialect

DONE, TIME_UP, MORE, MEMORY_FULL = 1, 2, 3, 4
"""Of an inventory.  Real units say `MORE` in a single complete answer, too."""
OK, HEARTBEAT, STATISTICS, EAS = 0x00, 0x28, 0x26, 0xEE
ANTENNA_ERROR, NO_TAG, BAD_LENGTH, BAD_COMMAND, BAD_PARAMETER = 0xF8, 0xFB, 0xFD, 0xFE, 0xFF
REFUSALS = (BAD_LENGTH, BAD_COMMAND, BAD_PARAMETER)
ROUND_DONE = (OK, DONE, TIME_UP, MORE, MEMORY_FULL, NO_TAG)
"""Statuses of an inventory that took place."""
MEANINGS: Mapping[int, str] = {
    OK: "ok",
    0x05: "wrong_access_password",
    0x09: "kill_failed",
    0x0A: "kill_password_is_zero",
    0x0B: "not_supported_by_tag",
    0x13: "not_saved",
    0x14: "cannot_be_set",
    0x30: "communication_error",
    0xF8: "antenna_error",
    0xF9: "execution_error",
    0xFA: "weak_communication_with_tag",
    0xFB: "no_tag",
    0xFC: "refused_by_tag",
    0xFD: "wrong_length",
    0xFE: "unknown_command_or_crc_error",
    0xFF: "parameter_error",
}
INVENTORY_MEANINGS: Mapping[int, str] = {
    DONE: "done",
    TIME_UP: "scan_time_over",
    MORE: "more_follows",
    MEMORY_FULL: "memory_full",
    STATISTICS: "statistics",
}
REPORT_MEANINGS: Mapping[int, str] = {OK: "tag", HEARTBEAT: "heartbeat", EAS: "eas_alarm"}
RSSI_OFFSET_DBM = -129
"""Added to the raw byte.  No manual gives its unit; the readers are built on the chip whose own protocol (0xA0) documents
this offset, and captures of a near tag (107, 109) come out at -22 and -20 dBm."""
MAX_EPC = 62
POWER_UNKNOWN = 0
_INFO_SIZE = 8
_MODE_AT: Mapping[int, int] = {Command.GET_WORK_MODE: 4, Command.GET_STREAM: 0}
"""Where the mode stands in the answers; behind the four Wiegand parameters of an 18."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag of an inventory or of a report.

    Args:
        epc: or its TID, where that was asked for; whole words.
        rssi_raw: as the reader sends it; None in the 18 dialect, which tells none.
    """

    epc: bytes
    rssi_raw: int | None = None

    def to_bytes(self) -> bytes:
        """As the tag stands in an answer."""
        return bytes([len(self.epc)]) + self.epc + (b"" if self.rssi_raw is None else bytes([self.rssi_raw]))


@dataclass(frozen=True, slots=True)
class Sighting:
    """The tags of one frame.

    Args:
        antenna_mask: bit 0 is antenna 1; None in the 18 dialect, which knows one antenna.
    """

    tags: tuple[Tag, ...]
    antenna_mask: int | None = None

    @property
    def antennas(self) -> tuple[int, ...]:
        """The antennas that saw them, counted from 1."""
        if self.antenna_mask is None:
            return (1,)
        return tuple(bit + 1 for bit in range(MAX_ANTENNAS) if self.antenna_mask >> bit & 1)


@dataclass(frozen=True, slots=True)
class Info:
    """What a unit tells of itself.

    Args:
        protocols: bit 0 ISO 18000-6B, bit 1 Gen2.
        band: highest and lowest channel, as `commands.band_bytes` packs them.
        power_dbm: 0 where it does not know; 255 where its antennas differ.
        more: what newer models add: antennas, buzzer, outputs, antenna check.
    """

    firmware: bytes
    type: int
    protocols: int
    band: bytes
    power_dbm: int
    scan_time_100ms: int
    more: bytes = b""


def parse_sighting(frame: Frame, dialect: Dialect) -> Sighting | None:
    """The tags that a frame reports, asked or unasked; None for any other frame.

    An 18's acknowledgement of an order whose tags come later as reports counts none, and says something behind.

    Raises:
        FrameError: the frame is not laid out as its dialect has it.
    """
    if frame.command in (Command.INVENTORY, Command.INVENTORY_SINGLE):
        if frame.status not in (OK, DONE, TIME_UP, MORE, MEMORY_FULL):
            return None
        return _inventory_18(frame.data) if dialect is Dialect.OLD else _inventory_288(frame.data)
    if frame.command == Command.REPORT and frame.status == OK:
        return _report_18(frame.data) if dialect is Dialect.OLD else _report_288(frame.data)
    return None


def is_sign_of_life(frame: Frame) -> bool:
    """Whether it proves that the unit reads: an inventory that took place, a report, a heartbeat."""
    if frame.command == Command.INVENTORY:
        return frame.status in ROUND_DONE
    return frame.command == Command.REPORT and frame.status in REPORT_MEANINGS


def meaning(frame: Frame) -> str:
    """The status of an answer in words, `unknown` for those no manual lists."""
    status = OK if frame.status is None else frame.status
    special: Mapping[int, str] = {}
    if frame.command == Command.REPORT:
        special = REPORT_MEANINGS
    elif frame.command in (Command.INVENTORY, Command.INVENTORY_SINGLE):
        special = INVENTORY_MEANINGS
    return special.get(status) or MEANINGS.get(status, "unknown")


def is_unknown_command(frame: Frame) -> bool:
    """Whether it answers a command that the unit does not know, or heard wrongly; which one it does not say."""
    return frame.command == 0 and frame.status == BAD_COMMAND


def is_acknowledgement(frame: Frame, dialect: Dialect) -> bool:
    """Whether an 18 has only heard the order: no tag is counted, something else is said, and tags come later as reports."""
    is_old_answer = frame.command == Command.INVENTORY and dialect is Dialect.OLD
    return is_old_answer and frame.status == DONE and len(frame.data) > 1 and frame.data[0] == 0


def is_empty(frame: Frame, sighting: Sighting | None) -> bool:
    """Whether it ends an inventory that found no tag."""
    if frame.command != Command.INVENTORY:
        return False
    return frame.status == NO_TAG or (sighting is not None and not sighting.tags)


def is_mode(frame: Frame) -> bool:
    """Whether it is an answer to `get_mode` that tells."""
    at = _MODE_AT.get(frame.command)
    return at is not None and frame.status == OK and len(frame.data) > at


def parse_info(frame: Frame) -> Info:
    """What an answer to `get_info` tells.

    Raises:
        FrameError: it is too short.
    """
    data = frame.data
    if len(data) < _INFO_SIZE:
        raise FrameError(f"info of {len(data)} bytes; {_INFO_SIZE} at least")
    return Info(data[:2], data[2], data[3], data[4:6], data[6], data[7], data[_INFO_SIZE:])


def parse_mode(frame: Frame) -> int:
    """The mode that an answer to `get_mode` tells.

    Raises:
        FrameError: it is too short.
    """
    at = _MODE_AT[frame.command]
    if len(frame.data) <= at:
        raise FrameError(f"parameters of {len(frame.data)} bytes tell no mode")
    return frame.data[at]


def _inventory_18(data: bytes) -> Sighting:
    if not data:
        raise FrameError("inventory without a count")
    if data[0] == 0:
        return Sighting(())
    return Sighting(_tags(data, 1, data[0], rssi=False))


def _inventory_288(data: bytes) -> Sighting:
    if len(data) < 2:
        raise FrameError(f"inventory of {len(data)} bytes, without antenna and count")
    return _by_antenna(data[0], _tags(data, 2, data[1], rssi=True))


def _report_18(data: bytes) -> Sighting:
    return Sighting((Tag(_sound_epc(data)),))


def _report_288(data: bytes) -> Sighting:
    if not data:
        raise FrameError("report without an antenna")
    return _by_antenna(data[0], _tags(data, 1, 1, rssi=True))


def _by_antenna(mask: int, tags: tuple[Tag, ...]) -> Sighting:
    if tags and not mask:
        raise FrameError("tags of no antenna")
    return Sighting(tags, mask)


def _tags(data: bytes, at: int, count: int, *, rssi: bool) -> tuple[Tag, ...]:
    """`count` tags from `at`, which must end where the data does."""
    tags: list[Tag] = []
    for _ in range(count):
        end = at + 1 + (data[at] if at < len(data) else 0)
        if end + rssi > len(data):
            raise FrameError(f"{count} tags announced, the frame ends inside tag {len(tags) + 1}")
        tags.append(Tag(_sound_epc(data[at + 1 : end]), data[end] if rssi else None))
        at = end + rssi
    if at != len(data):
        raise FrameError(f"{len(data) - at} bytes behind the last of {count} tags")
    return tuple(tags)


def _sound_epc(epc: bytes) -> bytes:
    """An EPC is whole words; which also tells the dialects' reports apart, as the 288's has three bytes more."""
    if len(epc) % 2 or not 2 <= len(epc) <= MAX_EPC:
        raise FrameError(f"an EPC of {len(epc)} bytes; it has 1 to 31 words of two bytes")
    return epc
