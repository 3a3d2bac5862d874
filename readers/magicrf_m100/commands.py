"""MagicRF M100 UHF module, command layer: what the host can ask.

What the answers mean to the driver is in `answers.py`; what any frame says to a person, in `describe.py`.
Source: M100 & QM100 user protocol, common control commands.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from readers.magicrf_m100.codec import Frame, FrameType


class Command(IntEnum):
    """The command byte."""

    INFO = 0x03
    IDLE = 0x04
    SET_REGION = 0x07
    GET_REGION = 0x08
    GET_SELECT = 0x0B
    SET_SELECT = 0x0C
    GET_QUERY = 0x0D
    SET_QUERY = 0x0E
    SET_BAUD = 0x11
    SET_SELECT_MODE = 0x12
    SLEEP = 0x17
    GPIO = 0x1A
    AUTO_SLEEP = 0x1D
    SINGLE_POLL = 0x22
    MULTI_POLL = 0x27
    STOP_MULTI_POLL = 0x28
    READ_MEMORY = 0x39
    WRITE_MEMORY = 0x49
    KILL = 0x65
    LOCK = 0x82
    INSERT_CHANNELS = 0xA9
    GET_CHANNEL = 0xAA
    SET_CHANNEL = 0xAB
    SET_HOPPING = 0xAD
    SET_CARRIER = 0xB0
    SET_POWER = 0xB6
    GET_POWER = 0xB7
    CHANGE_CONFIG = 0xC1
    BLOCK_LOCK = 0xD3
    BLOCK_LOCK_DONE = 0xD4
    NXP_CHANGE_CONFIG = 0xE0
    NXP_READ_PROTECT = 0xE1
    NXP_RESET_READ_PROTECT = 0xE2
    NXP_CHANGE_EAS = 0xE3
    NXP_EAS_ALARM = 0xE4
    MONZA_QT = 0xE5
    MONZA_QT_DONE = 0xE6
    SET_DEMODULATOR = 0xF0
    GET_DEMODULATOR = 0xF1
    SCAN_JAMMER = 0xF2
    SCAN_RSSI = 0xF3
    ERROR = 0xFF


class Info(IntEnum):
    """What `INFO` tells."""

    HARDWARE = 0
    SOFTWARE = 1
    MAKER = 2


class SelectMode(IntEnum):
    """When the module selects."""

    ALWAYS = 0
    NEVER = 1
    BEFORE_ACCESS = 2


REGIONS: Mapping[str, int] = {"china_900": 0x01, "us": 0x02, "europe": 0x03, "china_800": 0x04, "korea": 0x06}
REGION_NAMES: Mapping[int, str] = {code: name for name, code in REGIONS.items()}
CHANNELS_MHZ: Mapping[str, tuple[float, float]] = {  # centre of channel 0, spacing
    "china_900": (920.125, 0.25),
    "us": (902.25, 0.5),
    "europe": (865.1, 0.2),
    "china_800": (840.125, 0.25),
    "korea": (917.1, 0.2),
}
CHANNEL_COUNTS: Mapping[str, int] = {"china_900": 20, "us": 52, "europe": 15, "china_800": 20, "korea": 32}
BAUDS = (115200, 57600, 38400, 28800, 19200, 9600)
EPC_BANK, EPC_BITS = 1, 32
"""The memory bank of EPCs, and where in it an EPC starts, behind the tag's CRC and PC."""


def info(what: Info) -> Frame:
    """Ask for a version text."""
    return _command(Command.INFO, bytes([what]))


def set_region(region: str) -> Frame:
    """Choose the frequency band, one of `REGIONS`."""
    return _command(Command.SET_REGION, bytes([REGIONS[region]]))


def get_region() -> Frame:
    """Ask for the band."""
    return _command(Command.GET_REGION)


def set_channel(index: int) -> Frame:
    """Stay on one channel; see `CHANNELS_MHZ`."""
    return _command(Command.SET_CHANNEL, bytes([index]))


def get_channel() -> Frame:
    """Ask for the channel index."""
    return _command(Command.GET_CHANNEL)


def set_hopping(*, on: bool) -> Frame:
    """Hop between the region's channels, or stay."""
    return _command(Command.SET_HOPPING, b"\xff" if on else b"\x00")


def insert_channels(channels: Sequence[int]) -> Frame:
    """Hop between these channels only; see `CHANNELS_MHZ`."""
    return _command(Command.INSERT_CHANNELS, bytes([len(channels), *channels]))


def set_carrier(*, on: bool) -> Frame:
    """Transmit without modulation until told otherwise, for measurements."""
    return _command(Command.SET_CARRIER, b"\xff" if on else b"\x00")


def set_power(power_cdbm: int) -> Frame:
    """Transmit power in hundredths of a dBm."""
    return _command(Command.SET_POWER, power_cdbm.to_bytes(2, "big"))


def get_power() -> Frame:
    """Ask for the transmit power."""
    return _command(Command.GET_POWER)


def set_query(*, q: int, session: int = 0, target: str = "A") -> Frame:
    """The Gen2 Query of each round: 2**q slots, session 0..3, target A or B.  FM0, pilot tone, all tags, as delivered."""
    word = 1 << 12 | session << 8 | (target == "B") << 7 | q << 3
    return _command(Command.SET_QUERY, word.to_bytes(2, "big"))


def get_query() -> Frame:
    """Ask for the Query word."""
    return _command(Command.GET_QUERY)


def set_select(
    mask: bytes,
    *,
    mask_bits: int | None = None,
    pointer_bits: int = EPC_BITS,
    session: int = 0,
    target: str = "A",
    bank: int = EPC_BANK,
    truncate: bool = False,
) -> Frame:
    """Choose the tags whose memory holds `mask` at `pointer_bits`: they become `target` of the session, all others not.

    The module then selects before access commands only, until `set_select_mode` says otherwise.

    Args:
        mask_bits: how much of `mask` counts; None for all.
    """
    matching = 0 if target == "A" else 4  # of the Gen2 actions, those that set matching and other tags apart
    bits = len(mask) * 8 if mask_bits is None else mask_bits
    head = bytes([session << 5 | matching << 2 | bank]) + pointer_bits.to_bytes(4, "big")
    return _command(Command.SET_SELECT, head + bytes([bits, 0x80 if truncate else 0]) + mask[: -(-bits // 8)])


def get_select() -> Frame:
    """Ask for the Select parameters."""
    return _command(Command.GET_SELECT)


def set_select_mode(mode: SelectMode) -> Frame:
    """When to select."""
    return _command(Command.SET_SELECT_MODE, bytes([mode]))


def single_poll() -> Frame:
    """Look for tags once."""
    return _command(Command.SINGLE_POLL)


def multi_poll(count: int) -> Frame:
    """Look for tags `count` times (1..65535), then stop without a word."""
    return _command(Command.MULTI_POLL, b"\x22" + count.to_bytes(2, "big"))


def stop_multi_poll() -> Frame:
    """End a multi poll; answered also when none runs."""
    return _command(Command.STOP_MULTI_POLL)


def set_baud(baud: int) -> Frame:
    """Change the line speed, a multiple of 100; there is no answer."""
    return _command(Command.SET_BAUD, (baud // 100).to_bytes(2, "big"))


def sleep() -> Frame:
    """Sleep; the next byte only wakes the module, the first command gets no answer and Select is lost, all else is kept."""
    return _command(Command.SLEEP)


def auto_sleep(minutes: int) -> Frame:
    """Sleep after this long without a command; 0 never."""
    return _command(Command.AUTO_SLEEP, bytes([minutes]))


def idle(*, enter: bool, auto_minutes: int = 0) -> Frame:
    """Switch the radio off, or on again; also by itself after so long without a command, 0 never.  Nothing is lost."""
    return _command(Command.IDLE, bytes([enter, 1, auto_minutes]))


def gpio_direction(port: int, *, output: bool) -> Frame:
    """Make a pin an output or an input."""
    return _command(Command.GPIO, bytes([0, port, output]))


def gpio_write(port: int, *, high: bool) -> Frame:
    """Set an output pin."""
    return _command(Command.GPIO, bytes([1, port, high]))


def gpio_read(port: int) -> Frame:
    """Ask for a pin's level."""
    return _command(Command.GPIO, bytes([2, port, 0]))


def read_memory(bank: int, word_address: int, words: int, password: bytes = bytes(4)) -> Frame:
    """Read `words` 16-bit words of the selected tag's memory bank."""
    return _command(Command.READ_MEMORY, _memory(bank, word_address, words, password))


def write_memory(bank: int, word_address: int, data: bytes, password: bytes = bytes(4)) -> Frame:
    """Write whole words to the selected tag's memory bank."""
    return _command(Command.WRITE_MEMORY, _memory(bank, word_address, len(data) // 2, password) + data)


def get_demodulator() -> Frame:
    """Ask for the receiver's gains and threshold."""
    return _command(Command.GET_DEMODULATOR)


def set_demodulator(mixer_gain: int, if_gain: int, threshold: int) -> Frame:
    """Set the receiver's gains (the manual's index) and its threshold: lower reads further and errs more."""
    return _command(Command.SET_DEMODULATOR, bytes([mixer_gain, if_gain]) + threshold.to_bytes(2, "big"))


def scan_jammer() -> Frame:
    """Ask for the interference on each channel."""
    return _command(Command.SCAN_JAMMER)


def scan_rssi() -> Frame:
    """Ask for the signal on each channel, to see what other readers do."""
    return _command(Command.SCAN_RSSI)


def _command(command: Command, payload: bytes = b"") -> Frame:
    return Frame(FrameType.COMMAND, command, payload)


def _memory(bank: int, word_address: int, words: int, password: bytes) -> bytes:
    return password + bytes([bank]) + word_address.to_bytes(2, "big") + words.to_bytes(2, "big")
