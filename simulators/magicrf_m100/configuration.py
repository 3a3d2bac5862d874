"""The commands that only read or change settings: each a function from parameters to the answer's parameters.

Source: M100/QM100 user protocol, by command.
"""

from collections.abc import Callable, Collection
from dataclasses import replace

from simulators.magicrf_m100.settings import CHANNELS, Firmware, Select, Settings

OK = b"\x00"
QUIET_DBM = -14  # what a channel scan hears where nobody transmits

Handler = Callable[[Settings, Firmware, bytes], bytes]


class CommandError(Exception):
    """The module says no; the host gets error 17."""


def one_of(parameters: bytes, known: Collection[int], size: int = 1) -> int:
    """The one parameter of a command.

    Raises:
        CommandError: another size, or none of `known`.
    """
    value = int.from_bytes(sized(parameters, size), "big")
    if value not in known:
        raise CommandError
    return value


def sized(parameters: bytes, size: int) -> bytes:
    """The parameters, if they have the right size.

    Raises:
        CommandError: another size.
    """
    if len(parameters) != size:
        raise CommandError
    return parameters


def _info(_: Settings, firmware: Firmware, parameters: bytes) -> bytes:
    texts = (firmware.hardware, firmware.software, firmware.maker)
    return parameters + texts[one_of(parameters, range(3))].encode("ascii")


def _set_region(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    settings.region, settings.channel, settings.hop_channels = one_of(parameters, CHANNELS), 0, b""
    return OK


def _set_channel(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    settings.channel = one_of(parameters, range(CHANNELS[settings.region]))
    return OK


def _set_hopping(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    settings.hopping = one_of(parameters, (0x00, 0xFF)) == 0xFF
    return OK


def _insert_channels(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    channels = parameters[1:]
    if not channels or len(channels) != parameters[0] or max(channels) >= CHANNELS[settings.region]:
        raise CommandError
    settings.hop_channels = channels
    return OK


def _idle(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    enter, fixed, minutes = sized(parameters, 3)
    if enter > 1 or fixed != 1 or minutes > 30:
        raise CommandError
    settings.idle = enter == 1
    return OK


def _set_power(settings: Settings, firmware: Firmware, parameters: bytes) -> bytes:
    settings.power_cdbm = one_of(parameters, range(firmware.least_cdbm, firmware.most_cdbm + 1), size=2)
    return OK


def _set_query(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    settings.query = sized(parameters, 2)
    return OK


def _set_select(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    if len(parameters) < 7 or len(parameters) != 7 + (parameters[5] + 7) // 8:
        raise CommandError
    settings.select = Select(parameters, mode=2)  # the manual: before access commands, until mode says otherwise
    return OK


def _set_select_mode(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    settings.select = replace(settings.select, mode=one_of(parameters, (0, 1, 2)))
    return OK


def _set_demodulator(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    settings.demodulator = sized(parameters, 4)
    return OK


def _set_auto_sleep(settings: Settings, _: Firmware, parameters: bytes) -> bytes:
    settings.sleep_after_min = one_of(parameters, range(31))
    return parameters


def _scan_channels(settings: Settings, _: Firmware, __: bytes) -> bytes:
    """First and last channel, then one signed byte for each."""
    channels = CHANNELS[settings.region]
    return bytes((0, channels - 1)) + QUIET_DBM.to_bytes(1, "big", signed=True) * channels


HANDLERS: dict[int, Handler] = {
    0x03: _info,
    0x04: _idle,
    0x07: _set_region,
    0x08: lambda settings, _firmware, _parameters: bytes((settings.region,)),
    0x0B: lambda settings, _firmware, _parameters: settings.select.parameters,
    0x0C: _set_select,
    0x0D: lambda settings, _firmware, _parameters: settings.query,
    0x0E: _set_query,
    0x12: _set_select_mode,
    0x1D: _set_auto_sleep,
    0xAA: lambda settings, _firmware, _parameters: bytes((settings.channel,)),
    0xA9: _insert_channels,
    0xAB: _set_channel,
    0xAD: _set_hopping,
    0xB6: _set_power,
    0xB7: lambda settings, _firmware, _parameters: settings.power_cdbm.to_bytes(2, "big"),
    0xF0: _set_demodulator,
    0xF1: lambda settings, _firmware, _parameters: settings.demodulator,
    0xF2: _scan_channels,
    0xF3: _scan_channels,
}
