"""Card readers that type: any line that may be a card in words, for `tacet decode`.

Nobody says here how the reader is set up, so ten digits that can be a decimal number are taken for one.
"""

import re
from collections.abc import Mapping

from readers.capture import Protocol
from readers.card_number import EM4100, MAX_NUMBER
from readers.errors import FrameError
from readers.framing import Direction
from readers.line_cards.codec import Line, LineDecoder
from readers.line_cards.commands import NumberForm, card_of

_FORMS: Mapping[str, tuple[NumberForm, re.Pattern[str]]] = {
    "decimal": ("decimal", re.compile(r"(?P<number>[0-9]{10})")),
    "facility": ("facility", re.compile(r"(?P<facility>[0-9]{3}),(?P<serial>[0-9]{5})")),
    "hex": ("hex", re.compile(r"(?P<number>([0-9A-Fa-f]{2}){4,5})")),
    "hex_checked": ("hex", re.compile(r"(?P<number>[0-9A-Fa-f]{10})(?P<check>[0-9A-Fa-f]{2})")),
}
_ANY = re.compile(r"[0-9A-Fa-f]{8}|[0-9A-Fa-f]{10}|[0-9A-Fa-f]{12}|[0-9]{3},[0-9]{5}")


def protocol(direction: Direction) -> Protocol:  # noqa: ARG001  it never listens
    """The protocol as `tacet decode` uses it."""
    return Protocol(LineDecoder(_ANY), describe)


def describe(line: Line) -> dict[str, object]:
    """What a line says, ready for JSON.

    Raises:
        FrameError: a number that no card has.
    """
    for name, (form, shape) in _FORMS.items():
        found = shape.fullmatch(line.text)
        if found is None or (name == "decimal" and int(found["number"]) > MAX_NUMBER):
            continue
        number = int.from_bytes(card_of(found, form, "em4100").removeprefix(EM4100), "big")
        if name == "facility":  # its highest byte is not told
            return {"form": name, "card_hex": f"{number:06x}"}
        return {"form": name, "card_hex": f"{number:08x}", "card_number": number, "printed": f"{number:010d}"}
    raise FrameError("a line of no known form")
