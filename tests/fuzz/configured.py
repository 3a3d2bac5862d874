"""What depends on a stanza: lines by their pattern, Modbus answers by the question, weights by the kind of register."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from itertools import product
from typing import Any, get_args

import msgspec
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteSingleRegisterRequest,
)

from readers.capture import Protocol
from readers.errors import FrameError, ReaderRefused
from readers.line_cards.codec import LineDecoder as CardLineDecoder
from readers.line_cards.reader import LineCardReader
from readers.line_weight.codec import Line, LineDecoder
from readers.line_weight.reader import LineScale
from readers.line_weight.settings import LineWeightSettings
from readers.modbus_rtu.codec import Frame, FrameDecoder
from readers.modbus_rtu.master import Master, ModbusSettings
from readers.modbus_weight.registers import ORDERS, Value, ValueType, register_count
from tests.fuzz.parsers import made
from tests.fuzz.promises import check_line
from tests.fuzz.sealed import pieces

CARDS: Mapping[str, Mapping[str, object]] = {
    "decimal": {},
    "facility": {"pattern": "(?P<facility>[0-9]{1,6}),(?P<serial>[0-9]{1,6})", "number": "facility", "high_byte": 7},
    "id-12": {
        "pattern": "(?P<number>[0-9A-F]{10})(?P<check>[0-9A-F]{2})",
        "number": "hex",
        "one_touch": True,
    },
    "nfc": {"pattern": "UID:? *(?P<number>[0-9a-fA-F]+)", "number": "hex", "card": "nfc"},
    "careless": {"pattern": "(?P<number>.*?)(?P<check>..)?", "number": "hex"},
}
WEIGHTS: Mapping[str, Mapping[str, object]] = {
    "found": {},
    "channel": {"channel": "ch2", "offset": "8000", "scale": "0.0025"},
    "pattern": {"pattern": r"(?P<stable>ST)?.*?(?P<value>[-+]? *[0-9.]+) *(?P<unit>kg|g|lb)?"},
    "careless": {"pattern": "(?P<channel>[a-z]*)(?P<value>.*)", "mass_unit": "kg"},
}
REQUESTS: tuple[Callable[[int], ModbusPDU], ...] = (
    lambda count: ReadCoilsRequest(address=0, count=count),
    lambda count: ReadDiscreteInputsRequest(address=0, count=count),
    lambda count: ReadHoldingRegistersRequest(address=0, count=min(count, 125)),
    lambda count: ReadInputRegistersRequest(address=0, count=min(count, 125)),
    lambda count: WriteSingleCoilRequest(address=count, bits=[count % 2 == 1]),
    lambda count: WriteSingleRegisterRequest(address=0, registers=[count]),
)
KINDS: tuple[tuple[ValueType, Any, Any], ...] = tuple(product(get_args(ValueType), ORDERS, ORDERS))


def new_cards(stanza: Mapping[str, object]) -> Protocol:
    """Lines of the stanza's pattern, and the cards they name."""
    reader = made(LineCardReader, LineCardReader.settings_type, **stanza)

    def describe(line: Any) -> dict[str, object]:
        return {"cards": [read.epc.hex() for read in reader._reads_of(line, 0)]}

    return Protocol(CardLineDecoder(reader._shape), describe)


def new_weights(stanza: Mapping[str, object]) -> Protocol:
    """Any lines, and the weights they tell in the driver's eyes and in the parser's own."""
    settings = {"capacity_g": "5000", **stanza}
    scale, parsed = made(LineScale, LineWeightSettings, **settings), msgspec.convert(settings, LineWeightSettings)

    def describe(line: Line) -> dict[str, object]:
        grams, at_rest = scale._weigh(line)
        check_line(f"complaint: {scale._why}")
        said = parsed.form.read(line.text)
        told = [str(parsed.to_grams(reading)) for reading in said] if isinstance(said, tuple) else []
        return {"grams": str(grams), "at_rest": at_rest, "told": told}

    return Protocol(LineDecoder(), describe)


LINE_CARDS = {name: partial(new_cards, stanza) for name, stanza in CARDS.items()}
LINE_WEIGHT = {name: partial(new_weights, stanza) for name, stanza in WEIGHTS.items()}


def check_master(data: bytes) -> None:
    """An answer has what its question asked for; anything else is none, or a refusal in one line.

    The first two bytes say what is asked; then what is inside of one frame after the other.
    """
    request = REQUESTS[data[0] % len(REQUESTS)](1 + data[1]) if len(data) > 1 else REQUESTS[0](1)
    master = made(Master, ModbusSettings)
    order = Frame(1, request.function_code, request.encode())
    frames = [Frame(1, inside[0], inside[1:]) for inside in pieces(data[2:]) if inside]
    decoder = FrameDecoder()
    for frame in decoder.feed(b"".join(frame.to_bytes() for frame in frames)) + decoder.flush():
        try:
            answer = master._judge(order, request, frame)
        except ReaderRefused as error:
            check_line(str(error))
            continue
        if answer is None:
            check_line(master._say_what_came())
            continue
        assert answer.function_code == request.function_code
        if "Register" in type(request).__name__ and "Read" in type(request).__name__:
            assert len(answer.registers) == request.count
        elif "Read" in type(request).__name__:
            assert len(answer.bits) >= request.count


def check_registers(data: bytes) -> None:
    """Whatever the registers hold is a finite weight within capacity, or refused in one line.

    The first byte says what kind of value it is, the rest are the registers.
    """
    value_type, word_order, byte_order = KINDS[(data[0] if data else 0) % len(KINDS)]
    value = Value(value_type, word_order, byte_order, Decimal("0.001"), Decimal(150_000))
    size = 2 * register_count(value_type)
    raw = data[1 : 1 + size].ljust(size, b"\0")
    try:
        grams = value.to_grams([int.from_bytes(raw[at : at + 2], "big") for at in range(0, size, 2)])
    except FrameError as error:
        check_line(str(error))
    else:
        assert abs(grams) <= value.capacity_g
