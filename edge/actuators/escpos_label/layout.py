"""ESC/POS receipt printer: from a label to bytes, or a clear no.  Pure."""

from collections.abc import Mapping

from edge.actuators.printers import Code, Label, LabelError
from readers.escpos_label import commands
from readers.escpos_label.codec import Order, Text

CODE_PAGES: Mapping[str, int] = {"ascii": 0, "cp437": 0, "cp850": 2, "cp858": 19}
"""Python's name to the printer's number; the lower half of every page is ASCII."""
MAX_LABEL_BYTES = 2048
"""What fits into a printer's buffer of 4 KB whole, since nothing here waits for its flow control."""
MAX_CODE_CHARACTERS = {"qr": 300, "code128": 40, "ean13": 13}


def to_bytes(label: Label, code_page: str, columns: int, cut: str, feed_lines: int) -> bytes:
    """Everything the printer has to be sent.

    Args:
        columns: how many characters a line has room for.
        cut: `full`, `partial` or `none`.
        feed_lines: from the last line to the knife.

    Raises:
        LabelError: names the line and what is wrong with it, not its text.
    """
    parts: list[Text | Order] = [commands.INITIAL, commands.code_page(CODE_PAGES[code_page])]
    for number, line in enumerate(label.lines, start=1):
        parts.append(_line(number, line, code_page, columns))
    if label.code is not None:
        parts += [commands.CENTRED, *_code(label.code), commands.LEFT]
    parts.append(commands.feed(feed_lines))
    if cut != "none":
        parts.append(commands.FULL_CUT if cut == "full" else commands.PARTIAL_CUT)
    data = b"".join(part.to_bytes() for part in parts)
    if len(data) > MAX_LABEL_BYTES:
        raise LabelError(f"the label takes {len(data)} bytes, more than the {MAX_LABEL_BYTES} a printer takes at once")
    return data


def _line(number: int, line: str, code_page: str, columns: int) -> Text | Order:
    if not line:
        return commands.feed(1)
    if len(line) > columns:
        raise LabelError(f"line {number} has {len(line)} characters; a line has room for {columns}")
    if not line.isprintable():
        raise LabelError(f"line {number} holds a control character")
    try:
        return Text(line.encode(code_page))
    except UnicodeEncodeError as error:
        letter = f"U+{ord(line[error.start]):04X}"
        raise LabelError(f"line {number}: {code_page} has no letter {letter}; see `code_page`") from None


def _code(code: Code) -> list[Order]:
    if not code.data or len(code.data) > MAX_CODE_CHARACTERS[code.kind]:
        raise LabelError(f"a {code.kind} code has 1 to {MAX_CODE_CHARACTERS[code.kind]} characters")
    if not (code.data.isascii() and code.data.isprintable()):
        raise LabelError(f"a {code.kind} code takes printable ASCII")
    if code.kind == "qr":
        return commands.qr(code.data)
    if code.kind == "code128":
        return commands.code128(code.data)
    if not _is_ean13(code.data):
        raise LabelError("an ean13 code takes 13 digits, the last of which checks the others")
    return commands.ean13(code.data)


def _is_ean13(text: str) -> bool:
    if len(text) != 13 or not text.isdigit():
        return False
    return sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(text)) % 10 == 0
