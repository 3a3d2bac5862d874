"""UHFReader18 / UHFReader288, command layer: what the host can ask, the two dialects, and the bands.

Source: UHFReader18 and ZK-RFID102 manuals V2.0 (18); UR series manual v1.14 and the vendor's libraries (288).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum

from readers.uhfreader18.codec import ANY_ADDRESS, Frame


class Command(IntEnum):
    """The command byte."""

    INVENTORY = 0x01
    READ_MEMORY = 0x02
    WRITE_MEMORY = 0x03
    WRITE_EPC = 0x04
    INVENTORY_SINGLE = 0x0F
    GET_INFO = 0x21
    SET_BAND = 0x22
    SET_ADDRESS = 0x24
    SET_SCAN_TIME = 0x25
    SET_BAUD = 0x28
    SET_POWER = 0x2F
    BEEP = 0x33
    SET_WORK_MODE = 0x35  # 18
    GET_WORK_MODE = 0x36  # 18
    SET_BUZZER = 0x40
    SET_STREAM = 0x75  # 288: parameters of the real-time mode
    SWITCH_MODE = 0x76  # 288
    GET_STREAM = 0x77  # 288
    HEARTBEAT_PAUSE = 0x78  # 288
    REPORT = 0xEE
    """Nobody's answer: a tag, or a sign of life, unasked."""


class Dialect(Enum):
    """How inventory answers and unasked reports are laid out; also the names of the drivers."""

    OLD = "18"
    NEW = "288"

    @property
    def type_name(self) -> str:
        """The `type` of a reader that speaks it."""
        return f"uhfreader{self.value}"


@dataclass(frozen=True, slots=True)
class Model:
    """What the type byte of an info answer stands for."""

    name: str
    dialect: Dialect


MODELS: Mapping[int, Model] = {
    0x03: Model("RRU9803M", Dialect.OLD),
    0x08: Model("RRU9803M", Dialect.OLD),
    0x09: Model("UHFReader18", Dialect.OLD),
    0x0C: Model("UHFReader288M", Dialect.NEW),
    0x0F: Model("UHFReader86", Dialect.NEW),
    0x10: Model("UHFReader86", Dialect.NEW),
    0x16: Model("RRU9883M", Dialect.NEW),
    0x20: Model("UHFReader288MP", Dialect.NEW),
    0x75: Model("UHFReader288M", Dialect.NEW),
    0x86: Model("UHFReader18", Dialect.OLD),
    0x8B: Model("UHFReader288ADV", Dialect.NEW),
}
"""Type byte to model.  16 and 8B as the vendor's 288 program has them; 75 as one driver found it; 86 from a capture whose
inventory answers and reports are of the 18 dialect."""


@dataclass(frozen=True, slots=True)
class Band:
    """A frequency band: channel n is at `base_mhz + n * step_mhz`."""

    code: int
    name: str
    base_mhz: float
    step_mhz: float
    channels: int


BANDS: Mapping[str, Band] = {
    "china_900": Band(1, "China2", 920.125, 0.25, 20),
    "us": Band(2, "US", 902.75, 0.5, 50),
    "korea": Band(3, "Korea", 917.1, 0.2, 32),
    "europe": Band(4, "EU", 865.1, 0.2, 15),
    "ukraine": Band(6, "Ukraine", 868.0, 0.1, 7),
    "peru": Band(7, "Peru", 916.2, 0.9, 12),
    "china_800": Band(8, "China1", 840.125, 0.25, 20),
    "europe_3": Band(9, "EU3", 865.7, 0.6, 4),
    "taiwan": Band(10, "Taiwan", 922.25, 0.5, 12),
    "us_3": Band(12, "US3", 902.0, 0.5, 53),
}
"""Regions of the configuration.  The old ones know the first three or four and refuse the others."""
BAND_NAMES: Mapping[int, str] = {0: "user", **{band.code: band.name for band in BANDS.values()}}
BAUDS: Mapping[int, int] = {0: 9600, 1: 19200, 2: 38400, 5: 57600, 6: 115200}
FIRST_ANTENNA_CODE = 0x80
"""What antenna 1 is called in an inventory command."""
MAX_ANTENNAS = 8
ANSWER_MODE, ACTIVE_MODE = 0, 1
_ACTIVE_OUTPUT = bytes.fromhex("0204000100")
"""Gen2, over the serial line, beeping as it likes; every EPC in the field; the rest is of no use to that."""


def inventory_18(address: int = ANY_ADDRESS) -> Frame:
    """Look for tags once, for at most the scan time that is set."""
    return Frame(address, Command.INVENTORY)


def inventory_288(
    *, q: int, session: int, target: str, antenna: int, scan_time_100ms: int, address: int = ANY_ADDRESS
) -> Frame:
    """Look for tags once on one antenna: 2**q slots, session 0..3, target A or B."""
    data = bytes([q, session, target == "B", FIRST_ANTENNA_CODE + antenna - 1, scan_time_100ms])
    return Frame(address, Command.INVENTORY, data)


def inventory_single(address: int = ANY_ADDRESS) -> Frame:
    """Look for one tag (18)."""
    return Frame(address, Command.INVENTORY_SINGLE)


def get_info(address: int = ANY_ADDRESS) -> Frame:
    """Ask for type, band, power and scan time."""
    return Frame(address, Command.GET_INFO)


def band_bytes(band: Band, channel: int | None = None) -> bytes:
    """Highest and lowest channel, each under two bits of the band's code.

    Args:
        channel: the only one; None to hop over all.
    """
    highest, lowest = (band.channels - 1, 0) if channel is None else (channel, channel)
    return bytes([band.code >> 2 << 6 | highest, (band.code & 3) << 6 | lowest])


def set_band(band: Band, channel: int | None = None, address: int = ANY_ADDRESS) -> Frame:
    """Choose the band, and within it one channel or all."""
    return Frame(address, Command.SET_BAND, band_bytes(band, channel))


def set_scan_time(scan_time_100ms: int, address: int = ANY_ADDRESS) -> Frame:
    """How long an inventory may take: 3..255 tenths of a second."""
    return Frame(address, Command.SET_SCAN_TIME, bytes([scan_time_100ms]))


def set_power(power_dbm: int, address: int = ANY_ADDRESS) -> Frame:
    """Transmit power, of all antennas."""
    return Frame(address, Command.SET_POWER, bytes([power_dbm]))


def set_baud(baud: int, address: int = ANY_ADDRESS) -> Frame:
    """Change the line's speed, one of `BAUDS`."""
    code = next(code for code, known in BAUDS.items() if known == baud)
    return Frame(address, Command.SET_BAUD, bytes([code]))


def set_mode(dialect: Dialect, mode: int, address: int = ANY_ADDRESS) -> Frame:
    """Answer when asked, or report tags unasked: `ANSWER_MODE`, `ACTIVE_MODE`.  Kept without power."""
    if dialect is Dialect.OLD:
        return Frame(address, Command.SET_WORK_MODE, bytes([mode]) + _ACTIVE_OUTPUT)
    return Frame(address, Command.SWITCH_MODE, bytes([mode]))


def get_mode(dialect: Dialect, address: int = ANY_ADDRESS) -> Frame:
    """Ask which mode it is in, and with what parameters."""
    return Frame(address, Command.GET_WORK_MODE if dialect is Dialect.OLD else Command.GET_STREAM)


def set_heartbeat(pauses: int, address: int = ANY_ADDRESS) -> Frame:
    """A sign of life after so many times 30 s without a tag (288); 0 for none, at most 127."""
    return Frame(address, Command.HEARTBEAT_PAUSE, bytes([0x80 | pauses]))
