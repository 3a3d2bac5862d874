"""Firmware of an LCUS-n relay board: `A0 channel state sum` switches a relay, and nothing is answered.

FF, between frames, makes newer boards write a text line per channel.  Contacts keep their state while the host is away
and fall off with the power.  Source: published LCUS command list; board notes of independent drivers for the FF text.
"""

from collections.abc import Callable

HEADER, QUERY = 0xA0, 0xFF
BROKEN_OFF_NS = 100_000_000  # a frame that stops half-way is forgotten
Switched = Callable[[int, bool, int], None]
"""Told channel, new state and time, when a contact really moves."""


class LcusRelayDevice:
    """One board on its line."""

    baud = 9600

    def __init__(self, channels: int, switched: Switched, *, answers_query: bool = True) -> None:
        self.contacts = [False] * channels
        self._switched, self._answers_query = switched, answers_query
        self._buffer = bytearray()
        self._last_byte_ns = 0

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """Obey sound frames; anything else is skipped byte by byte."""
        if now_ns - self._last_byte_ns > BROKEN_OFF_NS:
            self._buffer.clear()
        self._last_byte_ns = now_ns
        self._buffer += data
        out = b""
        while self._buffer:
            if self._buffer[0] != HEADER:
                out += self._state_text() if self._buffer[0] == QUERY and self._answers_query else b""
                del self._buffer[0]
            elif len(self._buffer) < 4:
                break
            elif self._obey(*self._buffer[1:4], now_ns=now_ns):
                del self._buffer[:4]
            else:
                del self._buffer[0]
        return out

    def tick(self, _now_ns: int) -> bytes:
        """The board never speaks by itself."""
        return b""

    def power_cycle(self, now_ns: int) -> None:
        """All contacts fall off."""
        self._buffer.clear()
        for channel in range(1, len(self.contacts) + 1):
            self._switch(channel, False, now_ns)

    def _obey(self, channel: int, state: int, checksum: int, *, now_ns: int) -> bool:
        """Switch, if the frame is sound; False if it is none."""
        if (HEADER + channel + state) & 0xFF != checksum or state > 1:
            return False
        if 1 <= channel <= len(self.contacts):
            self._switch(channel, state == 1, now_ns)
        return True

    def _switch(self, channel: int, on: bool, now_ns: int) -> None:
        if self.contacts[channel - 1] != on:
            self.contacts[channel - 1] = on
            self._switched(channel, on, now_ns)

    def _state_text(self) -> bytes:
        lines = (f"CH{number}:{'ON' if on else 'OFF'} \r\n" for number, on in enumerate(self.contacts, start=1))
        return "".join(lines).encode("ascii")
