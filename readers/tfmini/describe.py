"""TFmini laser range finder: any frame in words, for `tacet decode`."""

from collections.abc import Mapping
from functools import partial

from readers.capture import Protocol
from readers.framing import Direction
from readers.tfmini import commands
from readers.tfmini.codec import Command, Frame, FrameDecoder, Measurement, Setup, Text

Fields = dict[str, object]
NAMES: Mapping[int, str] = {
    0x00: "measure_i2c",
    0x01: "get_version",
    0x02: "restart",
    commands.RATE_ID: "set_frame_rate",
    0x04: "trigger",
    commands.FORMAT_ID: "set_format",
    0x06: "set_baud_rate",
    commands.OUTPUT_ID: "set_output",
    0x0A: "set_interface",
    0x0B: "set_i2c_address",
    0x10: "factory_reset",
    0x11: "save",
    0x3B: "set_io_mode",
}
SETUP_NAMES: Mapping[int, str] = {
    0x02: "setup",
    0x06: "set_format",
    0x07: "set_period",
    0x11: "set_mode",
    0x19: "set_range_limit",
    0x1A: "set_unit",
    0x40: "set_trigger",
}


def protocol(direction: Direction) -> Protocol:
    """The protocol as `tacet decode` uses it."""
    return Protocol(FrameDecoder(direction), partial(describe, direction=direction))


def describe(frame: Frame, direction: Direction = "from_reader") -> Fields:
    """What a frame says, ready for JSON; distances as delivered, in what unit the device does not say.

    Raises:
        FrameError: contents that make no sense.
    """
    match frame:
        case Measurement():
            return _describe_measurement(frame)
        case Text():
            return {"format": "text", "distance_m": _metres(frame)}
        case Command():
            fields: Fields = {"id": frame.id, "name": NAMES[frame.id]} if frame.id in NAMES else {"id": frame.id}
            if frame.id == commands.GET_VERSION.id and direction == "from_reader":
                return fields | {"version": commands.parse_version(frame)}
            return fields | ({"payload": frame.payload.hex()} if frame.payload else {})
        case Setup():
            name: Fields = {"name": SETUP_NAMES[frame.code]} if frame.code in SETUP_NAMES else {}
            return {"setup": frame.code} | name | {"value": frame.value.hex()}


def _describe_measurement(frame: Measurement) -> Fields:
    reading = commands.parse(frame, commands.MIN_STRENGTH)
    fields: Fields = {"format": "binary", "distance_cm": frame.distance, "strength": frame.strength}
    fields["reliable"] = reading.distance_cm is not None
    if reading.temperature_c is None:
        return fields | {"mode": reading.mode}
    return fields | {"temperature_c": reading.temperature_c}


def _metres(text: Text) -> float | None:
    metres = float(text.metres)
    return metres if metres >= 0 else None
