"""UHFReader288: the same frames as `describe.py`, for `tacet decode uhfreader288`; what fits both dialects is a 288's."""

from readers.capture import Protocol
from readers.framing import Direction
from readers.uhfreader18 import describe
from readers.uhfreader18.commands import Dialect


def protocol(direction: Direction) -> Protocol:
    """The protocol as `tacet decode` uses it."""
    return describe.protocol(direction, Dialect.NEW)
