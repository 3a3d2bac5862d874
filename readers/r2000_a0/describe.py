"""R2000 class UHF reader: any frame in words, for `tacet decode`."""

from collections.abc import Callable, Mapping

from readers.capture import Protocol
from readers.errors import FrameError
from readers.framing import Direction
from readers.r2000_a0 import answers, commands
from readers.r2000_a0.answers import BufferedTag, Failure, RoundEnd, TagReport
from readers.r2000_a0.codec import Frame, FrameDecoder
from readers.r2000_a0.commands import INVENTORIES, Command

Fields = dict[str, object]
Parser = Callable[[bytes], Fields]


def protocol(direction: Direction) -> Protocol:
    """The protocol as `tacet decode` uses it; a frame does not tell who sends it."""
    return Protocol(FrameDecoder(), describe_command if direction == "to_reader" else describe_answer)


def describe_command(frame: Frame) -> Fields:
    """What the host asks, ready for JSON.

    Raises:
        FrameError: the data do not fit the command.
    """
    name: Fields = {"name": _NAMES[frame.command]} if frame.command in _NAMES else {}
    return _head(frame) | name | _parse(_COMMANDS.get(frame.command, _raw), frame)


def describe_answer(frame: Frame) -> Fields:
    """What the reader says, ready for JSON.

    Raises:
        FrameError: the data do not fit the command.
    """
    if frame.command in INVENTORIES:
        return _head(frame) | _inventory(frame)
    if frame.command in (Command.GET_BUFFER, Command.GET_AND_RESET_BUFFER):
        return _head(frame) | _buffer(frame)
    return _head(frame) | _parse(_ANSWERS.get(frame.command, _result_or_raw), frame)


def _head(frame: Frame) -> Fields:
    return {"addr": frame.address, "cmd": f"0x{frame.command:02x}"}


def _parse(parser: Parser, frame: Frame) -> Fields:
    try:
        return parser(frame.data)
    except (IndexError, UnicodeDecodeError) as error:
        data = frame.data.hex() or "(none)"
        raise FrameError(f"data {data} do not fit command 0x{frame.command:02x}") from error


def _inventory(frame: Frame) -> Fields:
    said = answers.parse_inventory(frame)
    if isinstance(said, TagReport):
        return {"kind": "tag"} | _tag(said) | {"rssi_raw": said.rssi_raw, "rssi_dbm": said.rssi_dbm}
    if isinstance(said, RoundEnd):
        return {"kind": "round_end"} | _round_end(said)
    assert isinstance(said, Failure)
    at: Fields = {} if said.antenna is None else {"antenna_index": said.antenna - 1}
    return {"kind": "failure"} | at | _error(said.code)


def _round_end(end: RoundEnd) -> Fields:
    if end.antenna is None:
        return {"total_read": end.total_reads, "duration_ms": end.duration_ms}
    return {"antenna_index": end.antenna - 1, "read_rate": end.reads_per_s, "total_read": end.total_reads}


def _buffer(frame: Frame) -> Fields:
    said = answers.parse_buffered_tag(frame)
    if isinstance(said, Failure):
        return _error(said.code)
    assert isinstance(said, BufferedTag)
    crc: Fields = {"tag_crc": f"{said.tag_crc:04x}", "crc_ok": said.crc_ok}
    return {"kept": said.kept} | _tag(said) | crc | {"rssi_raw": said.rssi_raw, "reads": said.reads}


def _tag(tag: TagReport | BufferedTag) -> Fields:
    return {
        "freq_index": tag.channel,
        "freq_mhz": commands.frequency_mhz(tag.channel),
        "antenna_index": tag.antenna - 1,
        "pc": f"{tag.pc:04x}",
        "epc": tag.epc.hex(),
    }


def _error(code: int) -> Fields:
    return {"error": f"0x{code:02x}", "meaning": answers.error_meaning(code)}


def _exactly(size: int, data: bytes) -> bytes:
    if len(data) != size:
        raise IndexError
    return data


def _raw(data: bytes) -> Fields:
    return {"data": data.hex()} if data else {}


def _nothing(data: bytes) -> Fields:
    _exactly(0, data)
    return {}


def _result_or_raw(data: bytes) -> Fields:
    """A result byte, or an answer that nobody described."""
    if len(data) != 1:
        return _raw(data)
    code = data[0]
    return {"result": f"0x{code:02x} {'ok' if code == answers.OK else answers.error_meaning(code)}"}


def _numbers(*names: str) -> Parser:
    """One byte each."""
    return lambda data: dict(zip(names, _exactly(len(names), data), strict=True))


def _region(data: bytes) -> Fields:
    region: Fields = {"region": commands.REGION_NAMES.get(data[0], f"0x{data[0]:02x}")}
    if len(data) == 6:
        interval, count, start = data[1], data[2], int.from_bytes(data[3:], "big")
        return region | {"start_khz": start, "interval_khz": interval * 10, "channels": count}
    _, first, last = _exactly(3, data)
    return region | {"first_channel": first, "last_channel": last}


def _powers(data: bytes) -> Fields:
    if len(data) not in (1, *commands.PORTS):
        raise IndexError
    return {"power_dbm": list(data)}


def _identifier(data: bytes) -> Fields:
    return {"identifier": _exactly(12, data).hex()}


def _firmware(data: bytes) -> Fields:
    major, minor = _exactly(2, data)
    return {"firmware": f"{major}.{minor}"}


def _temperature(data: bytes) -> Fields:
    above_zero, degrees = _exactly(2, data)
    return {"temperature_c": degrees if above_zero else -degrees}


def _return_loss(data: bytes) -> Fields:
    decibels = _exactly(1, data)[0]
    return _error(decibels) if decibels == answers.NO_RETURN_LOSS else {"return_loss_db": decibels}


def _session(data: bytes) -> Fields:
    session, target, repeat = _exactly(3, data)
    return {"session": session, "target": "B" if target else "A", "repeat": repeat}


def _fast_switch(data: bytes) -> Fields:
    if len(data) not in (2 * ports + 2 for ports in commands.PORTS):
        raise IndexError
    stays = [list(data[at : at + 2]) for at in range(0, len(data) - 2, 2)]
    return {"stays": stays, "interval_ms": data[-2], "repeat": data[-1]}


def _buffered_inventory_answer(data: bytes) -> Fields:
    if len(data) == 1:
        return _error(data[0])
    _exactly(9, data)
    return {
        "antenna_index": data[0],
        "kept": int.from_bytes(data[1:3], "big"),
        "read_rate": int.from_bytes(data[3:5], "big"),
        "total_read": int.from_bytes(data[5:], "big"),
    }


def _count(data: bytes) -> Fields:
    return _error(data[0]) if len(data) == 1 else {"kept": int.from_bytes(_exactly(2, data), "big")}


_NAMES: Mapping[int, str] = {command: command.name.lower() for command in Command}
_COMMANDS: Mapping[int, Parser] = dict.fromkeys(
    (command for command in Command if command.name.startswith(("GET_", "RESET"))), _nothing
) | {
    Command.READ_GPIO: _nothing,
    Command.WRITE_GPIO: _numbers("pin", "level"),
    Command.SET_DETECTOR: _numbers("return_loss_db"),
    Command.SET_TEMPORARY_POWER: _powers,
    Command.SET_IDENTIFIER: _identifier,
    Command.SET_PROFILE: _numbers("profile"),
    Command.SET_BAUD: _numbers("baud_index"),
    Command.SET_ADDRESS: _numbers("new_address"),
    Command.SET_ANTENNA: _numbers("antenna_index"),
    Command.SET_POWER: _powers,
    Command.SET_REGION: _region,
    Command.SET_BEEPER: _numbers("mode"),
    Command.GET_RETURN_LOSS: _numbers("freq_index"),
    Command.BUFFERED_INVENTORY: _numbers("repeat"),
    Command.REALTIME_INVENTORY: _numbers("repeat"),
    Command.FAST_SWITCH_INVENTORY: _fast_switch,
    Command.SESSION_INVENTORY: _session,
}
_ANSWERS: Mapping[int, Parser] = {
    Command.READ_GPIO: _numbers("gpio1", "gpio2"),
    Command.GET_DETECTOR: _numbers("return_loss_db"),
    Command.GET_IDENTIFIER: _identifier,
    Command.GET_PROFILE: _numbers("profile"),
    Command.GET_FIRMWARE: _firmware,
    Command.GET_ANTENNA: _numbers("antenna_index"),
    Command.GET_POWER: _powers,
    Command.GET_POWER_EIGHT: _powers,
    Command.GET_REGION: _region,
    Command.GET_TEMPERATURE: _temperature,
    Command.GET_RETURN_LOSS: _return_loss,
    Command.BUFFERED_INVENTORY: _buffered_inventory_answer,
    Command.GET_BUFFER_COUNT: _count,
}
