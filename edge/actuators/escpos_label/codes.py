"""ESC/POS receipt printer: codes as wide as the paper allows.  Pure.

A printer that finds a code too wide for its paper prints nothing in its place, and says nothing of it.
Source: ESC/POS programmer's manuals, GS k and GS w; ISO/IEC 15417, 15420 and 18004 for the widths.
"""

from bisect import bisect_left

from edge.actuators.printers import Code, LabelError
from readers.escpos_label import commands
from readers.escpos_label.codec import Order

MAX_CHARACTERS = {"qr": 300, "code128": 40, "ean13": 13}
DOTS_PER_COLUMN = 12
"""Of the font that every printer begins with."""
_BAR_DOTS, _SQUARE_DOTS = (3, 2), (6, 5, 4, 3)
"""From what is easiest to scan to what can just be scanned."""
_QR_BYTES = (14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331)
"""What the versions from 1 on hold with error correction M."""
_EAN13_MODULES, _CODE128_FRAME, _CODE128_CHARACTER = 95, 35, 11
_BAR_MARGIN, _SQUARE_MARGIN = 20, 8


def to_orders(code: Code, columns: int) -> list[Order]:
    """What prints the code.

    Args:
        columns: how many characters a line has room for.

    Raises:
        LabelError: no code can be made of it, or none that fits; the message has nothing of its data.
    """
    if not code.data or len(code.data) > MAX_CHARACTERS[code.kind]:
        raise LabelError(f"a {code.kind} code has 1 to {MAX_CHARACTERS[code.kind]} characters")
    if not (code.data.isascii() and code.data.isprintable()):
        raise LabelError(f"a {code.kind} code takes printable ASCII")
    if code.kind == "ean13" and not _is_ean13(code.data):
        raise LabelError("an ean13 code takes 13 digits, the last of which checks the others")
    room, modules = columns * DOTS_PER_COLUMN, _modules(code)
    dots = next((dots for dots in (_SQUARE_DOTS if code.kind == "qr" else _BAR_DOTS) if modules * dots <= room), None)
    if dots is None:
        raise LabelError(
            f"a {code.kind} code of {len(code.data)} characters is wider than {columns} columns; shorten it"
        )
    make = {"qr": commands.qr, "code128": commands.code128, "ean13": commands.ean13}[code.kind]
    return make(code.data, dots)


def _modules(code: Code) -> int:
    """How many of its thinnest bars or smallest squares it is wide, with its margins."""
    if code.kind == "qr":
        return 21 + 4 * bisect_left(_QR_BYTES, len(code.data)) + _SQUARE_MARGIN
    if code.kind == "code128":
        return _CODE128_FRAME + _CODE128_CHARACTER * len(code.data) + _BAR_MARGIN
    return _EAN13_MODULES + _BAR_MARGIN


def _is_ean13(text: str) -> bool:
    if len(text) != 13 or not text.isdigit():
        return False
    return sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(text)) % 10 == 0
