"""The commands that only tell or change what a reader keeps: each a function from a command's data to its answer's.

Source: UHFReader18 and ZK-RFID102 manuals V2.0, reader-defined commands; UR series manual v1.14, the same.
"""

from collections.abc import Callable, Mapping

from simulators.uhfreader18.firmware import ACTIVE_MODE, ANSWER_MODE, CHANNELS, MIN_SCAN_TIME, Firmware, Memory

BAD_LENGTH, BAD_PARAMETER = 0xFD, 0xFF
BAUDS = {0: 9600, 1: 19200, 2: 38400, 5: 57600, 6: 115200}
WIEGAND = bytes((0x00, 0x1E, 0x0A, 0x0F))
STREAM_PARAMETERS = bytes((0x00, 0x00, 0x00, 0x04, 0x00))

Handler = Callable[[Memory, Firmware, bytes], bytes]


class CommandError(Exception):
    """The reader says no, by a status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status:02x}")
        self.status = status


def sized(data: bytes, size: int) -> bytes:
    """The data, if it has the right size.

    Raises:
        CommandError: another size.
    """
    if len(data) != size:
        raise CommandError(BAD_LENGTH)
    return data


def _info(memory: Memory, made: Firmware, data: bytes) -> bytes:
    sized(data, 0)
    known = made.version + bytes((made.type, 0x02)) + memory.band + bytes((memory.power_dbm, memory.scan_time_100ms))
    return known + bytes((0x0F, 0, 0, 1)) if made.is_288 else known


def _set_band(memory: Memory, made: Firmware, data: bytes) -> bytes:
    highest, lowest = sized(data, 2)
    code = highest >> 6 << 2 | lowest >> 6
    if code not in made.bands or not lowest & 0x3F <= highest & 0x3F < CHANNELS[code]:
        raise CommandError(BAD_PARAMETER)
    memory.band = data
    return b""


def _set_address(memory: Memory, _: Firmware, data: bytes) -> bytes:
    [memory.address] = sized(data, 1)
    return b""


def _set_scan_time(memory: Memory, _: Firmware, data: bytes) -> bytes:
    [tenths] = sized(data, 1)
    memory.scan_time_100ms = max(tenths, MIN_SCAN_TIME)
    return b""


def _set_baud(memory: Memory, _: Firmware, data: bytes) -> bytes:
    [code] = sized(data, 1)
    if code not in BAUDS:
        raise CommandError(BAD_PARAMETER)
    memory.baud = BAUDS[code]
    return b""


def _set_power(memory: Memory, made: Firmware, data: bytes) -> bytes:
    [power_dbm] = sized(data, 1)
    if not made.least_dbm <= power_dbm <= made.most_dbm:
        raise CommandError(BAD_PARAMETER)
    memory.power_dbm = power_dbm
    return b""


def _set_work_mode(memory: Memory, made: Firmware, data: bytes) -> bytes:
    _switch_mode(memory, made, sized(data, 6)[:1])
    memory.mode_parameters = data[1:]
    return b""


def _work_mode(memory: Memory, _: Firmware, data: bytes) -> bytes:
    sized(data, 0)
    return WIEGAND + bytes((memory.mode,)) + memory.mode_parameters + bytes(2)


def _switch_mode(memory: Memory, _: Firmware, data: bytes) -> bytes:
    [mode] = sized(data, 1)
    if mode not in (ANSWER_MODE, ACTIVE_MODE):
        raise CommandError(BAD_PARAMETER)
    memory.mode = mode
    return b""


def _stream(memory: Memory, _: Firmware, data: bytes) -> bytes:
    sized(data, 0)
    return bytes((memory.mode,)) + STREAM_PARAMETERS


def _heartbeat(memory: Memory, _: Firmware, data: bytes) -> bytes:
    [wanted] = sized(data, 1)
    if wanted & 0x80:
        memory.heartbeat_pauses = wanted & 0x7F
    return bytes((memory.heartbeat_pauses,))


_BOTH: Mapping[int, Handler] = {
    0x21: _info,
    0x22: _set_band,
    0x24: _set_address,
    0x25: _set_scan_time,
    0x28: _set_baud,
    0x2F: _set_power,
}
HANDLERS_18: Mapping[int, Handler] = {**_BOTH, 0x35: _set_work_mode, 0x36: _work_mode}
HANDLERS_288: Mapping[int, Handler] = {**_BOTH, 0x76: _switch_mode, 0x77: _stream, 0x78: _heartbeat}
