"""The commands that only read or change settings: each a function from data to the answer's data.

Source: UHF RFID Reader Serial Interface Protocol V3.7, by command.
"""

from collections.abc import Callable, Collection

from simulators.r2000_a0.settings import CHANNELS, Firmware, Settings

DONE = b"\x10"
FAILED, ANTENNA_MISSING, NO_TAG, BUFFER_EMPTY, INVALID = 0x11, 0x22, 0x36, 0x38, 0x41
POWER_RANGE, REGION_INVALID, BEEPER_INVALID, FREQUENCY_RANGE = 0x48, 0x49, 0x4B, 0x4F

Handler = Callable[[Settings, Firmware, bytes], bytes]


class CommandError(Exception):
    """The reader says no.

    Args:
        code: its error code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def one_of(data: bytes, known: Collection[int], code: int = INVALID) -> int:
    """The one byte of a command.

    Raises:
        CommandError: another size, or none of `known`.
    """
    value = sized(data, 1)[0]
    if value not in known:
        raise CommandError(code)
    return value


def sized(data: bytes, size: int) -> bytes:
    """The data, if they have the right size.

    Raises:
        CommandError: another size.
    """
    if len(data) != size:
        raise CommandError(INVALID)
    return data


def _set_power(settings: Settings, firmware: Firmware, data: bytes) -> bytes:
    if len(data) not in (1, firmware.ports):
        raise CommandError(INVALID)
    if max(data) > firmware.most_dbm:
        raise CommandError(POWER_RANGE)
    settings.powers_dbm = data * firmware.ports if len(data) == 1 else data
    return DONE


def _get_power(settings: Settings, _: Firmware, data: bytes) -> bytes:
    """One byte where all ports are alike."""
    sized(data, 0)
    powers = settings.powers_dbm
    return powers[:1] if len(set(powers)) == 1 else powers


def _set_region(settings: Settings, _: Firmware, data: bytes) -> bytes:
    region, first, last = sized(data, 3)
    if region not in CHANNELS:
        raise CommandError(REGION_INVALID)
    low, high = CHANNELS[region]
    if not low <= first <= last <= high:
        raise CommandError(FREQUENCY_RANGE)
    settings.region = data
    return DONE


def _set_detector(settings: Settings, _: Firmware, data: bytes) -> bytes:
    settings.detector_db = sized(data, 1)[0]
    return DONE


def _set_beeper(settings: Settings, _: Firmware, data: bytes) -> bytes:
    settings.beeper = one_of(data, range(3), BEEPER_INVALID)
    return DONE


def _set_profile(settings: Settings, _: Firmware, data: bytes) -> bytes:
    settings.profile = one_of(data, range(0xD0, 0xD4))
    return DONE


def _set_identifier(settings: Settings, _: Firmware, data: bytes) -> bytes:
    settings.identifier = sized(data, 12)
    return DONE


def _set_address(settings: Settings, _: Firmware, data: bytes) -> bytes:
    settings.address = one_of(data, range(255), 0x46)
    return DONE


def _temperature(_: Settings, firmware: Firmware, data: bytes) -> bytes:
    sized(data, 0)
    return bytes((firmware.temperature_c >= 0, abs(firmware.temperature_c)))


HANDLERS: dict[int, Handler] = {
    0x60: lambda _settings, _firmware, _data: b"\x00\x00",
    0x61: lambda _settings, _firmware, data: DONE if len(data) == 2 and data[0] in (3, 4) else bytes((INVALID,)),
    0x62: _set_detector,
    0x63: lambda settings, _firmware, _data: bytes((settings.detector_db,)),
    0x66: _set_power,
    0x67: _set_identifier,
    0x68: lambda settings, _firmware, _data: settings.identifier,
    0x69: _set_profile,
    0x6A: lambda settings, _firmware, _data: bytes((settings.profile,)),
    0x72: lambda _settings, firmware, _data: bytes((firmware.major, firmware.minor)),
    0x73: _set_address,
    0x76: _set_power,
    0x77: _get_power,
    0x78: _set_region,
    0x79: lambda settings, _firmware, _data: settings.region,
    0x7A: _set_beeper,
    0x7B: _temperature,
    0x97: _get_power,
}
