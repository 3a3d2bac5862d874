"""The commands that only read or change settings: each a function from parameters to the answer's data.

Source: M5e and M6e manuals, by command; Mercury API, serial_reader_l3.c.
"""

from collections.abc import Callable, Mapping

from simulators.mercury.settings import HOP_TABLES, Firmware, Settings

WRONG_SIZE, UNAVAILABLE = 0x0100, 0x0101
POWER_TOO_HIGH, INVALID_FREQUENCY, INVALID_PARAMETER, POWER_TOO_LOW, INVALID_REGION = 0x103, 0x104, 0x105, 0x106, 0x10B
INVALID_PROTOCOL = 0x0402
GEN2 = 5
READ_FILTER = 0x0C
APPLICATION, BOOTLOADER = b"\x12", b"\x11"

Handler = Callable[[Settings, Firmware, bytes], bytes]


class CommandError(Exception):
    """The module says no.

    Args:
        status: why.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def sized(parameters: bytes, size: int) -> bytes:
    """The parameters, if they have the right size.

    Raises:
        CommandError: another size.
    """
    if len(parameters) != size:
        raise CommandError(WRONG_SIZE)
    return parameters


def version(_: Settings, firmware: Firmware, __: bytes) -> bytes:
    """What the module is."""
    return firmware.bootloader + firmware.hardware + firmware.firmware_date + firmware.firmware + bytes((0, 0, 0, 0x10))


def current_program(settings: Settings, _: Firmware, __: bytes) -> bytes:
    """What runs."""
    return BOOTLOADER if settings.in_bootloader else APPLICATION


def _serial_number(_: Settings, firmware: Firmware, parameters: bytes) -> bytes:
    return (
        sized(parameters, 2) + b"\x40" + bytes((len(firmware.serial_number),)) + firmware.serial_number.encode("ascii")
    )


def _get_power(settings: Settings, firmware: Firmware, parameters: bytes) -> bytes:
    values = (settings.power_cdbm, firmware.most_cdbm, firmware.least_cdbm)
    wanted = values if sized(parameters, 1)[0] == 1 else values[:1]
    return parameters + b"".join(value.to_bytes(2, "big") for value in wanted)


def _set_power(settings: Settings, firmware: Firmware, parameters: bytes) -> bytes:
    power_cdbm = int.from_bytes(sized(parameters, 2), "big")
    if power_cdbm > firmware.most_cdbm:
        raise CommandError(POWER_TOO_HIGH)
    if power_cdbm < firmware.least_cdbm:
        raise CommandError(POWER_TOO_LOW)
    settings.power_cdbm = power_cdbm
    return b""


def _set_region(settings: Settings, firmware: Firmware, parameters: bytes) -> bytes:
    region = sized(parameters, 1)[0]
    if region not in firmware.regions:
        raise CommandError(INVALID_REGION)
    settings.region, settings.hop_table = region, HOP_TABLES.get(region, ())
    return b""


def _set_protocol(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    if int.from_bytes(sized(parameters, 2), "big") != GEN2:
        raise CommandError(INVALID_PROTOCOL)
    settings.protocol = GEN2
    return b""


def _get_hop_table(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    sized(parameters, 0)
    return b"".join(khz.to_bytes(4, "big") for khz in settings.hop_table)


def _set_hop_table(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    if not parameters or len(parameters) % 4:
        raise CommandError(WRONG_SIZE)
    table = tuple(int.from_bytes(parameters[at : at + 4], "big") for at in range(0, len(parameters), 4))
    band = HOP_TABLES.get(settings.region, ())
    if not band or min(table) < min(band) or max(table) > max(band):
        raise CommandError(INVALID_FREQUENCY)
    settings.hop_table = table
    return b""


def _set_reader_option(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    form, key, value = sized(parameters, 3)
    if form != 1:
        raise CommandError(INVALID_PARAMETER)
    settings.reader_options[key] = bytes((value,))
    if key == READ_FILTER:
        settings.read_filter = value == 1
    return b""


def _set_gen2_option(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    if len(parameters) < 3:
        raise CommandError(WRONG_SIZE)
    if parameters[0] != GEN2:
        raise CommandError(INVALID_PROTOCOL)
    settings.gen2_options[parameters[1]] = parameters[2:]
    return b""


HANDLERS: Mapping[int, Handler] = {
    0x10: _serial_number,
    0x62: _get_power,
    0x63: lambda settings, _firmware, _parameters: settings.protocol.to_bytes(2, "big"),
    0x65: _get_hop_table,
    0x67: lambda settings, _firmware, _parameters: bytes((settings.region,)),
    0x71: lambda _settings, firmware, _parameters: bytes(firmware.regions),
    0x92: _set_power,
    0x93: _set_protocol,
    0x95: _set_hop_table,
    0x97: _set_region,
    0x9A: _set_reader_option,
    0x9B: _set_gen2_option,
}
