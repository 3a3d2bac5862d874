"""PN532 NFC chip, command layer: what the host asks, and what the answers mean.

Source: NXP UM0701-02 PN532 user manual; captures of libnfc for the retries.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from readers.card_number import UID_BYTES
from readers.errors import FrameError
from readers.pn532_hsu.codec import TFI_CHIP, TFI_ERROR, TFI_HOST, Acknowledgement, Frame, Information

WAKE = b"\x55\x55" + bytes(14)
"""Rising edges that wake the chip, and zeros while it starts up; sent right before a frame."""
ABORT = Acknowledgement()
"""From the host: give up the command in hand; nothing is answered."""

PN532 = 0x32
_ATS_FOLLOWS = 0x20  # in SEL_RES: the card speaks ISO 14443-4
_CAN_14443A = 0x01


class Command(IntEnum):
    """What is asked; the answer's code is one more."""

    GET_FIRMWARE = 0x02
    GET_GENERAL_STATUS = 0x04
    SAM_CONFIGURATION = 0x14
    RF_CONFIGURATION = 0x32
    IN_DATA_EXCHANGE = 0x40
    IN_LIST_PASSIVE_TARGET = 0x4A
    IN_RELEASE = 0x52


class RfItem(IntEnum):
    """What is set by RF_CONFIGURATION."""

    FIELD = 1
    MAX_RETRIES = 5


@dataclass(frozen=True, slots=True)
class FirmwareVersion:
    """What the chip is.

    Args:
        chip: 0x32 is the PN532.
        reads_14443a: whether it can read the cards we are after.
    """

    chip: int
    version: int
    revision: int
    reads_14443a: bool

    def __str__(self) -> str:
        return f"PN5{self.chip:02X} {self.version}.{self.revision}"


@dataclass(frozen=True, slots=True)
class Target:
    """A card in the field.

    Args:
        sens_res, sel_res: its answers while it was selected: ATQA and SAK.
        ats: of a card that speaks ISO 14443-4, its length byte included; else empty.
    """

    number: int
    sens_res: bytes
    sel_res: int
    uid: bytes = field(repr=False)
    ats: bytes = b""


def sam_configuration() -> Information:
    """Normal mode: no security module.  Also what a chip that has just got its power waits for."""
    return _command(Command.SAM_CONFIGURATION, b"\x01")


def get_firmware() -> Information:
    """Who is there."""
    return _command(Command.GET_FIRMWARE)


def set_max_retries() -> Information:
    """Let a poll end without a card; with the chip's own settings it is answered only when one comes."""
    return _command(Command.RF_CONFIGURATION, bytes([RfItem.MAX_RETRIES, 0, 1, 2]))


def field_off() -> Information:
    """Take the power from the cards until the next poll: a card that stays selected answers no poll."""
    return _command(Command.RF_CONFIGURATION, bytes([RfItem.FIELD, 0]))


def poll() -> Information:
    """Look for one card of ISO 14443 A at 106 kbit/s."""
    return _command(Command.IN_LIST_PASSIVE_TARGET, b"\x01\x00")


def is_answer(frame: Information, command: Information) -> bool:
    """Whether the chip answers this command."""
    return frame.tfi == TFI_CHIP and frame.code is not None and frame.code - 1 == command.code


def is_error(frame: Frame) -> bool:
    """Whether the chip says that it did not understand."""
    return isinstance(frame, Information) and frame.tfi == TFI_ERROR


def parse_firmware(answer: Information) -> FirmwareVersion:
    """What the chip says it is.

    Raises:
        FrameError: too short.
    """
    if len(answer.body) != 6:
        raise FrameError(f"a firmware version of {len(answer.body) - 2} bytes; it has 4")
    chip, version, revision, support = answer.body[2:]
    return FirmwareVersion(chip, version, revision, bool(support & _CAN_14443A))


def parse_targets(answer: Information) -> list[Target]:
    """The cards a poll has found.

    Raises:
        FrameError: cut short, too long, or a UID of no possible length.
    """
    rest = _Rest(answer.body[2:])
    targets = [_target(rest) for _ in range(rest.byte())]
    if rest.data:
        raise FrameError(f"{len(rest.data)} bytes behind the last card of a poll")
    return targets


class _Rest:
    """Bytes taken from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, count: int) -> bytes:
        if len(self.data) < count:
            raise FrameError("the answer to a poll is cut short")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def byte(self) -> int:
        return self.take(1)[0]


def _target(rest: _Rest) -> Target:
    number, sens_res, sel_res, size = rest.byte(), rest.take(2), rest.byte(), rest.byte()
    if size not in UID_BYTES:
        raise FrameError(f"a UID of {size} bytes; it has 4, 7 or 10")
    uid = rest.take(size)
    return Target(number, sens_res, sel_res, uid, _ats(rest) if sel_res & _ATS_FOLLOWS else b"")


def _ats(rest: _Rest) -> bytes:
    """The ATS, which counts itself; the chip can be told to ask for none, and then nothing is there."""
    if not rest.data:
        return b""
    if not rest.data[0]:
        raise FrameError("an ATS of 0 bytes; it counts itself")
    return rest.take(rest.data[0])


def _command(code: Command, parameters: bytes = b"") -> Information:
    return Information(bytes([TFI_HOST, code]) + parameters)
