"""Scales that print text: any line in words, for `tacet decode`.  Known are the shapes that are found, and no pattern."""

from readers.capture import Protocol
from readers.framing import Direction
from readers.line_weight.codec import Line, LineDecoder
from readers.line_weight.commands import Fault, Form, Label, Reading


def protocol(direction: Direction) -> Protocol:  # noqa: ARG001  such a scale only ever speaks
    """The protocol as `tacet decode` uses it."""
    return Protocol(LineDecoder(), describe)


def describe(line: Line) -> dict[str, object]:
    """What a line says, ready for JSON.

    Raises:
        FrameError: it cannot be printed.
    """
    text = line.text
    match Form().read(text):
        case Fault():
            return {"fault": text}
        case Label(name):
            return {"label": name}
        case (reading,):
            return _fields(reading)
        case ():
            return {"text": text}
        case readings:
            return {"channels": [_fields(reading) for reading in readings]}


def _fields(reading: Reading) -> dict[str, object]:
    fields: dict[str, object] = {"channel": reading.channel} if reading.channel else {}
    if reading.stable is not None:
        fields["status"] = "stable" if reading.stable else "dynamic"
    fields["weight"] = str(reading.value)
    return fields | ({"unit": reading.unit} if reading.unit else {})
