"""What tells one make of a UHFReader from another, and what each keeps in its memory."""

from dataclasses import dataclass

US_ALL = bytes((0x31, 0x80))
"""Channels 0 to 49 of the US band, as delivered."""
CHANNELS = {1: 20, 2: 50, 3: 32, 4: 15, 6: 7, 7: 12, 8: 20, 9: 4, 10: 12, 12: 53}
"""Channels by code of the band: China2, US, Korea, EU, Ukraine, Peru, China1, EU3, Taiwan, US3."""
ANSWER_MODE, ACTIVE_MODE = 0, 1
MIN_SCAN_TIME = 3


@dataclass(frozen=True, slots=True)
class Firmware:
    """One make.

    Args:
        type: its type byte; 09 an UHFReader18, 0C an UHFReader288M.
        is_288: speaks the 288 dialect.
        bands: those it can do.
        tags_per_frame: of an inventory answer; more need more frames.
        ends_with_more: it says that more follows in the last frame, too, as captures show.
        acknowledges: it answers an inventory at once, and sends the tags later, unasked.
        lost_orders: so many commands go unheard in active mode before one is obeyed.
        hears_mode_only: in active mode it does not hear questions, only the order to change the mode.
    """

    version: bytes = bytes((0x05, 0x02))
    type: int = 0x09
    is_288: bool = False
    least_dbm: int = 0
    most_dbm: int = 30
    bands: tuple[int, ...] = (1, 2, 3, 4)
    tags_per_frame: int = 15
    ends_with_more: bool = False
    acknowledges: bool = False
    lost_orders: int = 0
    hears_mode_only: bool = False


UHFREADER18 = Firmware()
UHFREADER288 = Firmware(bytes((0x03, 0x01)), 0x0C, is_288=True, most_dbm=33, bands=tuple(CHANNELS))


@dataclass(slots=True)
class Memory:
    """What stays without power."""

    address: int = 0
    baud: int = 57_600
    mode: int = ANSWER_MODE
    mode_parameters: bytes = bytes((0x02, 0x04, 0x02, 0x06, 0x00))
    band: bytes = US_ALL
    power_dbm: int = 26
    scan_time_100ms: int = 20
    heartbeat_pauses: int = 0
