"""RDM6300 card reader: any frame in words, for `tacet decode`."""

from readers.capture import Protocol
from readers.framing import Direction
from readers.rdm6300.codec import Frame, FrameDecoder


def protocol(direction: Direction) -> Protocol:  # noqa: ARG001  it never listens
    """The protocol as `tacet decode` uses it."""
    return Protocol(FrameDecoder(), describe)


def describe(frame: Frame) -> dict[str, object]:
    """What a frame says, ready for JSON."""
    return {
        "version": f"{frame.version:02x}",
        "card_hex": f"{frame.number:08x}",
        "card_number": frame.number,
        "printed": f"{frame.number:010d}",
    }
