"""What a Mercury module keeps until it loses power, and the limits its make sets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

POWER_UP_BAUD = 115_200
BAUDS = (9600, 19200, 38400, 57600, 115_200, 230_400, 460_800, 921_600)
HOP_TABLES: Mapping[int, tuple[int, ...]] = {  # in kHz, the first few of each band
    0x01: (902_750, 907_250, 915_750, 924_250),
    0x06: (920_625, 921_375, 922_625, 924_125),
    0x08: (865_700, 866_300, 866_900, 867_500),
    0x0D: (917_400, 919_200, 921_600, 923_800),
}


@dataclass(frozen=True, slots=True)
class Firmware:
    """One make of the module.

    Args:
        hardware: its first byte is the model: 30 a Nano, 18 an M6e, 20 a Micro.
        regions: it may be set to.
        boots_by_itself: the application runs at power-up; Silion and M5e boards wait in the bootloader.
        streams: it knows the search without end; an M5e does not.
        reports_temperature: while it streams, if asked to; others refuse the whole order.
        only_metadata: refuses to tell anything but these of a tag.
        confirms: data in the answers to the orders to start and to stop the stream.
        brown_out_above_cdbm: its supply gives way when it transmits with more; it starts again, without a word.
        too_hot_above_c: it stops reading and says so once a second.
        bad_antennas: ports that send too much power back.
    """

    hardware: bytes = bytes.fromhex("30000002")
    bootloader: bytes = bytes.fromhex("12120200")
    firmware_date: bytes = bytes.fromhex("20170929")
    firmware: bytes = bytes.fromhex("01070200")
    serial_number: str = "22 1430 00D5 0000"
    regions: tuple[int, ...] = tuple(HOP_TABLES)
    least_cdbm: int = 0
    most_cdbm: int = 2700
    boots_by_itself: bool = False
    streams: bool = True
    reports_temperature: bool = True
    only_metadata: int | None = None
    confirms: bool = True
    brown_out_above_cdbm: int | None = None
    too_hot_above_c: int = 85
    bad_antennas: frozenset[int] = frozenset()


@dataclass(slots=True)
class Settings:
    """Set by commands, back to these defaults after a loss of power."""

    in_bootloader: bool
    power_cdbm: int
    region: int = 0
    hop_table: tuple[int, ...] = ()
    protocol: int = 0
    antennas: tuple[int, ...] = (1,)
    read_filter: bool = True
    reader_options: dict[int, bytes] = field(default_factory=dict)
    gen2_options: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """One order to search without end.

    Args:
        head: option and search flags, which every report repeats.
        metadata: flags of what to tell of a tag.
        with_temperature: tell it once a second.
    """

    head: bytes
    metadata: int
    with_temperature: bool
