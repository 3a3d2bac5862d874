"""ESC/POS receipt printer: what the orders of a receipt are, and what the status bytes mean.

Source: ESC/POS programmer's manuals; the status bits as independent drivers read them.
"""

from enum import IntEnum

from readers.escpos_label.codec import (
    ALIGN,
    ASK_STATUS,
    BARCODE,
    BARCODE_HEIGHT,
    BARCODE_TEXT,
    BARCODE_WIDTH,
    CODE_PAGE,
    CUT,
    FEED,
    INITIALISE,
    QR,
    Order,
)
from readers.model import PrinterStatus

INITIAL = Order(INITIALISE)
"""Back to the printer's own settings; what was not yet printed is forgotten."""
CENTRED, LEFT = Order(ALIGN, b"\x01"), Order(ALIGN, b"\x00")
FULL_CUT, PARTIAL_CUT = Order(CUT, b"\x00"), Order(CUT, b"\x01")

_EAN13, _CODE128 = 0x43, 0x49
_BARCODE_DOTS = 80
_TEXT_BELOW = 2
_QR_CODE = 0x31
_QR_LEVEL_M = 0x31


class Question(IntEnum):
    """What DLE EOT asks for."""

    PRINTER = 1
    OFF_LINE = 2
    ERROR = 3
    PAPER = 4


def ask(question: Question) -> Order:
    """Answered at once, also while it prints or is off-line."""
    return Order(ASK_STATUS, bytes([question]))


def parse_status(printer: int, off_line: int, error: int, paper: int) -> PrinterStatus:
    """The four answers, in the order of `Question`."""
    return PrinterStatus(
        off_line=bool(printer & 0x08),
        cover_open=bool(off_line & 0x04),
        error=bool(error & 0x6C or off_line & 0x40),
        paper_out=bool(paper & 0x60 or off_line & 0x20),
        paper_low=bool(paper & 0x0C),
    )


def code_page(number: int) -> Order:
    """Which letters the upper half of the bytes are."""
    return Order(CODE_PAGE, bytes([number]))


def feed(lines: int) -> Order:
    """Move the paper on."""
    return Order(FEED, bytes([lines]))


def ean13(digits: str, module_dots: int) -> list[Order]:
    """A bar code of 13 digits, with the digits below.

    Args:
        digits: ASCII; the caller has seen to their check digit.
        module_dots: the width of its thinnest bar, 2 to 6.
    """
    return _barcode(_EAN13, digits.encode("ascii"), module_dots)


def code128(text: str, module_dots: int) -> list[Order]:
    """A bar code of printable ASCII, with the text below; see `ean13`."""
    return _barcode(_CODE128, b"{B" + text.replace("{", "{{").encode("ascii"), module_dots)


def qr(text: str, module_dots: int) -> list[Order]:
    """A QR code: model 2, size, error correction M, its data, print.

    Args:
        module_dots: the side of its smallest square, 1 to 16.
    """
    functions = (b"\x41\x32\x00", bytes([0x43, module_dots]), bytes([0x45, _QR_LEVEL_M]))
    store, show = b"\x50\x30" + text.encode("ascii"), b"\x51\x30"
    return [Order(QR, bytes([_QR_CODE]) + function) for function in (*functions, store, show)]


def _barcode(system: int, data: bytes, module_dots: int) -> list[Order]:
    height, below = Order(BARCODE_HEIGHT, bytes([_BARCODE_DOTS])), Order(BARCODE_TEXT, bytes([_TEXT_BELOW]))
    return [height, Order(BARCODE_WIDTH, bytes([module_dots])), below, Order(BARCODE, bytes([system]) + data)]
