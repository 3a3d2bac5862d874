"""HLK-LD2410 radar: any frame in words, for `tacet decode`."""

from collections.abc import Callable, Mapping

from readers.capture import Protocol
from readers.framing import Direction
from readers.hlk_ld2410 import commands
from readers.hlk_ld2410.codec import ANSWER_BIT, Command, Frame, FrameDecoder, Report

Fields = dict[str, object]
NAMES: Mapping[int, str] = {
    0x0B: "start_noise_detection",
    0x1B: "noise_detection_status",
    commands.SET_GATES: "set_gates",
    commands.READ_PARAMETERS_CODE: "read_parameters",
    0x62: "engineering_enable",
    0x63: "engineering_disable",
    commands.SET_SENSITIVITY: "set_sensitivity",
    commands.FIRMWARE_CODE: "firmware",
    0xA1: "set_baud_rate",
    0xA2: "factory_reset",
    0xA3: "restart",
    0xA4: "set_bluetooth",
    0xA5: "get_mac",
    0xA8: "bluetooth_permission",
    0xA9: "set_bluetooth_password",
    0xAA: "set_distance_resolution",
    commands.RESOLUTION_CODE: "get_distance_resolution",
    0xAD: "set_light_control",
    0xAE: "get_light_control",
    commands.LEAVE_CODE: "config_disable",
    commands.ENTER_CODE: "config_enable",
}


def protocol(direction: Direction) -> Protocol:
    """The protocol as `tacet decode` uses it."""
    return Protocol(FrameDecoder(direction), describe)


def describe(frame: Frame) -> Fields:
    """What a frame says, ready for JSON.

    Raises:
        FrameError: an answer whose contents do not fit its command.
    """
    if isinstance(frame, Report):
        return _describe_report(frame)
    code = frame.code & ~ANSWER_BIT
    fields: Fields = {"cmd": f"0x{frame.code:04x}"}
    if code in NAMES:
        fields["name"] = NAMES[code]
    if not frame.code & ANSWER_BIT:
        return fields | ({"value": frame.value.hex()} if frame.value else {})
    status = commands.status_of(frame)
    fields["status"] = status
    if status == commands.DONE and code in _ANSWERS:
        return fields | _ANSWERS[code](frame)
    return fields | ({"value": frame.value[2:].hex()} if len(frame.value) > 2 else {})


def _describe_report(report: Report) -> Fields:
    target = commands.parse_report(report)
    fields: Fields = {
        "kind": "basic" if target.gates is None else "engineering",
        "state": target.state,
        "moving_cm": target.moving_cm,
        "moving_energy": target.moving_energy,
        "static_cm": target.still_cm,
        "static_energy": target.still_energy,
        "detection_cm": target.detection_cm,
    }
    if target.gates is None:
        return fields
    gates = target.gates
    return fields | {
        "max_moving_gate": gates.max_moving,
        "max_static_gate": gates.max_still,
        "moving_energies": list(gates.moving),
        "static_energies": list(gates.still),
        "light": gates.light,
        "out": gates.out,
    }


def _entered(answer: Command) -> Fields:
    version, size = commands.parse_words(answer, 2)
    return {"protocol_version": version, "buffer_size": size}


def _parameters(answer: Command) -> Fields:
    found = commands.parse_parameters(answer)
    return {
        "max_gate": found.max_gate,
        "max_moving_gate": found.max_moving,
        "max_static_gate": found.max_still,
        "moving_sensitivity": list(found.moving),
        "static_sensitivity": list(found.still),
        "hold_s": found.hold_s,
    }


_ANSWERS: Mapping[int, Callable[[Command], Fields]] = {
    commands.ENTER_CODE: _entered,
    commands.READ_PARAMETERS_CODE: _parameters,
    commands.FIRMWARE_CODE: lambda answer: {"version": commands.parse_firmware(answer)},
    commands.RESOLUTION_CODE: lambda answer: {"resolution_index": commands.parse_words(answer, 1)[0]},
}
