"""ACME coil, a card reader: driver.  It says `!`, four bytes of number and their sum, for as long as a card lies there.

[[readers]]
id = "r-desk"
type = "acme-coil"
port = "/dev/serial/by-id/…"
antennas = [{ number = 1, zone = "desk" }]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from readers.card_number import CARD_RSSI_DBM, em4100_card
from readers.framing import Broken, Sound, StreamDecoder
from readers.model import ClockNs, Epc, Read, ReaderId
from readers.passive import PassiveDriver
from readers.ports import BytePort
from readers.settings import Baud, DeviceSettings

HEADER, SIZE = b"!", 6
ONLY_ANTENNA = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """The card that lies there."""

    number: int

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        number = self.number.to_bytes(4, "big")
        return HEADER + number + bytes([sum(number) & 0xFF])


class FrameDecoder(StreamDecoder[Frame]):
    """Feed any slices, get whole frames."""

    def _seek(self, buffer: bytearray, start: int) -> int:
        found = buffer.find(HEADER, start)
        return len(buffer) if found < 0 else found

    def _examine(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        if len(buffer) < start + SIZE:
            return None
        frame = Frame(int.from_bytes(buffer[start + 1 : start + 5], "big"))
        return Sound(frame, SIZE) if buffer[start : start + SIZE] == frame.to_bytes() else Broken("the sum is wrong")


class AcmeSettings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of the reader's stanza."""

    baud: Baud = 9600


class AcmeReader(PassiveDriver[Frame]):
    """One reader on one port."""

    settings_type: ClassVar[type[DeviceSettings]] = AcmeSettings

    def __init__(self, reader_id: ReaderId, port: BytePort, settings: AcmeSettings, clock_ns: ClockNs) -> None:
        super().__init__(reader_id, port, FrameDecoder, clock_ns)

    def _reads_of(self, frame: Frame, read_at_ns: int) -> Sequence[Read]:
        card = Epc(em4100_card(frame.number))
        return [Read(card, self.reader_id, ONLY_ANTENNA, CARD_RSSI_DBM, read_at_ns)]
