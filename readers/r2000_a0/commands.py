"""R2000 class UHF reader, command layer: what the host can ask.

What the answers mean is in `answers.py`; what any frame says to a person, in `describe.py`.  Antennas count from 1 here
and from 0 on the wire.  Settings outlive the power in the reader's flash, except where a command says otherwise.
Source: UHF RFID Reader Serial Interface Protocol V3.7, section 2; senders of several independent drivers.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from readers.r2000_a0.codec import Frame


class Command(IntEnum):
    """The command byte."""

    READ_GPIO = 0x60
    WRITE_GPIO = 0x61
    SET_DETECTOR = 0x62
    GET_DETECTOR = 0x63
    SET_TEMPORARY_POWER = 0x66
    SET_IDENTIFIER = 0x67
    GET_IDENTIFIER = 0x68
    SET_PROFILE = 0x69
    GET_PROFILE = 0x6A
    RESET = 0x70
    SET_BAUD = 0x71
    GET_FIRMWARE = 0x72
    SET_ADDRESS = 0x73
    SET_ANTENNA = 0x74
    GET_ANTENNA = 0x75
    SET_POWER = 0x76
    GET_POWER = 0x77
    SET_REGION = 0x78
    GET_REGION = 0x79
    SET_BEEPER = 0x7A
    GET_TEMPERATURE = 0x7B
    GET_RETURN_LOSS = 0x7E
    BUFFERED_INVENTORY = 0x80
    READ_MEMORY = 0x81
    WRITE_MEMORY = 0x82
    LOCK = 0x83
    KILL = 0x84
    SET_EPC_MATCH = 0x85
    GET_EPC_MATCH = 0x86
    REALTIME_INVENTORY = 0x89
    FAST_SWITCH_INVENTORY = 0x8A
    SESSION_INVENTORY = 0x8B
    GET_BUFFER = 0x90
    GET_AND_RESET_BUFFER = 0x91
    GET_BUFFER_COUNT = 0x92
    RESET_BUFFER = 0x93
    WRITE_BLOCKS = 0x94
    GET_POWER_EIGHT = 0x97


INVENTORIES = (Command.REALTIME_INVENTORY, Command.FAST_SWITCH_INVENTORY, Command.SESSION_INVENTORY)
"""The orders whose answers are reports of tags and an end of round."""
BEEPER_MODES: Mapping[str, int] = {"off": 0, "round": 1, "tag": 2}
BAUDS: Mapping[int, int] = {38400: 3, 115200: 4}
REGIONS: Mapping[str, int] = {"us": 1, "europe": 2, "china": 3}
REGION_NAMES: Mapping[int, str] = {code: name for name, code in REGIONS.items()} | {4: "custom"}
REGION_CHANNELS: Mapping[str, tuple[int, int]] = {"us": (7, 59), "europe": (0, 6), "china": (43, 53)}
"""First and last channel a region allows: 902 to 928, 865 to 868 and 920 to 925 MHz."""
PORTS = (4, 8)
ANTENNA_OFF = 0xFF
_EUROPEAN_CHANNELS, _EUROPE_MHZ, _AMERICA_MHZ, _STEP_MHZ = 7, 865.0, 902.0, 0.5


def frequency_mhz(channel: int) -> float:
    """The frequency of a channel outside a custom region.  Source: the manual's table of frequencies [2]."""
    if channel < _EUROPEAN_CHANNELS:
        return _EUROPE_MHZ + _STEP_MHZ * channel
    return _AMERICA_MHZ + _STEP_MHZ * (channel - _EUROPEAN_CHANNELS)


def get_firmware(address: int) -> Frame:
    """Ask for the firmware's version: the harmless question that tells whether a reader is there."""
    return Frame(address, Command.GET_FIRMWARE)


def reset(address: int) -> Frame:
    """Start the reader anew; only a refusal is answered."""
    return Frame(address, Command.RESET)


def set_baud(address: int, baud: int) -> Frame:
    """Change the line speed, one of `BAUDS`; answered at the old speed, then the reader starts anew."""
    return Frame(address, Command.SET_BAUD, bytes([BAUDS[baud]]))


def set_address(address: int, new_address: int) -> Frame:
    """Give the reader another address, 0..254; it answers with the new one."""
    return Frame(address, Command.SET_ADDRESS, bytes([new_address]))


def get_identifier(address: int) -> Frame:
    """Ask for the twelve bytes that somebody named the reader with."""
    return Frame(address, Command.GET_IDENTIFIER)


def set_identifier(address: int, identifier: bytes) -> Frame:
    """Name the reader with twelve bytes."""
    return Frame(address, Command.SET_IDENTIFIER, identifier)


def get_antenna(address: int) -> Frame:
    """Ask which antenna the one-antenna orders use."""
    return Frame(address, Command.GET_ANTENNA)


def set_antenna(address: int, antenna: int) -> Frame:
    """Choose the antenna of the one-antenna orders.  Not kept over a loss of power."""
    return Frame(address, Command.SET_ANTENNA, bytes([antenna - 1]))


def get_power(address: int, ports: int = 4) -> Frame:
    """Ask for the transmit power; readers with eight ports have a command of their own [3 vendor codes]."""
    return Frame(address, Command.GET_POWER_EIGHT if ports > PORTS[0] else Command.GET_POWER)


def set_power(address: int, powers_dbm: Sequence[int]) -> Frame:
    """Set the transmit power.

    Args:
        powers_dbm: one for all antennas, or one for each port.
    """
    return Frame(address, Command.SET_POWER, bytes(powers_dbm))


def set_temporary_power(address: int, power_dbm: int) -> Frame:
    """Set the transmit power of all antennas until the reader starts anew; sparing its flash."""
    return Frame(address, Command.SET_TEMPORARY_POWER, bytes([power_dbm]))


def get_region(address: int) -> Frame:
    """Ask for region and channels."""
    return Frame(address, Command.GET_REGION)


def set_region(address: int, region: str, first: int, last: int) -> Frame:
    """Choose the region, one of `REGIONS`, and the channels to hop between; see `REGION_CHANNELS`."""
    return Frame(address, Command.SET_REGION, bytes([REGIONS[region], first, last]))


def set_beeper(address: int, mode: str) -> Frame:
    """Beep never, after each round, or for each tag, which takes the reader's time; one of `BEEPER_MODES`."""
    return Frame(address, Command.SET_BEEPER, bytes([BEEPER_MODES[mode]]))


def get_temperature(address: int) -> Frame:
    """Ask how warm the reader is."""
    return Frame(address, Command.GET_TEMPERATURE)


def get_return_loss(address: int, channel: int) -> Frame:
    """Measure how much of the power comes back from the antenna in use; it transmits for that."""
    return Frame(address, Command.GET_RETURN_LOSS, bytes([channel]))


def get_detector(address: int) -> Frame:
    """Ask for the threshold of the antenna detector."""
    return Frame(address, Command.GET_DETECTOR)


def set_detector(address: int, return_loss_db: int) -> Frame:
    """Call an antenna missing whose return loss is below this; 0 never does."""
    return Frame(address, Command.SET_DETECTOR, bytes([return_loss_db]))


def get_profile(address: int) -> Frame:
    """Ask for the profile of the air interface."""
    return Frame(address, Command.GET_PROFILE)


def set_profile(address: int, profile: int) -> Frame:
    """Choose the profile of the air interface, 0xD0..0xD3 [U]; the reader starts anew."""
    return Frame(address, Command.SET_PROFILE, bytes([profile]))


def read_gpio(address: int) -> Frame:
    """Ask for the levels of the input pins 1 and 2."""
    return Frame(address, Command.READ_GPIO)


def write_gpio(address: int, pin: int, *, high: bool) -> Frame:
    """Set output pin 3 or 4."""
    return Frame(address, Command.WRITE_GPIO, bytes([pin, high]))


def realtime_inventory(address: int, repeat: int) -> Frame:
    """Look for tags with the antenna in use and report each read at once.

    Args:
        repeat: rounds, 1..255; 255 keeps the order as short as the tags allow [U].
    """
    return Frame(address, Command.REALTIME_INVENTORY, bytes([repeat]))


def session_inventory(address: int, session: int, target: str, repeat: int) -> Frame:
    """As `realtime_inventory`, in Gen2 session 0..3 with target A or B."""
    return Frame(address, Command.SESSION_INVENTORY, bytes([session, target == "B", repeat]))


def fast_switch_inventory(
    address: int, antennas: Sequence[int], *, ports: int = 4, stay: int = 1, interval_ms: int = 0, repeat: int = 1
) -> Frame:
    """Look for tags with several antennas in turn and report each read at once.

    Args:
        antennas: in this order, at most one for each port.
        ports: 4 or 8; decides how many places the order has, and those left over are off.
        stay: rounds at each antenna.
        interval_ms: rest between two antennas.
        repeat: how often to go through all.
    """
    places = [(antenna - 1, stay) for antenna in antennas] + [(ANTENNA_OFF, 0)] * (ports - len(antennas))
    data = bytes(byte for place in places for byte in place)
    return Frame(address, Command.FAST_SWITCH_INVENTORY, data + bytes([interval_ms, repeat]))


def buffered_inventory(address: int, repeat: int) -> Frame:
    """Look for tags with the antenna in use and keep them in the reader, each tag once."""
    return Frame(address, Command.BUFFERED_INVENTORY, bytes([repeat]))


def get_buffer(address: int, *, and_reset: bool = False) -> Frame:
    """Ask for the kept tags, a frame each, and forget them if told."""
    return Frame(address, Command.GET_AND_RESET_BUFFER if and_reset else Command.GET_BUFFER)


def get_buffer_count(address: int) -> Frame:
    """Ask how many tags are kept."""
    return Frame(address, Command.GET_BUFFER_COUNT)


def reset_buffer(address: int) -> Frame:
    """Forget the kept tags."""
    return Frame(address, Command.RESET_BUFFER)


def set_epc_match(address: int, epc: bytes) -> Frame:
    """Make the following accesses to a tag's memory be about this tag only."""
    return Frame(address, Command.SET_EPC_MATCH, bytes([0, len(epc)]) + epc)


def clear_epc_match(address: int) -> Frame:
    """Make accesses be about any tag again."""
    return Frame(address, Command.SET_EPC_MATCH, b"\x01")


def get_epc_match(address: int) -> Frame:
    """Ask which tag accesses are about."""
    return Frame(address, Command.GET_EPC_MATCH)


def read_memory(address: int, bank: int, word_address: int, words: int, password: bytes = bytes(4)) -> Frame:
    """Read `words` 16-bit words of a memory bank: 0 reserved, 1 EPC, 2 TID, 3 user."""
    return Frame(address, Command.READ_MEMORY, bytes([bank, word_address, words]) + password)


def write_memory(address: int, bank: int, word_address: int, data: bytes, password: bytes = bytes(4)) -> Frame:
    """Write whole words to a memory bank."""
    return Frame(address, Command.WRITE_MEMORY, password + bytes([bank, word_address, len(data) // 2]) + data)
