"""LCUS-n USB relay board: bytes <-> orders.

    0xA0 | channel u8, from 1 | state u8, 1 on, 0 off | sum of the three, low byte

The board never answers.  Source: published LCUS command list.
"""

from dataclasses import dataclass

from readers.framing import BAD_CHECK, Broken, Sound, StreamDecoder

HEADER, SIZE = 0xA0, 4


@dataclass(frozen=True, slots=True)
class Frame:
    """An order to put one channel, counted from 1, into a state."""

    channel: int
    on: bool

    def to_bytes(self) -> bytes:
        """The order as it goes over the wire."""
        body = bytes([HEADER, self.channel, self.on])
        return body + bytes([sum(body) & 0xFF])


class FrameDecoder(StreamDecoder[Frame]):
    """Feed any slices, get whole orders with a right sum."""

    def _seek(self, buffer: bytearray, start: int) -> int:
        at = buffer.find(HEADER, start)
        return len(buffer) if at < 0 else at

    def _examine(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        if len(buffer) - start < SIZE:
            return None
        _, channel, state, check = buffer[start : start + SIZE]
        computed = (HEADER + channel + state) & 0xFF
        if check != computed:
            return Broken(f"checksum {check:02x}, computed {computed:02x}", BAD_CHECK)
        if channel == 0 or state > 1:
            return Broken(f"channel {channel}, state {state}: channels count from 1, states are 0 and 1")
        return Sound(Frame(channel, state == 1), SIZE)
