"""UHFReader18 and UHFReader288: drivers.

    [[readers]]
    id = "r-door"
    type = "uhfreader288"      # or uhfreader18; the driver refuses the other, and says which to write
    port = "/dev/serial/by-id/…"
    region = "us"              # china_900, us, korea, europe; newer ones: ukraine, peru, china_800, europe_3, taiwan, us_3
    channel = 7                # optional: stay on it; unset: hop over the region
    power_dbm = 26             # read back; more than the reader can do is refused
    mode = "poll"              # ask for each inventory; "active": the reader reports unasked
    scan_time_ms = 300         # the longest an inventory may take: 300 to 25500
    address = 255              # 255 is whichever reader is there
    baud = 57600               # one found at another speed is used at that, with a warning
    antennas = [{ number = 1, zone = "door", floor_dbm = -72 }]

    assumed_dbm = -60          # uhfreader18 only: it tells no signal strength, so every read carries this

    active_antennas = [1, 2]   # uhfreader288 only: polled in turn; each must be in `antennas`
    q = 4                      # uhfreader288 only, with session and target: 2**q slots a round
    session = 0
    target = "A"

Poll mode: the answer to each inventory is the sign of life, with tags or without.  Active mode: reports are, and the
answer to the question whether it is still active; a 288 also sends heartbeats.  In active mode a 288 uses the antennas
and the session that are set in the reader.  Settings are kept in the reader's memory, so only what differs is written.

The unit of a 288's signal strength is not documented: reads carry the raw byte less 129 (see `answers`), so set
`floor_dbm` by what the store shows.  A tag that a 288 reports for several antennas at once is one read for each.
"""

from collections.abc import Sequence
from typing import ClassVar

from readers.model import ClockNs, ReaderId
from readers.ports import BytePort
from readers.settings import DeviceSettings
from readers.uhfreader18 import answers, commands
from readers.uhfreader18.answers import Tag
from readers.uhfreader18.base import UhfReader
from readers.uhfreader18.codec import Frame
from readers.uhfreader18.commands import ACTIVE_MODE, Dialect
from readers.uhfreader18.rounds import USUAL, Patience, Turn
from readers.uhfreader18.scan import ONLY_ANTENNA, wire_18, wire_288
from readers.uhfreader18.settings import Settings18, Settings288
from readers.wire_format import WireFormat

HEARTBEAT_PAUSES = 1
"""Every 30 s, the shortest there is."""


class UhfReader18(UhfReader):
    """A reader of the older family: one antenna, no signal strength."""

    settings_type: ClassVar[type[DeviceSettings]] = Settings18
    dialect = Dialect.OLD

    def __init__(
        self, reader_id: ReaderId, port: BytePort, settings: Settings18, clock_ns: ClockNs, patience: Patience = USUAL
    ) -> None:
        self._settings = settings
        super().__init__(reader_id, port, settings, clock_ns, patience)

    @property
    def wire(self) -> WireFormat:
        """Its frames, for the wire scan."""
        return wire_18(self._settings.assumed_dbm)

    def _turns(self) -> Sequence[Turn]:
        return (Turn(ONLY_ANTENNA, commands.inventory_18(self._settings.address)),)

    def _rssi_dbm(self, tag: Tag) -> float:  # noqa: ARG002  it tells none
        return self._settings.assumed_dbm

    async def _start_active(self) -> None:
        await self._order("the active mode", self._mode_order(ACTIVE_MODE))

    def _active_dead_s(self) -> float:
        return self._patience.dead_s


class UhfReader288(UhfReader):
    """A reader of the newer family: up to eight antennas, each read with its signal strength."""

    settings_type: ClassVar[type[DeviceSettings]] = Settings288
    wire: ClassVar[WireFormat] = wire_288()
    dialect = Dialect.NEW

    def __init__(
        self, reader_id: ReaderId, port: BytePort, settings: Settings288, clock_ns: ClockNs, patience: Patience = USUAL
    ) -> None:
        self._settings = settings
        super().__init__(reader_id, port, settings, clock_ns, patience)

    def _turns(self) -> Sequence[Turn]:
        return tuple(Turn(antenna, self._inventory(antenna)) for antenna in self._settings.active_antennas)

    def _inventory(self, antenna: int) -> Frame:
        settings = self._settings
        return commands.inventory_288(
            q=settings.q,
            session=settings.session,
            target=settings.target,
            antenna=antenna,
            scan_time_100ms=settings.scan_time_100ms,
            address=settings.address,
        )

    def _rssi_dbm(self, tag: Tag) -> float:
        assert tag.rssi_raw is not None
        return tag.rssi_raw + answers.RSSI_OFFSET_DBM

    async def _start_active(self) -> None:
        address = self._settings.address
        await self._order("the active mode", self._mode_order(ACTIVE_MODE))
        await self._port.send(commands.set_heartbeat(HEARTBEAT_PAUSES, address).to_bytes())  # older ones may know none

    def _active_dead_s(self) -> float:
        return self._patience.heartbeat_dead_s
