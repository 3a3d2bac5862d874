"""ESC/POS receipt printer: any order or status byte in words, for `tacet decode`."""

from collections.abc import Mapping

from readers.capture import Protocol
from readers.escpos_label import codec
from readers.escpos_label.codec import Frame, FrameDecoder, Order, Status, Text
from readers.framing import Direction

_NAMES: Mapping[bytes, str] = {
    codec.INITIALISE: "initialise",
    codec.CODE_PAGE: "code_page",
    codec.ALIGN: "align",
    codec.FEED: "feed_lines",
    codec.SIZE: "size",
    codec.CUT: "cut",
    codec.BARCODE_HEIGHT: "barcode_height",
    codec.BARCODE_WIDTH: "barcode_width",
    codec.BARCODE_TEXT: "barcode_text",
    codec.BARCODE: "barcode",
    codec.QR: "qr",
    codec.ASK_STATUS: "ask_status",
}


def protocol(direction: Direction) -> Protocol:
    """The protocol as `tacet decode` uses it."""
    return Protocol(FrameDecoder(direction), describe)


def describe(frame: Frame) -> dict[str, object]:
    """What a frame says, ready for JSON.  Text is shown as CP437, which the frame itself cannot tell."""
    if isinstance(frame, Status):
        return {"name": "status", "byte": f"{frame.byte:02x}"}
    if isinstance(frame, Text):
        return {"name": "text", "text": frame.data.decode("cp437")}
    return {"name": _NAMES[frame.head]} | _parameters(frame)


def _parameters(order: Order) -> dict[str, object]:
    if order.head == codec.BARCODE:
        return {"system": order.data[0], "data": order.data[1:].hex()}
    if order.head == codec.QR:
        return {"data": order.data.hex()}
    return {"n": order.data[0]} if order.data else {}
