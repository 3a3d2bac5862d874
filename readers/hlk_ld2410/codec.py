"""HLK-LD2410 radar, frame layer: bytes <-> frames.  All numbers little-endian.

    report    F4 F3 F2 F1 | length u16 | type u8 | AA | data | 55 | 00 | F8 F7 F6 F5
    command   FD FC FB FA | length u16 | command u16 | value | 04 03 02 01

An answer is a command frame whose command has bit 8 set.  There is no checksum, so a report counts only when its length
is that of its type and every value is one that the radar can say; F4 or F8 inside the data does no harm.
Source: HLK-LD2410 serial communication protocol V1.02, LD2410C V1.07, tables 10 to 15; captures of independent drivers.
"""

import re
from dataclasses import dataclass
from typing import Final

from readers.framing import Broken, Direction, Sound, StreamDecoder

REPORT_HEADER, REPORT_FOOTER = b"\xf4\xf3\xf2\xf1", b"\xf8\xf7\xf6\xf5"
COMMAND_HEADER, COMMAND_FOOTER = b"\xfd\xfc\xfb\xfa", b"\x04\x03\x02\x01"
ENGINEERING, BASIC = 1, 2
DATA_SIZES: Final = {ENGINEERING: 31, BASIC: 9}
HEAD, TAIL = 0xAA, b"\x55\x00"
ANSWER_BIT = 0x0100
MAX_COMMAND = 64
"""What the radar says its own buffer holds; bounds how long a false header can hold up what follows it."""
GATES = 9
MAX_STATE = 6
MAX_ENERGY = 100
MAX_DISTANCE_CM = 1000
"""The last gate ends at 6.75 m; reports a little beyond it are believed."""
_ENVELOPE = 10  # header, length, footer
_START = re.compile(rb"[\xf4\xfd]")


@dataclass(frozen=True, slots=True)
class Report:
    """What the radar says by itself, ten times a second.

    Args:
        type: ENGINEERING or BASIC.
        data: between head and tail: 31 or 9 bytes.
    """

    type: int
    data: bytes

    def to_bytes(self) -> bytes:
        """The report as it goes over the wire."""
        body = bytes([self.type, HEAD]) + self.data + TAIL
        return REPORT_HEADER + len(body).to_bytes(2, "little") + body + REPORT_FOOTER


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the host, or the radar's answer to one.

    Args:
        code: 16 bits, with ANSWER_BIT in an answer.
        value: at most 62 bytes; in an answer its first two are the status, 0 done, 1 refused.
    """

    code: int
    value: bytes = b""

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        body = self.code.to_bytes(2, "little") + self.value
        return COMMAND_HEADER + len(body).to_bytes(2, "little") + body + COMMAND_FOOTER


Frame = Report | Command


class FrameDecoder(StreamDecoder[Frame]):
    """Feed any slices, get whole frames of the right shape.

    Args:
        direction: whose frames: reports and answers, or commands.
    """

    def __init__(self, direction: Direction = "from_reader") -> None:
        super().__init__()
        self._from_reader = direction == "from_reader"

    def _seek(self, buffer: bytearray, start: int) -> int:
        found = _START.search(buffer, start)
        return len(buffer) if found is None else found.start()

    def _examine(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        is_report = buffer[start] == REPORT_HEADER[0]
        header, footer = (REPORT_HEADER, REPORT_FOOTER) if is_report else (COMMAND_HEADER, COMMAND_FOOTER)
        head = bytes(buffer[start : start + 8])
        if not header.startswith(head[:4]):
            return Broken("no whole header")
        if len(head) < 8:
            return None
        length = int.from_bytes(head[4:6], "little")
        why = self._why_no_report(head) if is_report else self._why_no_command(head, length)
        if why:
            return Broken(why)
        if len(buffer) - start < _ENVELOPE + length:
            return None
        body = bytes(buffer[start + 6 : start + 6 + length])
        end = bytes(buffer[start + 6 + length : start + _ENVELOPE + length])
        if end != footer:
            return Broken(f"ends in {end.hex()}, not {footer.hex()}")
        if not is_report:
            return Sound(Command(int.from_bytes(body[:2], "little"), body[2:]), _ENVELOPE + length)
        why = _why_impossible(body)
        return Broken(why) if why else Sound(Report(body[0], body[2:-2]), _ENVELOPE + length)

    def _why_no_report(self, head: bytes) -> str:
        length, kind = int.from_bytes(head[4:6], "little"), head[6]
        if not self._from_reader:
            return "a report, which no host sends"
        if kind not in DATA_SIZES or head[7] != HEAD:
            return f"type {kind}, then 0x{head[7]:02x}: no report begins so"
        if length != DATA_SIZES[kind] + 4:
            return f"length {length}, a report of type {kind} has {DATA_SIZES[kind] + 4}"
        return ""

    def _why_no_command(self, head: bytes, length: int) -> str:
        if not 2 <= length <= MAX_COMMAND:
            return f"length {length}, a command has 2 to {MAX_COMMAND}"
        code = int.from_bytes(head[6:8], "little")
        if code >> 8 != (ANSWER_BIT >> 8 if self._from_reader else 0):
            return f"code 0x{code:04x} is no {'answer' if self._from_reader else 'command'}"
        return "an answer without a status" if self._from_reader and length < 4 else ""


def _why_impossible(body: bytes) -> str:
    """What no radar says in a report; empty where all is possible.

    The last two bytes of an engineering report are free: before protocol V1.06 they held no light and no pin.
    """
    if body[-2:] != TAIL:
        return f"ends in {body[-2:].hex()}, not {TAIL.hex()}"
    data = body[2:-2]
    if data[0] > MAX_STATE:
        return f"state {data[0]}"
    energies = [data[3], data[6], *data[11:29]]
    if max(energies) > MAX_ENERGY:
        return f"energy {max(energies)}, more than {MAX_ENERGY}"
    distances = [int.from_bytes(data[at : at + 2], "little") for at in (1, 4, 7)]
    if max(distances) > MAX_DISTANCE_CM:
        return f"distance {max(distances)} cm, more than {MAX_DISTANCE_CM}"
    if max(data[9:11], default=0) >= GATES:
        return f"gate {max(data[9:11])}, the last is {GATES - 1}"
    return ""
