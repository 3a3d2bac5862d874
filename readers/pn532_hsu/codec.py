"""PN532 NFC chip on its serial interface, frame layer: bytes <-> frames.

    00 | 00 FF | LEN u8 | LCS | TFI | data | DCS | 00                          information, LEN = TFI and data
    00 | 00 FF | FF FF | LEN u16be | LCS | TFI | data | DCS | 00                the same, extended
    00 | 00 FF | 00 FF | 00      and      00 | 00 FF | FF 00 | 00               ACK and NACK

The length bytes and LCS, and TFI, data and DCS, sum to 0 in their low byte.  TFI is D4 from the host, D5 from the chip, 7F
where the chip understood nothing.  Source: NXP UM0701-02 PN532 user manual, host controller communication protocol; captures.
"""

from dataclasses import dataclass, field

from readers.framing import BAD_CHECK, Broken, Sound, StreamDecoder

TFI_HOST, TFI_CHIP, TFI_ERROR = 0xD4, 0xD5, 0x7F
START = b"\x00\x00\xff"
MAX_BODY = 265
"""TFI and data of the longest extended frame the chip takes or sends; bounds how long a false start can hold up the rest."""

_ACK, _NACK, _EXTENDED = b"\x00\xff", b"\xff\x00", b"\xff\xff"
_START_CODE = START[1:]


@dataclass(frozen=True, slots=True)
class Information:
    """A command or an answer.

    Args:
        body: TFI and data.
        extended: written with the long head, which a body of more than 255 bytes needs.
    """

    body: bytes = field(repr=False)
    extended: bool = False

    @property
    def tfi(self) -> int:
        """Who speaks."""
        return self.body[0]

    @property
    def code(self) -> int | None:
        """The command, or its answer, which is one more; None in an error frame."""
        return self.body[1] if len(self.body) > 1 else None

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        size = len(self.body)
        length = size.to_bytes(2, "big") if self.extended else bytes([size])
        head = (_EXTENDED if self.extended else b"") + length + _check(length)
        return START + head + self.body + _check(self.body) + b"\0"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """ACK: the frame came whole, or, from the host, stop what you do.  NACK: send your last answer again."""

    positive: bool = True

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        return START + (_ACK if self.positive else _NACK) + b"\0"


Frame = Information | Acknowledgement


class FrameDecoder(StreamDecoder[Frame]):
    """Feed any slices, get whole frames with right checks.

    Sums see no zero, so a frame that lost one passes for a sound one, its last byte being the next frame's first; that next
    frame is then found without it.
    """

    def _seek(self, buffer: bytearray, start: int) -> int:
        if self._in_step and buffer.startswith(_START_CODE, start):
            return start
        at = buffer.find(START, start)
        if at >= 0:
            return at
        for size in (2, 1):
            if buffer.endswith(START[:size], start):
                return len(buffer) - size
        return len(buffer)

    def _examine(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        lead = len(_START_CODE) if buffer.startswith(_START_CODE, start) else len(START)
        head = _Head(buffer, start, start + lead)
        mark = bytes(buffer[head.at : head.at + 2])
        if len(mark) < len(_ACK):
            return None
        if mark in (_ACK, _NACK):
            return head.acknowledgement(mark == _ACK)
        if mark != _EXTENDED:
            return head.information(1, extended=False)
        if len(buffer) < head.at + 5:
            return None
        return head.information(2, extended=True)


@dataclass(frozen=True, slots=True)
class _Head:
    """A frame that begins at `start` and whose length stands at `at`."""

    buffer: bytearray
    start: int
    at: int

    def acknowledgement(self, positive: bool) -> Sound[Frame] | Broken | None:
        end = self.at + 2
        if end == len(self.buffer):
            return None
        if self.buffer[end]:
            return Broken(f"ends in 0x{self.buffer[end]:02x}, not 0x00")
        return Sound(Acknowledgement(positive), end + 1 - self.start)

    def information(self, length_bytes: int, *, extended: bool) -> Sound[Frame] | Broken | None:
        buffer, length_at = self.buffer, self.at + (len(_EXTENDED) if extended else 0)
        body_at = length_at + length_bytes + 1
        length, check = bytes(buffer[length_at : body_at - 1]), buffer[body_at - 1]
        if bytes([check]) != _check(length):
            return Broken(f"length check {check:02x}, computed {_check(length).hex()}")
        size = int.from_bytes(length, "big")
        if not 0 < size <= MAX_BODY:
            return Broken(f"length {size}; a frame has 1 to {MAX_BODY}")
        end = body_at + size + 2
        if len(buffer) < end:
            return None
        body = bytes(buffer[body_at : body_at + size])
        body_check, trailer = buffer[end - 2 : end]
        if bytes([body_check]) != _check(body):
            return Broken(f"checksum {body_check:02x}, computed {_check(body).hex()}", BAD_CHECK)
        if trailer:
            return Broken(f"ends in 0x{trailer:02x}, not 0x00")
        return Sound(Information(body, extended), end - self.start)


def _check(data: bytes) -> bytes:
    """What makes the sum of `data` and itself 0 in the low byte."""
    return bytes([-sum(data) & 0xFF])
