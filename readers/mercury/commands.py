"""Mercury UHF modules, command layer: what the host can ask.

What the answers mean is in `answers.py`, the tag record in `records.py`; what any frame says to a person, in `describe.py`.
Source: Mercury API, serial_reader_l3.c; M5e and M6e manuals; published frames where there are any.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from readers.mercury.codec import MAX_COMMAND, Command
from readers.mercury.records import GEN2, KNOWN

BAUDS = (115200, 921600, 9600, 230400, 460800, 57600, 38400, 19200)
"""Those a module may be left at, the likeliest first.  Source: Mercury API, the list its connect tries."""
SEARCH_MS = 1000
"""Of one search within the endless one; a search without a tag ends in a keep-alive."""
MAX_HOPS = MAX_COMMAND // 4
"""So many frequencies of four bytes a command has room for."""
STOP_STREAM = 2
"""The option of `Opcode.STREAM` that ends it."""


class Opcode(IntEnum):
    """The command byte."""

    VERSION = 0x03
    BOOT = 0x04
    SET_BAUD = 0x06
    CURRENT_PROGRAM = 0x0C
    SERIAL_NUMBER = 0x10
    READ_ONE = 0x21
    READ_MULTIPLE = 0x22
    WRITE_DATA = 0x24
    GET_TAG_BUFFER = 0x29
    CLEAR_TAG_BUFFER = 0x2A
    STREAM = 0x2F
    GET_ANTENNAS = 0x61
    GET_READ_POWER = 0x62
    GET_PROTOCOL = 0x63
    GET_WRITE_POWER = 0x64
    GET_HOP_TABLE = 0x65
    GET_GPIO = 0x66
    GET_REGION = 0x67
    GET_POWER_MODE = 0x68
    GET_READER_OPTION = 0x6A
    GET_PROTOCOL_OPTION = 0x6B
    GET_PROTOCOLS = 0x70
    GET_REGIONS = 0x71
    GET_TEMPERATURE = 0x72
    SET_ANTENNAS = 0x91
    SET_READ_POWER = 0x92
    SET_PROTOCOL = 0x93
    SET_WRITE_POWER = 0x94
    SET_HOP_TABLE = 0x95
    SET_REGION = 0x97
    SET_POWER_MODE = 0x98
    SET_READER_OPTION = 0x9A
    SET_PROTOCOL_OPTION = 0x9B


class SearchFlag(IntEnum):
    """Bits of a search.  Source: Mercury API, `TMR_SR_SearchFlag`."""

    ANTENNA_LIST = 0x0003
    STREAM_TAGS = 0x0008
    MANY_TAGS = 0x0010
    STREAM_STATS = 0x0100


class ReaderOption(IntEnum):
    """Keys of `set_reader_option`.  Source: Mercury API, `TMR_SR_Configuration`."""

    READ_FILTER = 0x0C


class Gen2Option(IntEnum):
    """Keys of `set_gen2_option`.  Source: Mercury API, `TMR_SR_Gen2Configuration`."""

    SESSION = 0x00
    TARGET = 0x01
    Q = 0x12


REGIONS: Mapping[str, int] = {
    "na": 0x01, "eu": 0x02, "kr": 0x03, "in": 0x04, "jp": 0x05, "prc": 0x06, "eu2": 0x07, "eu3": 0x08, "kr2": 0x09,
    "prc2": 0x0A, "au": 0x0B, "nz": 0x0C, "na2": 0x0D, "na3": 0x0E, "is": 0x0F, "my": 0x10, "id": 0x11, "ph": 0x12,
    "tw": 0x13, "mo": 0x14, "ru": 0x15, "sg": 0x16, "jp2": 0x17, "jp3": 0x18, "vn": 0x19, "th": 0x1A, "ar": 0x1B,
    "hk": 0x1C, "bd": 0x1D, "eu4": 0x1E, "is2": 0x20, "na4": 0x21, "open": 0xFF,
}  # fmt: skip
"""By the vendor's short name (tmr_region.h).  `eu3` is Europe as hopping modules have it, `na` North America."""
REGION_NAMES: Mapping[int, str] = {code: name for name, code in REGIONS.items()}
TARGETS: Mapping[str, int] = {"A": 0x0100, "B": 0x0101, "AB": 0x0000, "BA": 0x0001}
STATS_TEMPERATURE = 0x0100


def get_version() -> Command:
    """Ask what it is; answered by the bootloader, too."""
    return Command(Opcode.VERSION)


def current_program() -> Command:
    """Ask whether bootloader or application runs."""
    return Command(Opcode.CURRENT_PROGRAM)


def boot() -> Command:
    """Start the application; refused where it runs already."""
    return Command(Opcode.BOOT)


def set_baud(baud: int) -> Command:
    """Change the line speed once this has been answered."""
    return Command(Opcode.SET_BAUD, baud.to_bytes(4, "big"))


def get_serial_number() -> Command:
    """Ask for the serial number printed on the module."""
    return Command(Opcode.SERIAL_NUMBER, b"\x00\x40")


def get_regions() -> Command:
    """Ask which regions it may be set to."""
    return Command(Opcode.GET_REGIONS)


def set_region(region: str) -> Command:
    """Choose the frequency band, one of `REGIONS`; resets the hop table."""
    return Command(Opcode.SET_REGION, bytes([REGIONS[region]]))


def get_region() -> Command:
    """Ask for the band."""
    return Command(Opcode.GET_REGION)


def set_protocol(protocol: int = GEN2) -> Command:
    """Choose the tags' air protocol."""
    return Command(Opcode.SET_PROTOCOL, protocol.to_bytes(2, "big"))


def detect_antennas() -> Command:
    """Ask which ports there are, and which have an antenna with a DC path."""
    return Command(Opcode.GET_ANTENNAS, b"\x05")


def set_antennas(antennas: Sequence[int]) -> Command:
    """Search on these ports in turn, each sending and receiving.

    Args:
        antennas: counted from 1.
    """
    return Command(Opcode.SET_ANTENNAS, b"\x02" + bytes(port for antenna in antennas for port in (antenna, antenna)))


def get_read_power() -> Command:
    """Ask for the transmit power of reading, and its limits."""
    return Command(Opcode.GET_READ_POWER, b"\x01")


def set_read_power(power_cdbm: int) -> Command:
    """Transmit power of reading, in hundredths of a dBm."""
    return Command(Opcode.SET_READ_POWER, power_cdbm.to_bytes(2, "big"))


def get_hop_table() -> Command:
    """Ask for the frequencies it hops over."""
    return Command(Opcode.GET_HOP_TABLE)


def set_hop_table(frequencies_khz: Sequence[int]) -> Command:
    """Hop over these frequencies; the module refuses those outside its region."""
    return Command(Opcode.SET_HOP_TABLE, b"".join(khz.to_bytes(4, "big") for khz in frequencies_khz))


def get_temperature() -> Command:
    """Ask for the temperature of the board."""
    return Command(Opcode.GET_TEMPERATURE)


def set_reader_option(key: ReaderOption, value: int) -> Command:
    """Set one of the module's options."""
    return Command(Opcode.SET_READER_OPTION, bytes([1, key, value]))


def set_session(session: int) -> Command:
    """The Gen2 session, 0 to 3."""
    return Command(Opcode.SET_PROTOCOL_OPTION, bytes([GEN2, Gen2Option.SESSION, session]))


def set_target(target: str) -> Command:
    """Which tags answer, one of `TARGETS`: AB looks for A until there are none left, then for B."""
    return Command(Opcode.SET_PROTOCOL_OPTION, bytes([GEN2, Gen2Option.TARGET]) + TARGETS[target].to_bytes(2, "big"))


def set_q(q: int | None) -> Command:
    """2**q slots a round, or as many as the module finds good."""
    return Command(Opcode.SET_PROTOCOL_OPTION, bytes([GEN2, Gen2Option.Q]) + (b"\x00" if q is None else bytes([1, q])))


def start_stream(metadata: int, *, temperature: bool) -> Command:
    """Search without end, and report each tag at once.

    Args:
        metadata: what to tell of each tag, bits of `records.Metadata`.
        temperature: report that, too, now and then; not every module can.
    """
    flags = SearchFlag.ANTENNA_LIST | SearchFlag.STREAM_TAGS | SearchFlag.MANY_TAGS
    search = bytes([0x10]) + (flags | SearchFlag.STREAM_STATS * temperature).to_bytes(2, "big")
    search += SEARCH_MS.to_bytes(2, "big") + metadata.to_bytes(2, "big")
    search += STATS_TEMPERATURE.to_bytes(2, "big") * temperature
    head = bytes([0, 0, 1, Opcode.READ_MULTIPLE, 0, 0, GEN2, len(search)])
    return Command(Opcode.STREAM, head + bytes([Opcode.READ_MULTIPLE]) + search)


def stop_stream() -> Command:
    """End the search without end; answered behind the reports that wait, and perhaps not at all when none runs [U]."""
    return Command(Opcode.STREAM, bytes([0, 0, STOP_STREAM]))


def get_tag_buffer(metadata: int = KNOWN) -> Command:
    """Ask for the tags that a plain search has left in the module's buffer."""
    return Command(Opcode.GET_TAG_BUFFER, metadata.to_bytes(2, "big") + b"\x00")


def clear_tag_buffer() -> Command:
    """Forget them."""
    return Command(Opcode.CLEAR_TAG_BUFFER)
