"""What a search begins with: golden frames, alone and with noise around, and what simulated devices say."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, get_args

import readers.escpos_label.commands as escpos
from readers.escpos_label.codec import Text
from simulators.line_cards import device as line_cards
from simulators.line_weight.device import Board, LineWeightDevice, Shape
from tests.fuzz.bus import BUS, bus_seeds
from tests.readers.vectors import FOLDER

SAME_FRAMES: Mapping[str, str] = {"modbus-weight": "modbus-rtu", "uhfreader288": "uhfreader18", "epc": "epc-tds"}
CARD = 0x66007B3972
INSIDE: Mapping[str, Callable[[bytes], bytes]] = {
    "hlk-ld2410": lambda frame: frame[6:7] + frame[8:-4],
    "lcus-relay": lambda frame: frame[1:3],
    "magicrf-m100": lambda frame: frame[1:3] + frame[5:-2],
    "mercury": lambda frame: frame[2:-2],
    "modbus-rtu": lambda frame: frame[1:-2],
    "pn532-hsu": lambda frame: frame[5:-2],
    "r2000-a0": lambda frame: frame[3:-1],
    "rdm6300": lambda frame: bytes.fromhex(frame[1:11].decode("ascii")),
    "tfmini": lambda frame: frame[2:-1],
    "uhfreader18": lambda frame: frame[2:-2],
    "uhfreader288": lambda frame: frame[2:-2],
}
"""What a frame says, as `tests.fuzz.sealed` takes it."""


@dataclass(frozen=True)
class Load:
    """On a simulated scale."""

    grams: float


def seeds(target: str) -> Iterator[bytes]:
    """Of one target."""
    name, _, rest = target.partition(".")
    if target in BUS:
        yield from bus_seeds(target)
        return
    if name == "epc" and rest:
        head = b"" if rest == "text" else b"\0\1\7"  # as what: the first scheme, filter 1, a prefix of 7 digits
        for row in rows("epc-tds"):
            yield from (
                head + str(each).encode()
                for key, each in row["decoded"].items()
                if key.endswith(("uri", "string", "link"))
            )
    elif target == "epc":
        yield from frames(name)
    elif target == "modbus.registers":
        yield from (bytes([kind]) + b"\x00\x01\x86\xa0" for kind in range(20))
    elif target == "modbus.master":
        yield from (bytes([kind, 1]) + _piece(frame[1:-2]) for kind in range(6) for frame in frames("modbus-rtu"))
    elif name == "wire":
        yield from (bytes([2 * stream[0] & 0xFE]) + stream[1:] for stream in _streams(frames(rest)))
        yield from (b"\x0b" + _piece(INSIDE[rest](frame)) for frame in frames(rest))
    elif rest.endswith("sealed"):
        yield from (b"\x05" + _piece(INSIDE[name](frame)) for frame in frames(name))
    else:
        yield from _streams(frames(name))


def frames(protocol: str) -> list[bytes]:
    """Published frames and lines, or what a simulated device says where none are published."""
    if protocol == "escpos-label":
        return list(_receipt())
    if protocol == "line-cards":
        forms = (line_cards.decimal, line_cards.hex_and_enter, line_cards.facility, line_cards.id_12)
        return [*(form(CARD) for form in forms), b"UID: 04a1b2c3d4e5f6\r\n"]
    if protocol == "line-weight":
        return list(_printed())
    return [bytes.fromhex(row["bytes_hex"]) for row in rows(SAME_FRAMES.get(protocol, protocol))]


def rows(protocol: str) -> list[dict[str, Any]]:
    """The golden frames of a protocol, with what they say."""
    found: list[dict[str, Any]] = json.loads((FOLDER / f"{protocol}.json").read_text())
    return found


def _streams(found: list[bytes]) -> Iterator[bytes]:
    for cut, frame in enumerate(found):
        yield bytes([cut % 32]) + frame
    for one, other in pairwise(found):
        yield bytes([len(one) % 256]) + one[:-1] + one + b"\0\xff" + other


def _piece(inside: bytes) -> bytes:
    return bytes([min(len(inside), 255)]) + inside[:255]


def _receipt() -> Iterator[bytes]:
    orders = [escpos.INITIAL, escpos.code_page(19), escpos.CENTRED, Text(b"Caf\x82"), escpos.LEFT, escpos.feed(3)]
    orders += [*escpos.ean13("4006381333931", 3), *escpos.code128("A{1", 2), *escpos.qr("https://id.gs1.org/01/1", 6)]
    orders += [escpos.FULL_CUT, *(escpos.ask(question) for question in escpos.Question)]
    yield from (order.to_bytes() for order in orders)
    yield b"\x12\x1a\x16\x7e"


def _printed() -> Iterator[bytes]:
    for shape in get_args(Shape):
        device = LineWeightDevice(lambda _: Load(-12.3), board=Board(shape=shape))
        yield device.tick(0) + device.tick(1)
    for board in (Board(amplifier_missing=True), Board(cell_missing=True)):
        device = LineWeightDevice(lambda _: Load(300.0), board=board)
        yield device.tick(0) + device.tick(1)
    yield b"ST,GS,+  1.234kg\r\nUS,NT, -0.2 lb\r\n"
    yield b"812,-55\n[1.5, .5]\n'a b' = 7 oz|x: 3\n"
