"""UHFReader18 / UHFReader288: any frame of either dialect in words, for `tacet decode`.

One frame does not tell its dialect, but mostly fits only one; where both fit, the name that was asked for decides.
"""

from collections.abc import Callable, Mapping
from functools import partial

from readers.capture import Protocol
from readers.errors import FrameError
from readers.framing import Direction
from readers.uhfreader18 import answers, commands
from readers.uhfreader18.answers import Sighting
from readers.uhfreader18.codec import Frame, FrameDecoder
from readers.uhfreader18.commands import Command, Dialect

Fields = dict[str, object]
_HEARTBEAT_SIZE, _STATISTICS_SIZE = 16, 7


def protocol(direction: Direction, likely: Dialect = Dialect.OLD) -> Protocol:
    """The protocol as `tacet decode uhfreader18` uses it.

    Args:
        likely: the dialect of what fits both.
    """
    return Protocol(FrameDecoder(direction), partial(describe, likely=likely))


def describe(frame: Frame, likely: Dialect = Dialect.OLD) -> Fields:
    """What a frame says, ready for JSON.

    Raises:
        FrameError: the contents do not fit the command.
    """
    if frame.status is None:
        return _describe_command(frame)
    said: Fields = {
        "addr": frame.address,
        "recmd": f"0x{frame.command:02x}",
        "status": f"0x{frame.status:02x}",
        "meaning": answers.meaning(frame),
    }
    if frame.command == Command.GET_INFO and frame.status == answers.OK:
        return said | _info(frame)
    if frame.command in (Command.GET_WORK_MODE, Command.GET_STREAM) and frame.status == answers.OK:
        return said | {"read_mode": answers.parse_mode(frame), "data": frame.data.hex()}
    if frame.command == Command.REPORT and frame.status == answers.HEARTBEAT:
        return said | _heartbeat(frame.data)
    if frame.command == Command.INVENTORY and frame.status == answers.STATISTICS:
        return said | _statistics(frame.data)
    return said | (_sighting(frame, likely) or _data(frame.data))


def _describe_command(frame: Frame) -> Fields:
    said: Fields = {"addr": frame.address, "cmd": f"0x{frame.command:02x}"}
    if frame.command in _NAMES:
        said["name"] = _NAMES[frame.command]
    parse = _COMMANDS.get(frame.command)
    try:
        return said | (_data(frame.data) if parse is None else parse(frame.data))
    except (IndexError, KeyError) as error:
        raise FrameError(f"data {frame.data.hex() or '(none)'} does not fit command 0x{frame.command:02x}") from error


def _sighting(frame: Frame, likely: Dialect) -> Fields:
    """The tags by the first dialect that fits to the last byte; empty where none does."""
    for dialect in (likely, *(other for other in Dialect if other is not likely)):
        try:
            sighting = answers.parse_sighting(frame, dialect)
        except FrameError:
            continue
        if sighting is not None and (sighting.tags or len(frame.data) == _EMPTY_SIZE[dialect]):
            return _tags(frame, sighting, dialect)
    return {}


def _tags(frame: Frame, sighting: Sighting, dialect: Dialect) -> Fields:
    said: Fields = {"dialect": dialect.value}
    if sighting.antenna_mask is not None:
        said["antenna_mask"] = sighting.antenna_mask
    tags = [
        {"epc": tag.epc.hex()} | ({} if tag.rssi_raw is None else {"rssi_raw": tag.rssi_raw}) for tag in sighting.tags
    ]
    return said | (tags[0] if frame.command == Command.REPORT else {"tags": tags})


def _info(frame: Frame) -> Fields:
    info = answers.parse_info(frame)
    model = commands.MODELS.get(info.type)
    said: Fields = {
        "firmware": info.firmware.hex(),
        "reader_type": f"0x{info.type:02x}",
        "protocols": [name for bit, name in enumerate(("6B", "6C")) if info.protocols >> bit & 1],
        **_band(info.band),
        "power_dbm": info.power_dbm,
        "scan_time_100ms": info.scan_time_100ms,
    }
    if model is not None:
        said |= {"model": model.name, "dialect": model.dialect.value}
    return said | ({"more": info.more.hex()} if info.more else {})


def _heartbeat(data: bytes) -> Fields:
    if len(data) != _HEARTBEAT_SIZE:
        raise FrameError(f"heartbeat of {len(data)} bytes; it has {_HEARTBEAT_SIZE}")
    return {
        "packet": int.from_bytes(data[:4], "big"),
        "antenna_states": data[4:12].hex(),
        "total": int.from_bytes(data[12:], "big"),
    }


def _statistics(data: bytes) -> Fields:
    if len(data) != _STATISTICS_SIZE:
        raise FrameError(f"statistics of {len(data)} bytes; they have {_STATISTICS_SIZE}")
    rate, total = int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:], "big")
    return {"antenna_mask": data[0], "reads_per_s": rate, "total": total}


def _data(data: bytes) -> Fields:
    return {"data": data.hex()} if data else {}


def _band(data: bytes) -> Fields:
    highest, lowest = data[0], data[1]
    code = (highest >> 6) << 2 | lowest >> 6
    return {
        "max_freq_byte": f"{highest:02x}",
        "min_freq_byte": f"{lowest:02x}",
        "band": commands.BAND_NAMES.get(code, f"0x{code:x}"),
    }


def _inventory(data: bytes) -> Fields:
    """A 288's order says what to do; an 18's says nothing, or which words of the TID to give."""
    if len(data) < 5:
        return _data(data)
    target, antenna, scan_time = data[-3:]
    order: Fields = {"q": data[0] & 0x0F, "session": data[1], "target": "AB"[target]}
    return _data(data) | order | {"antenna": antenna - commands.FIRST_ANTENNA_CODE + 1, "scan_time_100ms": scan_time}


def _byte(name: str) -> Callable[[bytes], Fields]:
    return lambda data: {name: data[0]}


_NAMES: Mapping[int, str] = {
    Command.INVENTORY: "inventory",
    Command.READ_MEMORY: "read_memory",
    Command.WRITE_MEMORY: "write_memory",
    Command.WRITE_EPC: "write_epc",
    Command.INVENTORY_SINGLE: "inventory_single",
    Command.GET_INFO: "get_reader_info",
    Command.SET_BAND: "set_band",
    Command.SET_ADDRESS: "set_address",
    Command.SET_SCAN_TIME: "set_scan_time",
    Command.SET_BAUD: "set_baud",
    Command.SET_POWER: "set_power",
    Command.BEEP: "beep",
    Command.SET_WORK_MODE: "set_work_mode",
    Command.GET_WORK_MODE: "get_work_mode",
    Command.SET_BUZZER: "set_buzzer",
    Command.SET_STREAM: "set_real_time_parameters",
    Command.SWITCH_MODE: "switch_mode",
    Command.GET_STREAM: "get_real_time_parameters",
    Command.HEARTBEAT_PAUSE: "heartbeat_pause",
}
_COMMANDS: Mapping[int, Callable[[bytes], Fields]] = {
    Command.INVENTORY: _inventory,
    Command.SET_BAND: _band,
    Command.SET_ADDRESS: _byte("address"),
    Command.SET_SCAN_TIME: _byte("scan_time_100ms"),
    Command.SET_BAUD: lambda data: {"baud_code": data[0], "baud": commands.BAUDS[data[0]]},
    Command.SET_POWER: _byte("power_dbm"),
    Command.SET_WORK_MODE: lambda data: {"read_mode": data[0], "data": data.hex()},
    Command.SWITCH_MODE: _byte("read_mode"),
}
_EMPTY_SIZE: Mapping[Dialect, int] = {Dialect.OLD: 1, Dialect.NEW: 2}
"""The data of an inventory that found nothing; an 18's acknowledgement has more."""
