"""Mercury UHF modules, command layer: what the answers mean, and the frames of the stream.

A frame of the stream is an answer to `READ_MULTIPLE` that nobody asked for:
    option u8 | a second one where the first has 0x80 | search flags u16be | metadata flags u16be where the option has 0x10
    | type u8: 0 a search has ended, 1 a tag, 2 the module's own state | contents
or one without payload, or with another status than 0, which is all it says.  SparkFun's library takes the ended search, of
8 bytes, for something unknown, and the state, of 10, for a temperature at a fixed place.
Source: Mercury API, `TMR_SR_hasMoreTags` and its callers; the layout of the temperature fits the published capture.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from readers.errors import FrameError
from readers.mercury import statuses
from readers.mercury.codec import Answer
from readers.mercury.commands import STATS_TEMPERATURE, Opcode, SearchFlag
from readers.mercury.records import TagRecord, parse_record

ENDED, TAG, STATE = 0, 1, 2
SECOND_OPTION, WITH_METADATA = 0x80, 0x10
BOOTLOADER = 1
MODELS: Mapping[int, str] = {
    0x00: "M5e",
    0x01: "M5e Compact",
    0x02: "M5e-I",
    0x03: "M4e",
    0x18: "M6e",
    0x19: "M6e-I",
    0x20: "M6e Micro",
    0x30: "M6e Nano",
    0x38: "M7e Pico",
}
"""By the first byte of the hardware version.  Source: Mercury API, `TMR_SR_ModelHardwareID`; newer modules are missing."""


@dataclass(frozen=True, slots=True)
class Search:
    """What was asked for, as each frame of the stream repeats it.

    Args:
        metadata: flags of the record, None where the frame has none.
        kind: `ENDED`, `TAG` or `STATE`.
        contents_at: where in the payload the contents begin.
    """

    option: int
    search_flags: int
    metadata: int | None
    kind: int
    contents_at: int


@dataclass(frozen=True, slots=True)
class Version:
    """What the module is; four bytes each, the date in BCD."""

    bootloader: bytes
    hardware: bytes
    firmware_date: bytes
    firmware: bytes
    protocols: int

    @property
    def model(self) -> str:
        """The module's name and firmware."""
        known = MODELS.get(self.hardware[0], f"Mercury module 0x{self.hardware[0]:02x}")
        return f"{known}, firmware {self.firmware.hex('.')}"


@dataclass(frozen=True, slots=True)
class Power:
    """The transmit power and its limits, in hundredths of a dBm; None where only the power was asked for."""

    now_cdbm: int
    most_cdbm: int | None
    least_cdbm: int | None


def is_stream(answer: Answer) -> bool:
    """Whether the frame is part of a stream, rather than the answer to a command."""
    return answer.opcode == Opcode.READ_MULTIPLE


def _has_contents(answer: Answer) -> bool:
    return is_stream(answer) and answer.status == statuses.OK and answer.payload != b""


def is_sign_of_life(answer: Answer) -> bool:
    """Whether the frame proves that the module reads: a tag, an ended search, or the keep-alive it sends once a second.

    Some air protocols have status 0 for the keep-alive.
    """
    if not _has_contents(answer):
        return is_stream(answer) and answer.status in (statuses.NO_TAGS, statuses.OK)
    try:
        return parse_search(answer).kind in (TAG, ENDED)
    except FrameError:
        return False


def parse_search(answer: Answer) -> Search:
    """The head of a stream's frame.

    Raises:
        FrameError: too short, or of an unknown type.
    """
    payload = answer.payload
    second = 1 if payload and payload[0] & SECOND_OPTION else 0
    with_metadata = len(payload) > second and payload[second] & WITH_METADATA
    kind_at = second + (5 if with_metadata else 3)
    if len(payload) <= kind_at:
        raise FrameError(f"a stream frame of {len(payload)} bytes")
    kind = payload[kind_at]
    if kind not in (ENDED, TAG, STATE):
        raise FrameError(f"a stream frame of type {kind}")
    flags = int.from_bytes(payload[second + 1 : second + 3], "big")
    metadata = int.from_bytes(payload[second + 3 : second + 5], "big") if with_metadata else None
    return Search(payload[0], flags, metadata, kind, kind_at + 1)


def parse_tag(answer: Answer) -> TagRecord | None:
    """The tag that a stream's frame reports, None for a frame that reports none.

    Raises:
        FrameError: a report that contradicts itself.
    """
    if not _has_contents(answer):
        return None
    search = parse_search(answer)
    if search.kind != TAG:
        return None
    if search.metadata is None:
        raise FrameError("a tag without metadata flags")
    record, _ = parse_record(answer.payload, search.contents_at, search.metadata)
    return record


def parse_streamed_temperature(answer: Answer) -> int | None:
    """The temperature in degrees Celsius that a stream's frame reports, None where it reports none.

    The contents are the numbers of what was asked for, then number, length and value of each; a number is seven bits a
    byte, the top bit set in all but its last.

    Raises:
        FrameError: a state that contradicts itself.
    """
    if not _has_contents(answer):
        return None
    search = parse_search(answer)
    if search.kind != STATE or not search.search_flags & SearchFlag.STREAM_STATS:
        return None
    payload = answer.payload
    _, at = _take_number(payload, search.contents_at)
    while at < len(payload):
        number, at = _take_number(payload, at)
        size = payload[at] if at < len(payload) else 0
        value, at = payload[at + 1 : at + 1 + size], at + 1 + size
        if at > len(payload):
            raise FrameError("a state of the module is cut off")
        if number == STATS_TEMPERATURE:
            return int.from_bytes(value, "big", signed=True)
    return None


def parse_found(answer: Answer) -> int | None:
    """How many tags a search had found when it ended, None for any other frame.

    A plain search is answered with the number alone, or with option and search flags before it; there it is one byte, or
    four if it was asked for many tags, and one more byte may stand before it.
    """
    payload = answer.payload
    if not _has_contents(answer) or len(payload) not in (1, 4, 5, 7, 8):
        return None
    streams = len(payload) > 1 and int.from_bytes(payload[1:3], "big") & SearchFlag.STREAM_TAGS
    if streams and parse_search(answer).kind != ENDED:
        return None
    return int.from_bytes(payload[-4:] if len(payload) > 5 else payload[-1:], "big")


def parse_tag_buffer(answer: Answer) -> tuple[int, int, list[TagRecord]]:
    """Metadata flags, option and records of an answer to `get_tag_buffer`.

    Raises:
        FrameError: too short, or a record that contradicts itself.
    """
    if len(answer.payload) < 4:
        raise FrameError(f"tag buffer answer of {len(answer.payload)} bytes")
    metadata, option, count = int.from_bytes(answer.payload[:2], "big"), answer.payload[2], answer.payload[3]
    records, at = [], 4
    for _ in range(count):
        record, at = parse_record(answer.payload, at, metadata)
        records.append(record)
    return metadata, option, records


def parse_version(answer: Answer) -> Version:
    """What the module is.

    Raises:
        FrameError: the answer is not twenty bytes long.
    """
    payload = _sized(answer, 20)
    return Version(payload[:4], payload[4:8], payload[8:12], payload[12:16], int.from_bytes(payload[16:], "big"))


def parse_serial_number(answer: Answer) -> str:
    """The serial number printed on the module.  Source: Mercury API, `getSerialNumber`.

    Raises:
        FrameError: cut off, or not ASCII.
    """
    size = answer.payload[3] if len(answer.payload) > 3 else 0
    text = answer.payload[4 : 4 + size]
    if not size or len(text) < size or not text.isascii():
        raise FrameError(f"serial number answer of {len(answer.payload)} bytes makes no sense")
    return text.decode("ascii").rstrip("\0 ")


def parse_in_bootloader(answer: Answer) -> bool:
    """Whether the bootloader runs, rather than the application.

    Raises:
        FrameError: the answer is not one byte long.
    """
    return _sized(answer, 1)[0] & 3 == BOOTLOADER


def parse_power(answer: Answer) -> Power:
    """Transmit power, with its limits where they were asked for.

    Raises:
        FrameError: neither the power alone nor the power with its limits.
    """
    payload = answer.payload
    now_cdbm = int.from_bytes(payload[1:3], "big")
    if len(payload) == 3:
        return Power(now_cdbm, None, None)
    return Power(now_cdbm, int.from_bytes(_sized(answer, 7)[3:5], "big"), int.from_bytes(payload[5:], "big"))


def parse_antennas(answer: Answer) -> dict[int, bool]:
    """The ports there are, and whether an antenna is seen at each; one without a DC path is not seen, though it works.

    Raises:
        FrameError: half a port.
    """
    ports = answer.payload[1:]
    if len(ports) % 2:
        raise FrameError(f"antenna answer of {len(answer.payload)} bytes")
    return {port: seen == 1 for port, seen in zip(ports[::2], ports[1::2], strict=True)}


def parse_temperature(answer: Answer) -> int:
    """Degrees Celsius.

    Raises:
        FrameError: the answer is not one byte long.
    """
    return int.from_bytes(_sized(answer, 1), "big", signed=True)


def _sized(answer: Answer, size: int) -> bytes:
    if len(answer.payload) != size:
        raise FrameError(f"answer to 0x{answer.opcode:02x} of {len(answer.payload)} bytes, not {size}")
    return answer.payload


def _take_number(payload: bytes, at: int) -> tuple[int, int]:
    number = 0
    while at < len(payload):
        number, at = number << 7 | payload[at] & 0x7F, at + 1
        if not payload[at - 1] & 0x80:
            return number, at
    raise FrameError("a state of the module is cut off")
