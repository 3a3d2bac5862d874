"""MT-SICS scale: any line in words, for `tacet decode`."""

from functools import partial

from readers.capture import Protocol
from readers.framing import Direction
from readers.mt_sics.codec import Line, LineDecoder
from readers.mt_sics.commands import parse


def protocol(direction: Direction) -> Protocol:
    """The protocol as `tacet decode` uses it."""
    return Protocol(LineDecoder(direction), partial(describe, direction=direction))


def describe(line: Line, direction: Direction = "from_reader") -> dict[str, object]:
    """What a line says, ready for JSON."""
    if direction == "to_reader":
        command, _, argument = line.text.partition(" ")
        return {"cmd": command, "argument": argument} if argument else {"cmd": command}
    answer = parse(line)
    fields: dict[str, object] = {"cmd": answer.command, "status": answer.status}
    if answer.value is not None:
        fields |= {"weight": answer.value, "unit": answer.unit}
    if answer.text is not None:
        fields["text"] = answer.text
    return fields
