"""PN532 NFC chip: any frame in words, for `tacet decode`."""

from collections.abc import Callable, Mapping

from readers.capture import Protocol
from readers.framing import Direction
from readers.pn532_hsu.codec import TFI_CHIP, TFI_ERROR, TFI_HOST, Acknowledgement, Frame, FrameDecoder, Information
from readers.pn532_hsu.commands import Command, RfItem, Target, parse_firmware, parse_targets

Fields = dict[str, object]
_NAMES: Mapping[int, str] = {command: command.name.lower() for command in Command}


def protocol(direction: Direction) -> Protocol:  # noqa: ARG001  a frame says who speaks
    """The protocol as `tacet decode` uses it."""
    return Protocol(FrameDecoder(), describe)


def describe(frame: Frame) -> Fields:
    """What a frame says, ready for JSON.

    Raises:
        FrameError: contents that make no sense.
    """
    if isinstance(frame, Acknowledgement):
        return {"name": "ack" if frame.positive else "nack"}
    fields: Fields = {"tfi": f"{frame.tfi:02x}"}
    if frame.tfi == TFI_ERROR:
        return fields | {"name": "error"}
    if frame.code is None:
        return fields
    fields["code"] = f"0x{frame.code:02x}"
    command = frame.code - (frame.tfi == TFI_CHIP)
    if command in _NAMES:
        fields["name"] = _NAMES[command]
    told = _CONTENTS.get((frame.tfi, command), _raw)(frame)
    return fields | told


def _raw(frame: Information) -> Fields:
    data = frame.body[2:]
    return {"data": data.hex()} if data else {}


def _sam(frame: Information) -> Fields:
    names = ("mode", "timeout_50ms", "irq")
    return dict(zip(names, frame.body[2:5], strict=False))


def _rf(frame: Information) -> Fields:
    item, values = frame.body[2:3], frame.body[3:]
    if not item:
        return {}
    name = "max_retries" if item[0] == RfItem.MAX_RETRIES else "field" if item[0] == RfItem.FIELD else "data"
    return {"item": item[0], name: values.hex()}


def _poll(frame: Information) -> Fields:
    return dict(zip(("max_targets", "baud_type"), frame.body[2:4], strict=False))


def _firmware(frame: Information) -> Fields:
    told = parse_firmware(frame)
    version = f"{told.version}.{told.revision}"
    return {"chip": f"0x{told.chip:02x}", "version": version, "iso14443a": told.reads_14443a}


def _found(frame: Information) -> Fields:
    targets = parse_targets(frame)
    if len(targets) == 1:
        return {"targets": 1} | _target(targets[0])
    return {"targets": len(targets)} | ({"cards": [_target(target) for target in targets]} if targets else {})


def _target(target: Target) -> Fields:
    fields: Fields = {
        "sens_res": target.sens_res.hex(),
        "sel_res": f"{target.sel_res:02x}",
        "uid": target.uid.hex(),
    }
    return fields | ({"ats": target.ats.hex()} if target.ats else {})


_CONTENTS: Mapping[tuple[int, int], Callable[[Information], Fields]] = {
    (TFI_HOST, Command.SAM_CONFIGURATION): _sam,
    (TFI_HOST, Command.RF_CONFIGURATION): _rf,
    (TFI_HOST, Command.IN_LIST_PASSIVE_TARGET): _poll,
    (TFI_CHIP, Command.GET_FIRMWARE): _firmware,
    (TFI_CHIP, Command.IN_LIST_PASSIVE_TARGET): _found,
}
