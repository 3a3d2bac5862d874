"""Modbus RTU: any frame in words, for `tacet decode`.  What a register means is a matter of the device, and not told here."""

from functools import partial

from readers.capture import Protocol
from readers.framing import Direction
from readers.modbus_rtu import codec
from readers.modbus_rtu.codec import Frame, FrameDecoder

COIL_STATES = {0xFF00: True, 0x0000: False}


def protocol(direction: Direction) -> Protocol:
    """The protocol as `tacet decode` uses it."""
    return Protocol(FrameDecoder(direction), partial(describe, direction=direction))


def describe(frame: Frame, direction: Direction = "from_reader") -> dict[str, object]:
    """What a frame says, ready for JSON.  An answer to a read does not tell what was read: only the request does."""
    if frame.function & codec.REFUSAL:
        said = _refusal(frame.data[0])
    elif direction == "to_reader":
        said = _request(frame)
    else:
        said = _answer(frame)
    return {"unit": frame.unit, "function": frame.function & ~codec.REFUSAL} | said


def _refusal(code: int) -> dict[str, object]:
    return {"exception": code, "text": codec.explain(code)}


def _request(frame: Frame) -> dict[str, object]:
    first, second = _words(frame.data[:4])
    match frame.function:
        case codec.WRITE_COIL | codec.WRITE_REGISTER:
            return _one_written(frame.function, first, second)
        case codec.WRITE_COILS:
            return {"address": first, "count": second, "data": frame.data[5:].hex()}
        case codec.WRITE_REGISTERS:
            return {"address": first, "values": _words(frame.data[5:])}
    return {"address": first, "count": second}


def _answer(frame: Frame) -> dict[str, object]:
    match frame.function:
        case codec.READ_COILS | codec.READ_INPUTS:
            return {"data": frame.data[1:].hex()}
        case codec.READ_HOLDING | codec.READ_INPUT_REGISTERS:
            return {"values": _words(frame.data[1:])}
    first, second = _words(frame.data)
    if frame.function in (codec.WRITE_COIL, codec.WRITE_REGISTER):
        return _one_written(frame.function, first, second)
    return {"address": first, "count": second}


def _one_written(function: int, address: int, value: int) -> dict[str, object]:
    """Vendors add values for coils, to toggle or to blink: these are shown as they are."""
    if function == codec.WRITE_REGISTER:
        return {"address": address, "value": value}
    if value in COIL_STATES:
        return {"coil": address, "on": COIL_STATES[value]}
    return {"coil": address, "value": value}


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
