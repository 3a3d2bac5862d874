"""Frames with right checks around what a fuzzer thinks of: no search guesses a CRC, and the parsers begin behind it.

The input is what is inside of one frame after the other, each with its length before it.
"""

from collections.abc import Callable, Iterator, Mapping

import readers.hlk_ld2410.codec as ld2410
import readers.lcus_relay.codec as lcus
import readers.magicrf_m100.codec as m100
import readers.mercury.codec as mercury
import readers.modbus_rtu.codec as modbus
import readers.pn532_hsu.codec as pn532
import readers.r2000_a0.codec as r2000
import readers.rdm6300.codec as rdm6300
import readers.tfmini.codec as tfmini
import readers.uhfreader18.codec as uhfreader18

Build = Callable[[bytes], bytes]
"""What is inside, of any length, to the frame as it goes over the wire."""


def sealed(build: Build, data: bytes) -> bytes:
    """An input for `check_stream`: the first byte says how to cut, the rest is sealed."""
    return data[:1] + b"".join(map(build, pieces(data[1:])))


def pieces(data: bytes) -> Iterator[bytes]:
    """The parts of `data`, each behind its length; the last may be shorter."""
    at = 0
    while at < len(data):
        yield data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]


def _m100(inside: bytes) -> bytes:
    head = inside[:2].ljust(2, b"\0")
    return m100.Frame(head[0] % 3, head[1], inside[2:]).to_bytes()


def _mercury_command(inside: bytes) -> bytes:
    return mercury.Command(_first(inside), inside[1 : mercury.MAX_COMMAND]).to_bytes()


def _mercury_answer(inside: bytes) -> bytes:
    status = int.from_bytes(inside[1:3], "big") & (mercury.MAX_STATUS_CLASS << 8 | 0xFF)
    return mercury.Answer(_first(inside), status, inside[3 : mercury.MAX_ANSWER]).to_bytes()


def _modbus(inside: bytes) -> bytes:
    return modbus.Frame(1, _first(inside), inside[1:]).to_bytes()


def _pn532(inside: bytes) -> bytes:
    return pn532.Information(inside or b"\0", extended=len(inside) % 2 == 1).to_bytes()


def _r2000(inside: bytes) -> bytes:
    return r2000.Frame(1, _first(inside), inside[1 : r2000.MAX_DATA]).to_bytes()


def _uhfreader_command(inside: bytes) -> bytes:
    return uhfreader18.Frame(0, _first(inside), inside[1:250]).to_bytes()


def _uhfreader_answer(inside: bytes) -> bytes:
    return uhfreader18.Frame(0, _first(inside), inside[2:250], _first(inside[1:])).to_bytes()


def _ld2410(answer_bit: int) -> Build:
    def build(inside: bytes) -> bytes:
        return ld2410.Command(_first(inside) | answer_bit, inside[1:62]).to_bytes()

    return build


def _tfmini(inside: bytes) -> bytes:
    if len(inside) == 6:
        return bytes([tfmini.HEADER] * 2) + inside + bytes([2 * tfmini.HEADER + sum(inside) & 0xFF])
    return tfmini.Command(_first(inside), inside[1:29]).to_bytes()


def _rdm6300(inside: bytes) -> bytes:
    return rdm6300.Frame(_first(inside), int.from_bytes(inside[1:5], "big")).to_bytes()


def _lcus(inside: bytes) -> bytes:
    return lcus.Frame(_first(inside), bool(_first(inside[1:]) & 1)).to_bytes()


def _first(data: bytes) -> int:
    return data[0] if data else 0


BUILDS: Mapping[str, Build] = {
    "hlk-ld2410.from_reader": _ld2410(ld2410.ANSWER_BIT),
    "hlk-ld2410.to_reader": _ld2410(0),
    "lcus-relay.to_reader": _lcus,
    "magicrf-m100.from_reader": _m100,
    "mercury.from_reader": _mercury_answer,
    "mercury.to_reader": _mercury_command,
    "modbus-rtu.from_reader": _modbus,
    "modbus-rtu.to_reader": _modbus,
    "pn532-hsu.from_reader": _pn532,
    "r2000-a0.from_reader": _r2000,
    "r2000-a0.to_reader": _r2000,
    "rdm6300.from_reader": _rdm6300,
    "tfmini.from_reader": _tfmini,
    "uhfreader18.from_reader": _uhfreader_answer,
    "uhfreader18.to_reader": _uhfreader_command,
    "uhfreader288.from_reader": _uhfreader_answer,
}
"""Of the protocols that have a check or a tight structure."""
