"""RDM6300 125 kHz card reader: driver.

    [[readers]]
    id = "r-desk"
    type = "rdm6300"
    port = "/dev/serial/by-id/…"
    baud = 9600
    antennas = [{ number = 1, zone = "desk" }]

It speaks only while a card lies on its coil, every 50 ms or so: each frame is a read, and two equal ones, as presence asks
for, come by themselves.  A reader without a card and a reader that is broken are silent alike, so there is no liveness.
"""

from collections.abc import Sequence
from typing import ClassVar

from readers.card_number import CARD_RSSI_DBM, em4100_card
from readers.model import ClockNs, Epc, Read, ReaderId
from readers.passive import PassiveDriver
from readers.ports import BytePort
from readers.rdm6300.codec import Frame, FrameDecoder
from readers.settings import Baud, DeviceSettings

ONLY_ANTENNA = 1


class Rdm6300Settings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of the reader's stanza; see the module's docstring."""

    baud: Baud = 9600


class Rdm6300Reader(PassiveDriver[Frame]):
    """One reader on one port.

    Args:
        clock_ns: stamps the reads.
    """

    settings_type: ClassVar[type[DeviceSettings]] = Rdm6300Settings

    def __init__(
        self,
        reader_id: ReaderId,
        port: BytePort,
        settings: Rdm6300Settings,  # noqa: ARG002  every driver is constructed alike
        clock_ns: ClockNs,
    ) -> None:
        super().__init__(reader_id, port, FrameDecoder, clock_ns)

    def _reads_of(self, frame: Frame, read_at_ns: int) -> Sequence[Read]:
        card = Epc(em4100_card(frame.number))
        return [Read(card, self.reader_id, ONLY_ANTENNA, CARD_RSSI_DBM, read_at_ns)]
