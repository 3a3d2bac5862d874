"""ESC/POS receipt printer: from a label to bytes, or a clear no.  Pure."""

from collections.abc import Mapping

from edge.actuators.escpos_label.codes import to_orders
from edge.actuators.printers import Label, LabelError
from readers.escpos_label import commands
from readers.escpos_label.codec import Order, Text

CODE_PAGES: Mapping[str, int] = {"ascii": 0, "cp437": 0, "cp850": 2, "cp858": 19}
"""Python's name to the printer's number; the lower half of every page is ASCII."""
MAX_LABEL_BYTES = 2048
"""What fits into a printer's buffer of 4 KB whole, since nothing here waits for its flow control."""


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
        parts += [commands.CENTRED, *to_orders(label.code, columns), commands.LEFT]
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
