"""LCUS-n USB relay board: any order in words, for `tacet decode`."""

from readers.capture import Protocol
from readers.framing import Direction
from readers.lcus_relay.codec import Frame, FrameDecoder


def protocol(direction: Direction) -> Protocol:  # noqa: ARG001  orders go one way only
    """The protocol as `tacet decode` uses it."""
    return Protocol(FrameDecoder(), describe)


def describe(frame: Frame) -> dict[str, object]:
    """What an order says, ready for JSON."""
    return {"channel": frame.channel, "on": frame.on}
