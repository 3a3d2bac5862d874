"""The fuzz targets: each takes one input and raises if a promise is broken.

    <protocol>.<direction>           any bytes as that stream
    <protocol>.<direction>.sealed    frames with right checks around any contents
    line-cards.…, line-weight.…      lines by a configured pattern
    wire.<protocol>                  the wire scan beside its codec
    modbus.master, modbus.registers  an answer beside its question; what registers weigh
    epc, epc.text, epc.as            what a tag says, what a person, and what a person wants it to be
    mqtt.…, bus.…                    the embedded broker's edge, messages, topics; see `tests.fuzz.bus`

`test_targets.py` runs all of them on their seeds; `make fuzz` lets a coverage-guided fuzzer search for more.
"""

from collections.abc import Callable, Mapping
from functools import partial

from readers.capture import PROTOCOLS, find_protocol
from readers.framing import Direction
from tests.fuzz.bus import BUS
from tests.fuzz.configured import LINE_CARDS, LINE_WEIGHT, check_master, check_registers
from tests.fuzz.parsers import PARSERS
from tests.fuzz.promises import check_epc, check_epc_as, check_epc_text, check_stream
from tests.fuzz.sealed import BUILDS, sealed
from tests.fuzz.wire import SPOKEN, check_wire

Target = Callable[[bytes], None]
DIRECTIONS: tuple[Direction, ...] = ("from_reader", "to_reader")
SHARES_A_BYTE = ("pn532-hsu",)
"""A PN532's frame that lost a zero passes its sums with the first zero of the next one; that one is whole all the same."""


def check_codec(name: str, direction: Direction, data: bytes) -> None:
    """A protocol as `tacet decode` and its driver use it."""
    parsers = PARSERS[name]() if direction == "from_reader" and name in PARSERS else ()
    check_stream(partial(find_protocol, name, direction), data, parsers, shares_a_byte=name in SHARES_A_BYTE)


def check_sealed(name: str, direction: Direction, data: bytes) -> None:
    """The same, given what is inside the frames."""
    check_codec(name, direction, sealed(BUILDS[f"{name}.{direction}"], data))


TOLD_ONCE = {
    "modbus-relay": (),  # modbus-rtu in another device
    "modbus-weight": (),
    "lcus-relay": ("to_reader",),
    "line-cards": ("from_reader",),
    "line-weight": ("from_reader",),
    "rdm6300": ("from_reader",),
    "magicrf-m100": ("from_reader",),  # frames that tell their direction
    "pn532-hsu": ("from_reader",),
}
"""Protocols of which fewer than both directions have something of their own."""
CODECS: Mapping[str, tuple[str, Direction]] = {
    f"{name}.{direction}": (name, direction)
    for name in PROTOCOLS
    for direction in DIRECTIONS
    if direction in TOLD_ONCE.get(name, DIRECTIONS)
}
TARGETS: Mapping[str, Target] = {
    **{target: partial(check_codec, *codec) for target, codec in CODECS.items()},
    **{f"{target}.sealed": partial(check_sealed, *CODECS[target]) for target in BUILDS},
    **{f"line-cards.{name}": partial(check_stream, protocol) for name, protocol in LINE_CARDS.items()},
    **{f"line-weight.{name}": partial(check_stream, protocol) for name, protocol in LINE_WEIGHT.items()},
    **{f"wire.{name}": partial(check_wire, name) for name in SPOKEN},
    "modbus.master": check_master,
    "modbus.registers": check_registers,
    "epc": check_epc,
    "epc.text": check_epc_text,
    "epc.as": check_epc_as,
    **BUS,
}
