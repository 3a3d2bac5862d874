"""Modbus RTU, frame layer: bytes <-> frames, both directions.

    unit u8 | function u8 | data | CRC-16, low byte first

No byte marks a start, and the silence that ends a frame is lost on the way through a USB adapter.  So the function tells
the length, any byte may begin a frame, and the structure is held to the standard before the CRC is looked at.
CRC: polynomial A001 reflected, start FFFF.  An answer whose function has its high bit set is a refusal with one code.
Source: Modbus application protocol V1.1b3; Modbus over serial line V1.02.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from readers.framing import BAD_CHECK, Broken, Direction, Sound, StreamDecoder

READ_COILS, READ_INPUTS, READ_HOLDING, READ_INPUT_REGISTERS = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
REFUSAL = 0x80

HEAD, CRC_BYTES, MAX_FRAME = 2, 2, 256

BUSY = (5, 6)
"""Codes of refusals that pass by themselves."""
EXCEPTIONS: Mapping[int, str] = {
    1: "illegal function: the device does not offer it; check `function`",
    2: "illegal data address: the device has no such register or coil; check the address, which counts from 0",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledged, takes longer",
    6: "device busy; ask again",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway: the target does not answer",
}
_READS_BITS, _READS_REGISTERS = (READ_COILS, READ_INPUTS), (READ_HOLDING, READ_INPUT_REGISTERS)
_WRITES_ONE, _WRITES_MANY = (WRITE_COIL, WRITE_REGISTER), (WRITE_COILS, WRITE_REGISTERS)
_KNOWN = (*_READS_BITS, *_READS_REGISTERS, *_WRITES_ONE, *_WRITES_MANY)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of either side.

    Args:
        function: as on the wire; above 0x80 in a refusal.
        data: what stands between function and CRC.
    """

    unit: int
    function: int
    data: bytes = b""

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        body = bytes([self.unit, self.function]) + self.data
        return body + crc16(body).to_bytes(CRC_BYTES, "little")


class FrameDecoder(StreamDecoder[Frame]):
    """Feed any slices, get whole frames with a right CRC.

    Args:
        direction: whose frames: requests and answers of one function differ in shape.
    """

    def __init__(self, direction: Direction = "from_reader") -> None:
        super().__init__()
        self._data_size = _answer_data_size if direction == "from_reader" else _request_data_size

    def _seek(self, buffer: bytearray, start: int) -> int:  # noqa: ARG002  any byte may be a unit's number
        return start

    def _examine(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        if len(buffer) - start <= HEAD:
            return None
        window = bytes(buffer[start : start + MAX_FRAME])
        size = self._data_size(window)
        if not isinstance(size, int):
            return size
        end = HEAD + size
        if len(window) < end + CRC_BYTES:
            return None
        check, computed = window[end : end + CRC_BYTES], crc16(window[:end]).to_bytes(CRC_BYTES, "little")
        if check != computed:
            return Broken(f"CRC {check.hex()}, computed {computed.hex()}", BAD_CHECK)
        return Sound(Frame(window[0], window[1], window[HEAD:end]), end + CRC_BYTES)


def crc16(data: bytes) -> int:
    """The CRC of a frame up to the CRC itself."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def explain(code: int) -> str:
    """What the code of a refusal means."""
    return EXCEPTIONS.get(code, f"code {code}, which is not in the standard; see the device's manual")


def _request_data_size(window: bytes) -> int | Broken | None:
    """How many bytes of data a request has; None while too few bytes are here to tell.

    Args:
        window: from the unit's number on, at least three bytes.
    """
    function = window[1]
    if function in _WRITES_ONE:
        return 4
    if function not in _KNOWN:
        return _unknown(function)
    if len(window) < HEAD + 5:  # no request of these is shorter
        return None
    count, size = int.from_bytes(window[4:6], "big"), window[6]
    if function in _WRITES_MANY:
        most, needed = (1968, -(-count // 8)) if function == WRITE_COILS else (123, 2 * count)
        if not 1 <= count <= most or size != needed:
            return Broken(f"function {function:02x} with count {count} and {size} bytes of values")
        return 5 + size
    if not 1 <= count <= (2000 if function in _READS_BITS else 125):
        return Broken(f"function {function:02x} cannot read {count} at once")
    return 4


def _answer_data_size(window: bytes) -> int | Broken | None:
    """As `_request_data_size`, of an answer."""
    function, size = window[1], window[2]
    if function & REFUSAL:
        return 1 if function ^ REFUSAL in _KNOWN else _unknown(function ^ REFUSAL)
    if function in _WRITES_ONE or function in _WRITES_MANY:
        return 4
    if function not in _KNOWN:
        return _unknown(function)
    if not 1 <= size <= 250 or (function in _READS_REGISTERS and size % 2):
        return Broken(f"function {function:02x} with {size} bytes of values")
    return 1 + size


def _unknown(function: int) -> Broken:
    return Broken(f"function {function:02x} is none of 01 to 06, 0f, 10")
